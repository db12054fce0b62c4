use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    claude_run::{ClaudeRun, batch, said, shell},
    fake_api::{Reply, Request},
};

/// What one of the fake's turns costs, in millionths of a dollar.
const TURN: u64 = 6_000;
const PER_ATTEMPT: u64 = 20_000;
const PER_RUN: u64 = 170_000;
/// How long the service takes, as the real one does at least: who loops faster than Claude Code looks at its budget has
/// asked several times by then.
const LATENCY: Duration = Duration::from_secs(1);

/// A session that hands its work on to sub-agents, and they to others, as often as they may; nothing ever ends.
fn for_ever(request: &Request, at_once: usize) -> Reply {
    let prompt = format!("This is batch {}. Go on for ever.", batch(request));
    let agent = json!({ "description": "go on", "prompt": prompt, "subagent_type": "general-purpose" });
    let tools = request.body["tools"].as_array().unwrap();
    let may_hand_on = tools.iter().any(|tool| tool["name"] == "Agent");
    let reply =
        if may_hand_on { Reply::tools("Agent", &vec![agent; at_once]) } else { shell("echo on and on") };
    reply.after(LATENCY)
}

fn budgets(changes: &Value) -> Value {
    let mut job = json!({ "backend": { "timeout_seconds": 120 }, "batch": { "parallelism": 8 } });
    job["budget"] = changes.clone();
    job
}

/// What every request of the run has cost, also those that were under way when an attempt was stopped.
fn billed_of(run: &ClaudeRun, budget: u64) -> u64 {
    let billed = run.api.billed().cost_micro_usd();
    let (counted, stops) = (run.usage().cost_micro_usd, run.requests().len() as u64);
    assert!(
        counted.abs_diff(billed) <= stops * TURN / 2,
        "{counted} were counted of {billed}: {:?}",
        run.requests()
    );
    assert!(billed <= budget + TURN, "{billed}: {:?}", run.requests());
    billed
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_agents_that_loop_are_stopped_by_the_budget_and_eight_at_once_keep_that_of_the_run() {
    let run = ClaudeRun::new(|request| for_ever(request, 5)).await;
    run.job(20, &budgets(&json!({ "per_attempt_usd": "0.02", "per_run_usd": "0.17" })));
    let output = run.run(["local-run", "job.yaml", "--max-sessions", "8"]).await;
    assert!(output.status.success(), "{}", said(&output));

    assert_eq!(run.status()["reason"], "BudgetReached", "{}", run.status());
    let billed = billed_of(&run, PER_RUN);
    assert!(billed > PER_RUN - PER_ATTEMPT - 2 * TURN, "as many ran as could: {billed}");
    for requests in run.requests() {
        let beyond = (requests as u64 * TURN).saturating_sub(PER_ATTEMPT);
        assert!(beyond <= TURN, "the turn that passes it is the last: {requests}");
    }
    assert!(run.api.most_at_once() >= 4, "side by side");

    let again = run.run(["resume", "review", "--max-sessions", "8"]).await;
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!(run.api.billed().cost_micro_usd(), billed, "nothing was asked any more");
}

/// Only the run has a budget: what one attempt may spend of it is Mozart's to say.
#[tokio::test(flavor = "multi_thread")]
async fn eight_attempts_without_a_budget_of_their_own_share_that_of_the_run() {
    let run = ClaudeRun::new(|request| match batch(request) {
        // It shows what one costs; all others loop.
        1 => Reply::text("It is done."),
        _ => for_ever(request, 2),
    })
    .await;
    run.job(20, &budgets(&json!({ "per_run_usd": "0.4" })));
    let output = run.run(["local-run", "job.yaml", "--max-sessions", "8"]).await;
    assert!(output.status.success(), "{}", said(&output));

    let status = run.status();
    assert_eq!((&status["reason"], &status["failed"]), (&json!("BudgetReached"), &json!(0)), "{status}");
    billed_of(&run, 400_000);
    assert!(run.api.most_at_once() >= 6, "side by side");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_three_batches_it_is_told_what_all_of_them_will_cost_and_their_sessions_can_be_deleted() {
    let run = ClaudeRun::new(|_| Reply::text("It is done.").tokens(1_000_000, 100_000)).await;
    run.job(10, &json!({}));
    let two = run.run(["local-run", "job.yaml", "--yes", "--limit", "2"]).await;
    assert!(said(&two).contains("$12.00") && !said(&two).contains("of about"), "{}", said(&two));
    let three = run.run(["resume", "review", "--limit", "1"]).await;
    assert!(said(&three).contains("$18.00 of about $60.00"), "{}", said(&three));
    let status = said(&run.run(["status", "review"]).await);
    assert!(status.contains("$18.00 of about $60.00"), "{status}");

    let prune = async || said(&run.run(["prune", "--sessions", "--keep", "0"]).await);
    assert_eq!(prune().await.trim(), "0 sessions of 0 runs deleted, 0 bytes", "the run may go on in them");
    assert!(!run.transcript().is_empty());
    let logs = said(&run.run(["logs", "review", "--batch", "1"]).await);
    let (_, session) = logs.split_once("hint: claude --resume ").expect(&logs);
    assert!(run.transcript().contains(session.split(' ').next().unwrap()), "{logs}");
    run.run(["stop", "review"]).await;
    assert!(prune().await.starts_with("3 sessions of 1 run deleted, "));
    assert_eq!(run.transcript(), "");
    assert!(said(&run.run(["logs", "review", "--batch", "1"]).await).contains("It is done."), "texts stay");
}
