//! With the real Claude Code.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpSocket;

use super::night::{Asked, Night, Wallet, asked_of, batch_of, paid, wait_for};
use crate::fake_api::{FakeApi, Reply, Request, unified_limit};

/// A batch whose failures are not counted succeeds, however often it was refused; one that is counted fails.
const NO_TRIES: &str = "retry: {max_retries: 0}";

/// From 1: one more than the results of tools that were sent.
fn turn_of(request: &Request) -> usize {
    request.said().matches(r#""type":"tool_result""#).count() + 1
}

fn rejected(until: Timestamp) -> Reply {
    Reply::error(429, "rate_limit_error", "limited").headers(unified_limit("rejected", 1.0, until))
}

fn overloaded() -> Reply {
    Reply::error(529, "overloaded_error", "Overloaded")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_limit_in_a_turn_stops_every_process_until_its_reset_and_each_turn_is_paid_once() {
    let night = Night::falls(Wallet::Login);
    let (clock, log) = (night.clock.clone(), Arc::<Mutex<Vec<Asked>>>::default());
    let reset = clock.in_seconds(3600);
    let api = FakeApi::start({
        let (clock, log) = (clock.clone(), Arc::clone(&log));
        move |request| {
            let (batch, turn) = (batch_of(request), turn_of(request));
            let mut log = log.lock().unwrap();
            let met = log.iter().any(|asked| !asked.answered);
            let meets = batch == "first, batch 1" && turn == 3 && !met;
            let answered = !(meets || met && clock.now() < reset);
            log.push(Asked { batch, turn, answered });
            match turn {
                _ if !answered => rejected(reset),
                5 => Reply::text("done"),
                turn => Reply::tool("Bash", &json!({ "command": format!("echo turn {turn}") })),
            }
        }
    })
    .await;
    let night = night.asking(&api);
    night.claude_job("first", 1, 1, NO_TRIES);
    night.claude_job("second", 1, 1, NO_TRIES);

    let mut first = night.start(["local-run", "first.yaml"]);
    wait_for("the limit", || night.closed_until().is_some());
    let until = night.closed_until().unwrap();
    assert!(until >= reset && until <= reset + Duration::from_secs(31), "{until} for {reset}");
    let mut second = night.start(["local-run", "second.yaml"]);
    for run in [&first, &second] {
        wait_for("a run to say that it waits", || run.said().contains("limit (five_hour)"));
    }
    for job in ["first", "second"] {
        let status = night.says(["status", job]);
        assert!(status.contains("waiting   limit (five_hour)") && status.contains("until"), "{status}");
    }
    let list = night.says(["credential", "list"]);
    assert!(list.contains("closed until") && list.contains("limit (five_hour)"), "{list}");
    assert_eq!(log.lock().unwrap().len(), 3, "nothing is asked before the reset");

    clock.set_to(until);
    assert!(first.end().success(), "{}", first.said());
    assert!(second.end().success(), "{}", second.said());
    let log = log.lock().unwrap();
    assert_eq!(
        asked_of(&log, "first, batch 1"),
        [(1, true), (2, true), (3, false), (3, true), (4, true), (5, true)],
        "the same session goes on where it was"
    );
    assert_eq!(asked_of(&log, "second, batch 1"), [1, 2, 3, 4, 5].map(|turn| (turn, true)));
    assert_eq!(night.gate()["state"]["type"], "Open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttle_of_two_seconds_is_waited_for_by_the_tool_alone() {
    let slow = Reply::error(429, "rate_limit_error", "slow down").header("retry-after", 2);
    let api = FakeApi::playing([slow, Reply::text("done")]).await;
    let night = Night::falls(Wallet::Key).asking(&api);
    night.claude_job("throttled", 2, 1, NO_TRIES);
    // Nobody sets the clock: whatever waits longer than the test has patience fails it.
    let mut run = night.start(["local-run", "throttled.yaml"]);
    assert!(run.end().success(), "{}", run.said());
    assert_eq!(api.requests().len(), 3);
    assert_eq!(night.started("throttled"), 2);
    assert_eq!(night.gate()["waits"], 0);
}

/// A minute of it passes in earnest: Claude Code waits by itself for what is shorter than that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttles_of_a_minute_and_of_an_hour_close_the_gate_for_no_hour_and_are_not_counted() {
    let throttle =
        |seconds| Reply::error(429, "rate_limit_error", "slow down").header("retry-after", seconds);
    let api = FakeApi::playing([throttle(59), throttle(3600), Reply::text("done")]).await;
    let night = Night::falls(Wallet::Key).asking(&api);
    night.claude_job("throttled", 1, 1, NO_TRIES);
    let before = night.clock.now();
    let mut run = night.start(["local-run", "throttled.yaml"]);
    wait_for("the throttle", || night.closed_until().is_some());
    let status = night.says(["status", "throttled"]);
    assert!(status.contains("asks for fewer requests (429)") && status.contains("until"), "{status}");
    assert!(night.pass(&mut run).success(), "{}", run.said());
    assert_eq!((api.requests().len(), night.started("throttled")), (3, 2));
    let passed = night.clock.passed(before);
    assert!(passed < 1800, "a minute, then half a one, not an hour: {passed} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overload_is_sat_out_by_the_tool_while_nothing_else_starts() {
    let night = Night::falls(Wallet::Key);
    let (clock, over) = (night.clock.clone(), night.clock.in_seconds(600));
    let api =
        FakeApi::start(move |_| if clock.now() < over { overloaded() } else { Reply::text("done") }).await;
    let night = night.asking(&api);
    night.claude_job("overloaded", 4, 2, NO_TRIES);
    let mut run = night.start(["local-run", "overloaded.yaml"]);
    wait_for("the overload", || night.closed_until().is_some());
    let status = night.says(["status", "overloaded"]);
    assert!(status.contains("the service is overloaded (529)"), "{status}");
    assert!(night.started("overloaded") <= 2, "those in flight ask again by themselves");
    night.clock.set_to(over);
    assert!(night.pass(&mut run).success(), "{}", run.said());
    assert_eq!(api.billed().input_tokens, 4000, "four answers are paid");
    assert_eq!(night.started("overloaded"), 4);
}

/// Claude Code gives up after three minutes by itself; here it asks once more, so that they pass in a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_minutes_of_overload_cost_no_try_and_nothing() {
    let night = Night::falls(Wallet::Key);
    let (clock, over) = (night.clock.clone(), night.clock.in_seconds(600));
    let api =
        FakeApi::start(move |_| if clock.now() < over { overloaded() } else { Reply::text("done") }).await;
    let mut night = night.asking(&api);
    night.retries = Some(1);
    night.claude_job("overloaded", 1, 1, NO_TRIES);
    let mut run = night.start(["local-run", "overloaded.yaml"]);
    wait_for("the overload", || night.closed_until().is_some());
    let status = night.says(["status", "overloaded"]);
    assert!(status.contains("waiting") && status.contains("verload"), "{status}");
    assert!(night.pass(&mut run).success(), "{}", run.said());
    assert_eq!(api.billed().input_tokens, 1000, "one answer is paid");
    // After 30 s, 1 min, 2 min, 4 min, 8 min.
    let started = night.started("overloaded");
    assert!((2..=6).contains(&started), "{started}");
}

/// An address where nobody listens yet: connections to it are refused.
fn nowhere() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_gone_is_asked_by_one_session_until_it_is_back() {
    let (socket, url) = nowhere();
    let night = Night::falls(Wallet::Key).asking_at(url);
    night.claude_job("away", 3, 1, NO_TRIES);
    let mut run = night.start(["local-run", "away.yaml"]);
    wait_for("the first refusal", || night.closed_until().is_some());
    let status = night.says(["status", "away"]);
    assert!(status.contains("the service cannot be reached") && status.contains("until"), "{status}");
    night.clock.set_to(night.clock.in_seconds(1200));
    let api = FakeApi::start_on(socket.listen(64).unwrap(), |_| Reply::text("done"));
    assert!(night.pass(&mut run).success(), "{}", run.said());
    assert_eq!((api.billed().input_tokens, night.started("away")), (3000, 3));
}

/// Claude Code gives up after three minutes by itself; here it asks once more, so that they pass in a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_gone_for_twenty_minutes_costs_no_try() {
    let (socket, url) = nowhere();
    let mut night = Night::falls(Wallet::Key).asking_at(url);
    night.retries = Some(1);
    night.claude_job("away", 1, 1, NO_TRIES);
    let back = night.clock.in_seconds(1200);
    let mut run = night.start(["local-run", "away.yaml"]);
    wait_for("the first refusal", || night.closed_until().is_some());
    wait_for("the end of the first attempt", || night.says(["status", "away"]).contains("onnection refused"));
    wait_for("twenty minutes", || {
        if let Some(until) = night.closed_until() {
            night.clock.set_to(until);
        }
        assert!(run.ended().is_none(), "{}", run.said());
        night.clock.now() >= back
    });
    let api = FakeApi::start_on(socket.listen(64).unwrap(), |_| Reply::text("done"));
    assert!(night.pass(&mut run).success(), "{}", run.said());
    assert_eq!(api.billed().input_tokens, 1000);
}

/// The service refuses those that come in a crowd, for a moment; this one refuses for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_may_not_is_a_crowd_three_times_and_then_ends_the_run() {
    let api = FakeApi::playing([Reply::error(403, "permission_error", "Request not allowed")]).await;
    let night = Night::falls(Wallet::Key).asking(&api);
    night.claude_job("crowd", 1, 1, NO_TRIES);
    let mut run = night.start(["local-run", "crowd.yaml"]);
    assert_eq!(night.pass(&mut run).code(), Some(1), "{}", run.said());
    assert_eq!(night.started("crowd"), 4);
    assert!(run.said().contains("Forbidden"), "{}", run.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_forty_batches_under_limits_and_overload_each_is_paid_once_and_started_once_for_each_limit() {
    let night = Night::falls(Wallet::Login);
    let (clock, log) = (night.clock.clone(), Arc::<Mutex<Vec<Asked>>>::default());
    let reset = Mutex::new(Timestamp::UNIX_EPOCH);
    let api = FakeApi::start({
        let log = Arc::clone(&log);
        move |request| {
            let mut reset = reset.lock().unwrap();
            if request.number.is_multiple_of(15) {
                *reset = clock.in_seconds(3600);
            }
            // Whoever asks before the reset is refused as well.
            let reply = if clock.now() < *reset {
                rejected(*reset)
            } else if request.number.is_multiple_of(11) {
                overloaded()
            } else {
                Reply::text("done")
            };
            let answered = reply.is_answer();
            log.lock().unwrap().push(Asked { batch: batch_of(request), turn: 1, answered });
            reply
        }
    })
    .await;
    let night = night.asking(&api);
    night.claude_job("forty", 40, 4, NO_TRIES);
    let mut run = night.start(["local-run", "forty.yaml"]);
    assert!(night.pass(&mut run).success(), "{}", run.said());

    let paid: BTreeMap<String, usize> = paid(&log.lock().unwrap());
    assert!(paid.len() == 40 && paid.values().all(|times| *times == 1), "{paid:?}");
    // The tool asks again by itself after a 529; a limit ends its session, and one start more goes on with it.
    let limits = run.said().matches("LimitReached (limit)").count();
    let started = night.started("forty");
    assert!(limits >= 2 && started == 40 + limits, "{started} starts, {limits} limits");
}
