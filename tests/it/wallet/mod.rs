//! `mozart local-run` with the real Claude Code against the fake API: who pays, what is paid, what a batch may see and do.

mod laptop;
mod sight;

use std::fs;

use mozart::job::outcome::Usage;
use serde_json::json;

use self::laptop::Laptop;
use crate::{
    cli::mozart::on_terminal,
    fake_api::{FakeApi, MODEL, Reply, Request},
};

/// Whether a tool has answered in this session already.
fn goes_on(request: &Request) -> bool {
    request.said().contains("tool_result")
}

#[tokio::test]
async fn six_batches_write_what_their_validations_ask_for_and_cost_what_the_service_reported() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().to_owned();
    let script = move |request: &Request| {
        let said = request.said();
        let batch = (1..=6_u64).find(|batch| said.contains(&format!("report-{batch}.md"))).expect("a prompt");
        if goes_on(request) {
            Reply::text("written").tokens(2_000 + batch, 20 + batch)
        } else {
            let report = workspace.join(format!("report-{batch}.md"));
            Reply::write(&report, &format!("## Evidence\nof {batch}\n")).tokens(1_000 + batch, 300)
        }
    };
    let api = FakeApi::start(script).await;
    let laptop = Laptop::with_key(&api);
    laptop.job(&json!({
        "workspace": { "path": folder.path() },
        "batch": { "totalItems": 6, "parallelism": 2 },
        "prompt": { "template": "Write report-{{ batch_num }}.md." },
        "validations": [
            { "type": "file_exists", "path": "{workspace}/report-{batch_num}.md" },
            { "type": "content_contains", "path": "{workspace}/report-{batch_num}.md", "pattern": "## Evidence" },
        ],
    }));
    let ran = laptop.run(&[]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let header =
        format!("Claude Code 2.1.330, API key from ANTHROPIC_API_KEY, model {MODEL}, 6 batches of 6 items");
    assert!(ran.stderr.replace(" · ", ", ").contains(&header), "{}", ran.stderr);

    let status = laptop.json(&["status"]).await;
    let (run, billed) = (&status["run"], api.billed());
    assert_eq!((&run["succeeded"], &run["failed"]), (&json!(6), &json!(0)), "{status:#}");
    let usage = &run["usage"];
    assert_eq!(usage["inputTokens"], json!(billed.input_tokens));
    assert_eq!(usage["outputTokens"], json!(billed.output_tokens));
    let cost = Usage { cost_micro_usd: billed.cost_micro_usd(), ..Usage::default() }.cost_usd();
    assert_eq!(usage["costUSD"], json!(cost));
    assert_eq!(usage["partial"], json!(false));
    assert_eq!(api.requests().len(), 12, "two turns a batch, each asked once");

    let logs = laptop.json(&["logs", "--batch", "3"]).await;
    let provenance = json!({
        "apiKeySource": "ANTHROPIC_API_KEY", "model": MODEL, "version": "2.1.330", "stopReason": "end_turn",
    });
    assert_eq!(logs["provenance"], provenance, "{logs:#}");
}

#[tokio::test]
async fn a_wrong_key_ends_the_run_at_once_and_its_variable_is_named() {
    let refusal = Reply::error(401, "authentication_error", "invalid x-api-key");
    let api = FakeApi::playing([refusal]).await;
    let mut laptop = Laptop::with_key(&api);
    laptop.export("TEAM_KEY", "wrong");
    laptop.job(&json!({ "backend": { "apiKeyEnv": "TEAM_KEY" }, "batch": { "totalItems": 20 } }));
    let ran = laptop.run(&[]).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("check the key in TEAM_KEY"), "{}", ran.stderr);
    let requests = api.requests();
    assert!(requests.iter().all(|request| request.header("x-api-key") == "wrong"));
    // Claude Code by itself asks 11 times, for 3 minutes.
    assert!(requests.len() <= 3, "{}", requests.len());
    let status = laptop.json(&["status"]).await;
    assert_eq!(status["run"]["failed"], json!(1), "no second batch began: {status:#}");
}

#[tokio::test]
async fn a_login_and_a_key_are_two_ways_to_pay_and_nothing_is_sent() {
    let api = FakeApi::playing([Reply::text("never")]).await;
    let laptop = Laptop::with_login_and_key(&api);
    laptop.job(&json!({}));
    let ran = laptop.run(&[]).await;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let words = "two ways to pay: claude.ai login (max) and ANTHROPIC_API_KEY";
    assert!(ran.stderr.contains(words) && ran.stderr.contains("write backend.auth"), "{}", ran.stderr);
    assert_eq!(api.requests().len(), 0);
}

#[tokio::test]
async fn a_subscription_pays_and_the_key_is_not_in_the_childs_environment() {
    let look = Reply::tool("Bash", &json!({ "command": "env > seen.txt" }));
    let api = FakeApi::playing([look, Reply::text("looked")]).await;
    let mut laptop = Laptop::with_login_and_key(&api);
    laptop.export("ANTHROPIC_AUTH_TOKEN", "sk-ant-of-a-gateway");
    laptop.export("CLAUDE_CODE_USE_BEDROCK", "1");
    laptop.export("UNRELATED", "stays");
    laptop.job(&json!({
        "backend": { "auth": "Subscription", "allowedTools": ["Bash"] },
        "budget": null,
        "validations": [{ "type": "file_exists", "path": "{workspace}/seen.txt" }],
    }));
    let ran = laptop.run(&[]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("subscription (max)"), "{}", ran.stderr);
    for request in api.requests() {
        assert_eq!(request.header("authorization"), "Bearer sk-ant-oat01-of-the-login");
        assert_eq!(request.header("x-api-key"), "");
    }
    let seen = laptop.file("seen.txt").unwrap();
    assert!(seen.contains("UNRELATED=stays"), "{seen}");
    for word in ["sk-ant-of-the-environment", "sk-ant-of-a-gateway", "CLAUDE_CODE_USE_BEDROCK"] {
        assert!(!seen.contains(word), "{word}: {seen}");
    }
}

#[tokio::test]
async fn a_key_that_comes_into_the_settings_while_the_run_goes_on_is_the_wrong_wallet() {
    let settings = std::sync::Arc::new(std::sync::Mutex::new(std::path::PathBuf::new()));
    let script = {
        let settings = settings.clone();
        move |_: &Request| {
            let another = json!({ "env": { "ANTHROPIC_API_KEY": "sk-ant-of-the-settings" } });
            fs::write(&*settings.lock().unwrap(), another.to_string()).unwrap();
            Reply::text("done")
        }
    };
    let api = FakeApi::start(script).await;
    let laptop = Laptop::with_login_and_key(&api);
    *settings.lock().unwrap() = laptop.config().join("settings.json");
    laptop.job(&json!({
        "backend": { "auth": "Subscription", "settingSources": ["user"] },
        "batch": { "totalItems": 5 },
    }));
    let ran = laptop.run(&[]).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let words = "the wrong wallet: the login was to pay, and Claude Code pays with ANTHROPIC_API_KEY";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    let status = laptop.json(&["status"]).await;
    assert_eq!((&status["run"]["succeeded"], &status["run"]["failed"]), (&json!(1), &json!(1)), "{status:#}");

    let refused = laptop.run(&["--rerun"]).await;
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("the settings bring a key (ANTHROPIC_API_KEY)"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_key_without_a_budget_needs_a_yes() {
    let api = FakeApi::playing([Reply::text("done")]).await;
    let laptop = Laptop::with_key(&api);
    laptop.job(&json!({ "budget": null }));
    let ran = laptop.run(&[]).await;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let words = format!("1 item in 1 batch on {MODEL}, billed to ANTHROPIC_API_KEY, and no budget is set");
    assert!(ran.stderr.contains(&words) && ran.stderr.contains("--yes"), "{}", ran.stderr);
    assert_eq!(api.requests().len(), 0);
    let status = laptop.mozart().arg("status").output().await.unwrap();
    assert!(String::from_utf8_lossy(&status.stderr).contains("has no run yet"), "nothing was stored");

    let agreed = laptop.run(&["--yes"]).await;
    assert_eq!(agreed.code, 0, "{}", agreed.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_a_person_is_asked_once_where_no_budget_is_set() {
    let api = FakeApi::playing([Reply::text("done")]).await;
    let laptop = Laptop::with_key(&api);
    laptop.job(&json!({ "budget": null }));
    let ask = |typed: &'static str| {
        let mut command = laptop.mozart().into_std();
        command.env("TERM", "xterm-256color").args(["local-run", "job.yaml"]);
        tokio::task::spawn_blocking(move || on_terminal(command, typed))
    };
    let question =
        format!("1 item in 1 batch on {MODEL}, billed to ANTHROPIC_API_KEY. No budget is set. Go on? [y/N]");
    for typed in ["n\n", "\n"] {
        let (code, shown) = ask(typed).await.unwrap();
        assert_eq!(code, 2, "{shown}");
        assert!(shown.contains(&question) && shown.contains("nothing was started"), "{shown}");
        assert_eq!(api.requests().len(), 0);
    }
    let (code, shown) = ask("y\n").await.unwrap();
    assert_eq!(code, 0, "{shown}");
    assert_eq!((shown.matches(&question).count(), api.requests().len()), (1, 1), "{shown}");

    laptop.job(&json!({ "budget": { "perRunUSD": "1" } }));
    let (code, shown) = ask("").await.unwrap();
    assert!(!shown.contains("Go on?"), "{code}: {shown}");
}

#[tokio::test]
async fn everything_allowed_as_root_is_refused_before_anything_is_sent() {
    let api = FakeApi::playing([Reply::text("done")]).await;
    let laptop = Laptop::with_key(&api);
    laptop.job(&json!({ "backend": { "permissionMode": "bypassPermissions" } }));
    let run = || {
        let mut command = laptop.mozart();
        command.args(["local-run", "job.yaml"]).env_remove("IS_SANDBOX");
        command
    };
    let output = run().output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if nix::unistd::geteuid().is_root() {
        assert_eq!((output.status.code(), api.requests().len()), (Some(2), 0), "{said}");
        assert!(said.contains("bypassPermissions as root") && said.contains("acceptEdits"), "{said}");
    } else {
        assert_eq!((output.status.code(), api.requests().len()), (Some(0), 1), "{said}");
    }
}
