use std::path::Path;

use super::{After, PromptContext, render_prompt};
use crate::{
    job::{
        finding::Finding,
        identity::BatchNum,
        load::{Overrides, load_text},
    },
    sources::LocalSources,
};

fn render(form: &str, template: &str, context: &PromptContext) -> String {
    let prompt = format!("{{template: '{template}', stakes: a tip, {form}: slowly}}");
    let text = match form {
        "thinkingMethod" => format!(
            "apiVersion: mozart.dev/v1alpha1\nkind: MozartJob\nmetadata: {{name: a}}\nspec:\n  batch: {{size: 1, totalItems: 2}}\n  prompt: {prompt}\n"
        ),
        _ => format!("name: a\nbatch: {{size: 1, total_items: 2}}\nprompt: {prompt}\n"),
    };
    let sources = LocalSources::new("/w");
    let job = load_text(&text, Path::new("/w/job.yaml"), &Overrides::default(), &sources).unwrap().job;
    render_prompt(&job, job.batches.get(BatchNum(2)).unwrap(), context).unwrap()
}

#[test]
fn a_manifests_prompt_ends_with_what_its_template_does_not_use() {
    let first = PromptContext::first();
    assert_eq!(render("thinkingMethod", "Do {{ batch_num }}.", &first), "Do 2.\n\na tip\n\nslowly");
    assert_eq!(render("thinkingMethod", "{{ stakes }}!", &first), "a tip!\n\nslowly");
    // Only the syntax tree counts: a comment does not use it, a condition does.
    assert_eq!(render("thinkingMethod", "x{# stakes #}", &first), "x\n\na tip\n\nslowly");
    assert_eq!(render("thinkingMethod", "x{% if stakes %}{% endif %}", &first), "x\n\nslowly");
    assert_eq!(render("thinking_method", "Do {{ batch_num }}.", &first), "Do 2.");
}

#[test]
fn a_retry_says_what_happened() {
    let failure = Finding {
        kind: "file_exists".to_owned(),
        path: Some("b2.md".to_owned()),
        command: None,
        description: None,
        passed: false,
        expected: "a new file".to_owned(),
        actual: "nothing".to_owned(),
    };
    let context = |previous_failures, after| PromptContext { attempt: 2, previous_failures, after };
    let timeout = || "Timeout".to_owned();
    let template = "Try {{ attempt }}{% for f in previous_failures %} {{ f.path or f.command }}{% endfor %}";
    assert_eq!(
        render("thinking_method", template, &context(vec![failure.clone()], After::InItsSession(timeout()))),
        "Your work on this batch was checked. Not yet right:\n- b2.md: expected a new file, found nothing\nMend only \
         that. Leave what is right as it is and add nothing a second time."
    );
    assert_eq!(
        render("thinking_method", template, &context(Vec::new(), After::InItsSession(timeout()))),
        "The session was interrupted (it took longer than it may) and goes on now. Check whether your last step took effect before \
         you repeat it, then finish the task."
    );
    let fresh = render("thinking_method", template, &context(vec![failure], After::OverItsFiles(timeout())));
    assert!(
        fresh
            .starts_with("Try 2 b2.md\n\nThis is try 2 at this batch; an earlier one ended with: it took longer than it may."),
        "{fresh}"
    );
}
