//! Deaths of the operator at every one of its writes.

use std::{future::Future, time::Duration};

use serde_json::Value;

use super::{JOB, job, once_each, pods, slowly, status, until, until_clean, until_phase, well};
use crate::cluster::testing::{ApiServer, Kubelet, Operator, wire::Death};

/// Runs a job of 12 batches through `death` of the operator and a new one; the status at its end, and how many writes
/// the first operator made.
async fn run_through(death: Option<Death>) -> (Value, u32) {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    server.put(JOB, job(12, 4));
    let operator = Operator::start(&server);
    let sent = if let Some(death) = death {
        operator.wire.die(death);
        operator.wire.died().await;
        let sent = operator.wire.sent();
        drop(operator);
        let _operator = Operator::start(&server);
        finish(&server).await;
        sent
    } else {
        finish(&server).await;
        operator.wire.sent()
    };
    once_each(&kubelet, 12);
    (status(&server), sent)
}

async fn finish(server: &ApiServer) {
    until_phase(server, "Complete").await;
    until_clean(server).await;
}

/// Without what tells when.
fn timeless(mut status: Value) -> Value {
    let drop_from = |value: &mut Value, names: &[&str]| {
        for name in names {
            value.as_object_mut().unwrap().remove(*name);
        }
    };
    drop_from(&mut status, &["startTime", "completionTime", "duration"]);
    drop_from(&mut status["checkpoint"], &["started", "ended", "renewed", "seq", "workedMs", "suspendedMs"]);
    for condition in status["conditions"].as_array_mut().unwrap() {
        drop_from(condition, &["lastTransitionTime"]);
    }
    status
}

///
#[test]
fn a_death_before_or_after_any_write_starts_no_batch_twice_and_ends_the_same() {
    let mut fault_free = None;
    in_paused_time(async { fault_free = Some(run_through(None).await) });
    let (wanted, writes) = fault_free.unwrap();
    assert!(writes > 24, "12 Pods are made and released: {writes}");
    for number in 1..=writes {
        for death in [Death::Before(number), Death::After(number)] {
            in_paused_time(async {
                let run = tokio::time::timeout(Duration::from_hours(3), run_through(Some(death)));
                let (status, _) = run.await.unwrap_or_else(|_| panic!("{death:?}: it does not end"));
                assert_eq!(timeless(status), timeless(wanted.clone()), "{death:?}");
            });
        }
    }
}

///
#[test]
fn an_operator_that_is_killed_again_and_again_does_every_batch_once() {
    for seed in 0..5 {
        in_paused_time(async {
            let mut chance = fastrand::Rng::with_seed(seed);
            let server = ApiServer::default();
            let kubelet = Kubelet::start(&server, well);
            server.put(JOB, job(60, 5));
            let mut kills = 0;
            while status(&server)["phase"] != "Complete" {
                let operator = Operator::start(&server);
                tokio::time::sleep(Duration::from_millis(chance.u64(200..3000))).await;
                drop(operator);
                kills += 1;
                assert!(kills < 200, "seed {seed}: it goes on");
            }
            let _operator = Operator::start(&server);
            until_clean(&server).await;
            once_each(&kubelet, 60);
        });
    }
}

///
#[tokio::test(start_paused = true)]
async fn results_of_pods_that_end_while_no_operator_runs_are_all_counted() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(20, 20));
    let operator = Operator::start(&server);
    until(&server, "all Pods", |server| pods(server).len() == 20).await;
    drop(operator);
    tokio::time::sleep(Duration::from_mins(10)).await;
    let _operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
    until_clean(&server).await;
    assert_eq!(status(&server)["usage"]["outputTokens"], 40);
    once_each(&kubelet, 20);
}

pub(super) fn in_paused_time(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test);
}
