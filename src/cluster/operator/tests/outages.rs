//! An API server that forgets, goes away and comes back.

use std::time::Duration;

use super::{JOB, job, once_each, slowly, status, until_clean, until_phase, until_running, well};
use crate::cluster::testing::{ApiServer, Kubelet, Operator};

///
#[tokio::test(start_paused = true)]
async fn a_server_that_has_forgotten_what_was_watched_is_listed_anew_and_nothing_starts_twice() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(60, 3));
    let operator = Operator::start(&server);
    for _ in 0..3 {
        until_running(&server, 3).await;
        operator.wire.freeze(true);
        tokio::time::sleep(Duration::from_secs(12)).await;
        server.expire();
        operator.wire.freeze(false);
        let before = kubelet.lives().len();
        // Half a minute is what it may take to go on.
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(kubelet.lives().len() > before || status(&server)["phase"] == "Complete");
    }
    until_phase(&server, "Complete").await;
    until_clean(&server).await;
    once_each(&kubelet, 60);
}

///
#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_again_and_again_costs_no_batch_a_second_start() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    server.put(JOB, job(200, 3));
    let operator = Operator::start(&server);
    let mut chance = fastrand::Rng::with_seed(9);
    for outage in 0..20 {
        tokio::time::sleep(Duration::from_millis(chance.u64(500..4000))).await;
        // Every fifth is long, and its requests are not even refused.
        if outage % 5 == 4 {
            operator.wire.cut(true);
            tokio::time::sleep(Duration::from_mins(1)).await;
            operator.wire.cut(false);
        } else {
            operator.wire.down(true);
            tokio::time::sleep(Duration::from_millis(chance.u64(100..20_000))).await;
            operator.wire.down(false);
        }
    }
    until_phase(&server, "Complete").await;
    until_clean(&server).await;
    once_each(&kubelet, 200);
}
