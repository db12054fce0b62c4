use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::job::{identity::BatchNum, model::Auth, prompt::PromptContext};

fn loaded(manifest: &Value) -> Job {
    let text = manifest.to_string();
    let overrides = Overrides { workspace: Some("/workspace".into()), ..Overrides::default() };
    load_text(&text, Path::new("/workspace/job"), &overrides, &Nothing(Mode::Local)).unwrap().job
}

fn manifest(spec: &Value) -> Value {
    json!({"apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": {"name": "a", "namespace": "b"},
        "spec": spec})
}

fn through_text(plan: &Plan) -> Plan {
    let text = plan.text();
    Plan::read(&text, &hash_of(&text)).unwrap()
}

#[test]
fn every_prompt_reads_the_same_from_the_plan() {
    let manifest = manifest(&json!({
        "batch": {"size": 2, "items": ["yes", "a\tb \u{7f} \u{1f600} \u{2028}", {"n": 1, "x": 1.5, "t": true}],
            "parallelism": 2},
        "prompt": {"template": "{{ items }} {{ v }} {{ workspace }}\n", "variables": {"v": {"off": "0777", "e": 1e3}},
            "stakes": "much"},
        "validations": [{"type": "file_exists", "path": "out/{batch_num}.md"}],
    }));
    let job = loaded(&manifest);
    let plan = through_text(&Plan::new(&manifest, &job, &Settled::default()));
    let again = plan.load(Path::new("/workspace"), Mode::Local).unwrap().job;
    assert_eq!(again.batches.total(), 2);
    for number in 1..=2 {
        let batch = job.batches.get(BatchNum(number)).unwrap();
        let render = |job| crate::job::prompt::render_prompt(job, batch, &PromptContext::first()).unwrap();
        assert_eq!(render(&job), render(&again));
    }
}

#[test]
fn items_from_elsewhere_are_in_the_plan() {
    let from = json!({"configMapKeyRef": {"name": "a", "key": "b"}});
    let manifest =
        manifest(&json!({"batch": {"size": 1, "itemsFrom": from}, "prompt": {"template": "{{ items[0] }}"}}));
    let values: Vec<Value> = (0..1500).map(|number| json!(format!("item {number}"))).collect();
    let pinned = PinnedItems {
        job: "a".to_owned(),
        from: serde_json::from_value(from).unwrap(),
        values: values.clone().into(),
        hash: String::new(),
    };
    let overrides = Overrides { items: vec![pinned], ..Overrides::default() };
    let job = load_text(&manifest.to_string(), Path::new("/w/job"), &overrides, &Nothing(Mode::Local));
    let plan = through_text(&Plan::new(&manifest, &job.unwrap().job, &Settled::default()));
    let again = plan.load(Path::new("/workspace"), Mode::Local).unwrap().job;
    assert_eq!(*again.batches.items.unwrap().values, values);
}

#[test]
fn what_is_for_people_or_may_change_is_not_in_the_plan() {
    let manifest = manifest(&json!({
        "description": "secret plans", "suspend": true, "notifications": [{"type": "desktop"}],
        "batch": {"size": 1, "totalItems": 3, "parallelism": 7, "pauseSeconds": 2},
        "prompt": {"template": "x"}, "retry": {"maxRetries": 9}, "pod": {"image": "i"}, "workspace": {"emptyDir": {}},
    }));
    let text = Plan::new(&manifest, &loaded(&manifest), &Settled::default()).text();
    for word in [
        "secret plans",
        "suspend",
        "notifications",
        "parallelism",
        "pauseSeconds",
        "retry",
        "pod",
        "emptyDir",
    ] {
        assert!(!text.contains(word), "{word} is in {text}");
    }
}

#[test]
fn what_may_change_is_taken_from_the_job_as_it_is_now() {
    let manifest = manifest(
        &json!({"batch": {"size": 1, "totalItems": 3, "parallelism": 7}, "prompt": {"template": "x"}}),
    );
    let plan = Plan::new(&manifest, &loaded(&manifest), &Settled::default());
    let live = json!({"batch": {"size": 9, "totalItems": 30, "parallelism": 2, "pauseSeconds": 1.5},
        "prompt": {"template": "y"}, "retry": {"maxRetries": 9}});
    let job = plan.with_live(&live).load(Path::new("/workspace"), Mode::Local).unwrap().job;
    assert_eq!((job.parallelism.get(), job.retry.max_retries, job.batches.total()), (2, 9, 3));
    assert_eq!((job.pause.as_millis(), job.prompt.template.as_str()), (1500, "x"));
}

#[test]
fn a_key_of_the_installation_is_the_one_that_is_used() {
    let manifest = manifest(&json!({"batch": {"size": 1, "totalItems": 1}, "prompt": {"template": "x"},
        "backend": {"apiKeyEnv": "MINE", "credential": "default"}}));
    let job = loaded(&manifest);
    let load = |key| {
        let plan = Plan::new(&manifest, &job, &Settled { key, base_url: None });
        match plan.load(Path::new("/workspace"), Mode::Local).unwrap().job.backend {
            Backend::ClaudeCli(claude) => *claude,
            other => panic!("{other:?}"),
        }
    };
    let claude = load(Some(SettledKey::Api("ANTHROPIC_API_KEY".to_owned())));
    assert_eq!((claude.auth, claude.api_key_env.as_deref()), (Auth::ApiKey, Some("ANTHROPIC_API_KEY")));
    assert_eq!(claude.permission_mode.word(), "bypassPermissions");
    let claude = load(Some(SettledKey::Subscription));
    assert_eq!((claude.auth, claude.api_key_env), (Auth::Subscription, None));
}

#[test]
fn another_text_than_the_runs_is_refused() {
    let manifest = manifest(&json!({"batch": {"size": 1, "totalItems": 1}, "prompt": {"template": "x"}}));
    let text = Plan::new(&manifest, &loaded(&manifest), &Settled::default()).text();
    let hash = hash_of(&text);
    let other = text.replace("\"x\"", "\"y\"");
    assert!(matches!(Plan::read(&other, &hash), Err(PlanError::Tampered { .. })));
    let newer = text.replace("\"version\":1", "\"version\":2");
    assert!(matches!(Plan::read(&newer, &hash_of(&newer)), Err(PlanError::Newer { found: 2 })));
}
