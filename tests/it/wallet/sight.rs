//! What a batch may see and do: neither the person's own settings nor the text of an item opens a door.

use std::fs;

use serde_json::json;

use super::laptop::Laptop;
use crate::fake_api::{FakeApi, Reply};

/// A hook that leaves a mark and holds the session up.
fn stop_hook(mark: &std::path::Path) -> serde_json::Value {
    let hook = json!({ "type": "command", "command": format!("touch '{}'; exit 2", mark.display()) });
    json!({ "hooks": { "Stop": [{ "hooks": [hook] }] } })
}

#[tokio::test]
async fn a_slash_a_mention_and_the_persons_own_settings_change_no_batch() {
    let api = FakeApi::playing([Reply::text("read it")]).await;
    let laptop = Laptop::with_key(&api);
    let (secret, mark) = (laptop.path().join("secret.txt"), laptop.path().join("hooked"));
    fs::write(&secret, "the-secret-text").unwrap();
    fs::write(laptop.config().join("settings.json"), stop_hook(&mark).to_string()).unwrap();
    fs::write(laptop.config().join("CLAUDE.md"), "the-persons-own-words").unwrap();
    laptop.job(&json!({
        "backend": { "extraArgs": ["--settings", stop_hook(&mark).to_string()] },
        "batch": {
            "totalItems": null,
            "items": ["/help", format!("- @{}", secret.display()), "look at @/etc/hostname"],
        },
        "prompt": { "template": "{{ items[0] }}" },
        "budget": { "perAttemptUSD": "5" },
    }));
    let ran = laptop.run(&[]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let requests = api.requests();
    assert_eq!(requests.len(), 3, "a held-up session asks again");
    let said: Vec<String> = requests.iter().map(|request| request.body.to_string()).collect();
    assert!(
        said[0].contains("/help") && said[1].contains("secret.txt") && said[2].contains("@/etc/hostname")
    );
    let host = fs::read_to_string("/etc/hostname").unwrap_or_default();
    for text in said {
        assert!(!text.contains("the-secret-text") && !text.contains("the-persons-own-words"));
        assert!(!text.contains("Called the Read tool"), "nothing was attached: {text}");
        let host = host.trim();
        assert!(host.is_empty() || !text.contains(&format!("\\t{host}")), "{text}");
    }
    assert!(!mark.exists(), "no hook ran");
}

#[tokio::test]
async fn a_denied_write_is_no_success_and_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let write = Reply::write(&folder.path().join("report.md"), "x");
    let api = FakeApi::playing([write, Reply::text("all is written")]).await;
    let laptop = Laptop::with_key(&api);
    laptop.job(&json!({
        "workspace": { "path": folder.path() },
        "backend": { "permissionMode": "manual" },
        "retry": { "maxRetries": 3 },
        "validations": [{ "type": "file_exists", "path": "{workspace}/report.md" }],
    }));
    let ran = laptop.run(&[]).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("PermissionDenied") && ran.stderr.contains("Write"), "{}", ran.stderr);
    assert!(!folder.path().join("report.md").exists());
    assert_eq!(api.requests().len(), 2, "a retry would be denied again");
}

#[tokio::test]
async fn an_empty_answer_is_no_success() {
    let api = FakeApi::playing([Reply::empty()]).await;
    let laptop = Laptop::with_key(&api);
    laptop.job(&json!({}));
    let ran = laptop.run(&[]).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("EmptyAnswer"), "{}", ran.stderr);
}

#[tokio::test]
async fn settings_passed_on_that_would_pay_are_refused_before_anything_runs() {
    let api = FakeApi::playing([Reply::text("never")]).await;
    let laptop = Laptop::with_login_and_key(&api);
    let theirs = json!({ "env": { "ANTHROPIC_API_KEY": "sk-ant-of-the-arguments" } });
    laptop.job(&json!({
        "backend": { "auth": "Subscription", "extraArgs": ["--settings", theirs.to_string()] },
    }));
    let ran = laptop.run(&[]).await;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("another way to pay (ANTHROPIC_API_KEY)"), "{}", ran.stderr);
    assert_eq!(api.requests().len(), 0);
}
