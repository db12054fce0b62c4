//! the clock of the operator's machine is set while it waits. One that is set forward costs it the lease for a
//! moment, and then its runs are taken up anew.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};

use super::{JOB, failed, job, once_each, status, until_clean, until_running, until_within, well};
use crate::cluster::testing::{ApiServer, Kubelet, Operator, Played};

/// Waits no longer than any of these takes.
async fn until(server: &ApiServer, what: &str, so: impl FnMut(&ApiServer) -> bool) {
    until_within(Duration::from_mins(90), server, what, so).await;
}

async fn until_phase(server: &ApiServer, phase: &str) {
    until(server, phase, |server| status(server)["phase"] == phase).await;
}

/// Half an hour, an hour, and what a clock is set by after a boot without a battery.
const SETS: [i64; 6] = [-1800, 1800, -3600, 3600, -86_400 * 365, 86_400 * 365];

fn set(server: &ApiServer, seconds: i64) {
    server.clock().fetch_add(seconds, Ordering::Relaxed);
}

/// The first attempt at the first batch fails.
fn once(batch: u32, ordinal: u32) -> Played {
    if (batch, ordinal) == (1, 1) { failed("transient", &json!({})) } else { well(batch, ordinal) }
}

/// An attempt takes twenty minutes.
fn long(batch: u32, ordinal: u32) -> Played {
    Played { takes: Duration::from_mins(20), ..well(batch, ordinal) }
}

fn with(batches: u32, more: &Value) -> Value {
    let mut job = job(batches, batches);
    for (name, value) in more.as_object().into_iter().flatten() {
        job["spec"][name] = value.clone();
    }
    job
}

#[tokio::test(start_paused = true)]
async fn r22_a_retry_waits_as_long_as_it_would_have_however_the_clock_is_set_meanwhile() {
    for seconds in SETS {
        let server = ApiServer::default();
        let kubelet = Kubelet::start(&server, once);
        let retry = json!({"baseDelaySeconds": 600, "maxDelaySeconds": 7200, "jitter": false});
        server.put(JOB, with(1, &json!({"retry": retry})));
        let _operator = Operator::start(&server);
        until(&server, "the failure", |server| !status(server)["checkpoint"]["open"].is_null()).await;
        tokio::time::sleep(Duration::from_secs(100)).await;
        set(&server, seconds);
        until_phase(&server, "Complete").await;
        let lives = kubelet.lives();
        let waited = lives[1].from - lives[0].to.unwrap();
        assert!((600..=602).contains(&waited.as_secs()), "set by {seconds} s it waited {waited:?}");
        assert_eq!((lives.len(), kubelet.overlap()), (2, None));
    }
}

#[tokio::test(start_paused = true)]
async fn r22_a_deadline_counts_the_time_that_passed_and_not_what_the_clock_was_set_by() {
    for seconds in SETS {
        // Forty minutes of work within fifty.
        let server = ApiServer::default();
        let kubelet = Kubelet::start(&server, long);
        let mut in_time = with(2, &json!({"activeDeadlineSeconds": 3000}));
        in_time["spec"]["batch"]["parallelism"] = 1.into();
        server.put(JOB, in_time);
        let _operator = Operator::start(&server);
        until_running(&server, 1).await;
        tokio::time::sleep(Duration::from_mins(5)).await;
        set(&server, seconds);
        until_phase(&server, "Complete").await;
        until_clean(&server).await;
        once_each(&kubelet, 2);

        // The same work within ten minutes.
        let server = ApiServer::default();
        let _kubelet = Kubelet::start(&server, long);
        server.put(JOB, with(1, &json!({"activeDeadlineSeconds": 600})));
        let _operator = Operator::start(&server);
        until_running(&server, 1).await;
        let began = tokio::time::Instant::now();
        tokio::time::sleep(Duration::from_mins(5)).await;
        set(&server, seconds);
        until_phase(&server, "Failed").await;
        assert_eq!(status(&server)["lastRun"]["reason"], "DeadlineExceeded");
        // Looked at once a minute.
        let took = began.elapsed().as_secs();
        assert!((590..=670).contains(&took), "set by {seconds} s it ended after {took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn r22_a_clock_that_is_set_again_and_again_starts_no_batch_twice() {
    for seed in 0..3 {
        let server = ApiServer::default();
        let kubelet = Kubelet::start(&server, well);
        server.put(JOB, job(40, 3));
        let operator = Operator::start(&server);
        let mut chance = fastrand::Rng::with_seed(seed);
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(chance.u64(100..3000))).await;
            set(&server, chance.i64(-3600..3600));
        }
        until_phase(&server, "Complete").await;
        until_clean(&server).await;
        once_each(&kubelet, 40);
        let status = status(&server);
        assert!(!status["duration"].to_string().contains('-'), "{status}");
        drop(operator);
    }
}
