//! With the Messages API.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::night::{Asked, Night, Wallet, batch_of, paid, wait_for};
use crate::fake_api::{FakeApi, Reply, unified_limit};

const NO_TRIES: &str = "retry: {max_retries: 0}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_batch_of_forty_is_paid_once_under_limits_throttles_and_overload() {
    let night = Night::falls(Wallet::Key);
    let (clock, log) = (night.clock.clone(), Arc::<Mutex<Vec<Asked>>>::default());
    let api = FakeApi::start({
        let log = Arc::clone(&log);
        move |request| {
            let reply = match request.number {
                number if number.is_multiple_of(15) => Reply::error(
                    429,
                    "rate_limit_error",
                    "the plan's window",
                )
                .headers(unified_limit("rejected", 1.0, clock.in_seconds(3600))),
                number if number.is_multiple_of(13) => {
                    Reply::error(429, "rate_limit_error", "slow down").header("retry-after", 59)
                }
                number if number.is_multiple_of(11) => Reply::error(529, "overloaded_error", "Overloaded"),
                _ => Reply::text("done"),
            };
            let answered = reply.is_answer();
            log.lock().unwrap().push(Asked { batch: batch_of(request), turn: 1, answered });
            reply
        }
    })
    .await;
    let night = night.asking(&api);
    night.api_job("forty", 40, 4, NO_TRIES);
    let mut run = night.start(["local-run", "forty.yaml"]);
    assert!(night.pass(&mut run).success(), "{}", run.said());
    let log = log.lock().unwrap();
    let paid = paid(&log);
    assert!(paid.len() == 40 && paid.values().all(|times| *times == 1), "{paid:?}");
    let refused = log.iter().filter(|asked| !asked.answered).count();
    assert_eq!(log.len(), 40 + refused);
    assert!(refused >= 7, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_of_the_window_is_left_to_the_user() {
    let night = Night::falls(Wallet::Key);
    let reset = night.clock.in_seconds(3600);
    let full = Reply::text("done").headers(unified_limit("allowed_warning", 0.93, reset));
    let api = FakeApi::playing([full, Reply::text("done")]).await;
    let night = night.asking(&api);
    night.api_job("left", 3, 1, "rate_limit: {leave: 0.1}");
    let mut run = night.start(["local-run", "left.yaml"]);
    wait_for("the share to be left", || night.closed_until().is_some_and(|until| until >= reset));
    let status = night.says(["status", "left"]);
    assert!(status.contains("93 % of the plan's window is used") && status.contains("until"), "{status}");
    assert_eq!(api.requests().len(), 1);
    assert!(night.pass(&mut run).success(), "{}", run.said());
    assert_eq!(api.requests().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_not_to_wait_ends_with_75_and_goes_on_later() {
    let night = Night::falls(Wallet::Key);
    let hour = Reply::error(429, "rate_limit_error", "the plan's window").headers(unified_limit(
        "rejected",
        1.0,
        night.clock.in_seconds(3600),
    ));
    let api = FakeApi::playing([Reply::text("done"), hour, Reply::text("done")]).await;
    let night = night.asking(&api);
    night.api_job("hasty", 2, 1, NO_TRIES);
    let mut run = night.start(["local-run", "hasty.yaml", "--no-wait"]);
    assert_eq!(run.end().code(), Some(75), "{}", run.said());
    assert!(run.said().contains("not before") && run.said().contains("mozart resume"), "{}", run.said());
    let mut again = night.start(["resume", "hasty", "--no-wait"]);
    assert_eq!(again.end().code(), Some(75), "{}", again.said());
    assert_eq!(api.requests().len(), 2, "a closed gate is not asked");

    night.clock.set_to(night.closed_until().unwrap());
    let mut later = night.start(["resume", "hasty"]);
    assert!(later.end().success(), "{}", later.said());
    assert_eq!(api.requests().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_longer_than_the_bound_suspends_the_run_and_says_until_when() {
    let night = Night::falls(Wallet::Key);
    let week = night.clock.in_seconds(5 * 24 * 3600);
    let limit = Reply::error(429, "rate_limit_error", "the week's window")
        .headers(unified_limit("rejected", 1.0, week));
    let api = FakeApi::playing([limit, Reply::text("done")]).await;
    let night = night.asking(&api);
    night.api_job("weekly", 1, 1, NO_TRIES);
    let mut run = night.start(["local-run", "weekly.yaml"]);
    assert_eq!(run.end().code(), Some(75), "{}", run.said());
    let day = (week + Duration::from_secs(30)).strftime("%Y-%m-%d").to_string();
    for words in [run.said(), night.says(["status", "weekly"])] {
        assert!(words.contains(&day) && words.contains("maxWaitSeconds"), "{words}");
    }
    night.clock.set_to(night.closed_until().unwrap());
    assert!(night.start(["resume", "weekly"]).end().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_account_waits_for_a_person_who_opens_the_gate_again() {
    let poor = Reply::error(
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API.",
    );
    let api = FakeApi::playing([poor, Reply::text("done")]).await;
    let night = Night::falls(Wallet::Key).asking(&api);
    night.api_job("poor", 2, 1, NO_TRIES);
    let mut run = night.start(["local-run", "poor.yaml"]);
    wait_for("the account", || night.gate()["state"]["type"] == "Held");
    wait_for("the run to say so", || run.said().contains("mozart credential resume"));
    let status = night.says(["status", "poor"]);
    assert!(status.contains("credit balance") && status.contains("mozart credential resume"), "{status}");
    let list = night.says(["credential", "list"]);
    assert!(list.contains("waits for a person") && list.contains("credit balance"), "{list}");
    assert_eq!(api.requests().len(), 1);

    night.says(["credential", "resume"]);
    assert!(run.end().success(), "{}", run.said());
    assert_eq!(api.requests().len(), 3);
}
