use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde_json::json;

use crate::{
    claude_run::{ClaudeRun, batch, said, shell},
    fake_api::Reply,
};

/// What one of the fake's turns costs, in millionths of a dollar.
const TURN: u64 = 6_000;
const PER_ATTEMPT: u64 = 20_000;

/// Sessions that hand on their work to another one as often as they may, and never end. The service does not answer the
/// request after the one that uses the budget up: whoever waits for that answer has not noticed.
#[tokio::test(flavor = "multi_thread")]
async fn sub_agents_that_loop_are_stopped_by_the_budget_and_a_run_starts_no_more_than_it_can_pay() {
    let asked: [AtomicU64; 21] = Default::default();
    let run = ClaudeRun::new(move |request| {
        let batch = batch(request);
        if asked[batch].fetch_add(1, Ordering::Relaxed) * TURN > PER_ATTEMPT {
            return Reply::error(500, "api_error", "too late").after(Duration::from_hours(1));
        }
        let prompt = format!("This is batch {batch}. Go on for ever.");
        let agent = json!({ "description": "go on", "prompt": prompt, "subagent_type": "general-purpose" });
        let tools = request.body["tools"].as_array().unwrap();
        if tools.iter().any(|tool| tool["name"] == "Agent") {
            Reply::tool("Agent", &agent)
        } else {
            shell("echo on and on")
        }
    })
    .await;
    run.job(
        20,
        &json!({
            "backend": { "timeout_seconds": 120 },
            "batch": { "parallelism": 8 },
            "budget": { "per_attempt_usd": "0.02", "per_run_usd": "0.17" },
        }),
    );
    let output = run.run(["local-run", "job.yaml", "--max-sessions", "8"]).await;
    assert!(output.status.success(), "{}", said(&output));

    let status = run.status();
    assert_eq!(status["failed"], 8, "eight times $0.02 fit, a ninth does not: {status}");
    assert_eq!(status["reason"], "BudgetReached", "{status}");
    let spent = run.usage().cost_micro_usd;
    assert_eq!(spent, run.api.billed().cost_micro_usd());
    assert!(spent <= 8 * (PER_ATTEMPT + TURN), "each passed its budget by one turn at most: {spent}");

    let again = run.run(["resume", "review", "--max-sessions", "8"]).await;
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!(run.api.billed().cost_micro_usd(), spent, "nothing was asked any more");
}
