//! An operator that is asked to end.

use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::{JOB, job, once_each, pods, status, until, until_phase, until_running, well};
use crate::cluster::testing::{ApiServer, Kubelet, Operator, Played};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/mozart/leases/mozart";
const LATE: &str = "/apis/mozart.dev/v1alpha1/namespaces/team/mozartjobs/late";
const LATE_UID: &str = "1aaa106e-4028-45b3-b750-789be3b4220b";

/// A batch ends every 300 ms from the tenth second on.
fn one_after_the_other(batch: u32, ordinal: u32) -> Played {
    Played { takes: Duration::from_millis(10_000 + 300 * u64::from(batch)), ..well(batch, ordinal) }
}

fn ended(server: &ApiServer) -> usize {
    pods(server).iter().filter(|pod| pod["status"]["phase"] == "Succeeded").count()
}

///
#[tokio::test(start_paused = true)]
async fn an_operator_that_is_asked_to_end_saves_what_it_knows_starts_nothing_and_hands_over() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, one_after_the_other);
    server.put(JOB, job(20, 6));
    let operator = Operator::start(&server);
    until_running(&server, 6).await;
    until(&server, "the first end to be saved", |server| status(server)["checkpoint"]["succeeded"] == "1")
        .await;
    // Its next save waits, with what ends meanwhile.
    operator.wire.hold(Some(|asked| asked.path.ends_with("/status")));
    until(&server, "another end", |server| ended(server) > 0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (wire, asked) = (operator.wire.clone(), Instant::now());
    let stopped = tokio::spawn(operator.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut late = job(1, 1);
    (late["metadata"]["name"], late["metadata"]["uid"]) = ("late".into(), LATE_UID.into());
    server.put(LATE, late);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    wire.hold(None);
    stopped.await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let succeeded = status(&server)["batches"]["succeeded"].as_u64().unwrap();
    assert!(succeeded > 1, "{succeeded}");
    let made = |write: &&crate::cluster::testing::Write| {
        write.method == Method::POST && write.path.ends_with("/pods") && write.at > asked
    };
    assert_eq!(server.writes().iter().filter(made).count(), 0);
    assert!(server.get(LATE).unwrap()["status"].is_null(), "no run is begun");
    server.vanish(LATE);
    let holder = &server.get(LEASE).unwrap()["spec"]["holderIdentity"];
    assert!(holder.is_null(), "{holder}");
    let _next = Operator::named(&server, "next", |_| {});
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 20);
}
