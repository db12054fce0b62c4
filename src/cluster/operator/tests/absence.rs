//! Before a Pod is made: nothing that nobody expects is left, and what the ledger expects is really to be made.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{JOB, UID, job, once_each, pods, slowly, status, until, until_clean, until_phase, well};
use crate::cluster::testing::{ApiServer, Kubelet, Operator};

/// The Pod of an attempt, as an operator makes it.
fn pod(run: u32, batch: u32, ordinal: u32) -> (String, Value) {
    let name = format!("night-0aaa1-r{run}-b{batch}-a{ordinal}");
    let labels = json!({
        "mozart.dev/job-uid": UID, "mozart.dev/job": "night", "mozart.dev/run": run.to_string(),
        "mozart.dev/batch": batch.to_string(), "mozart.dev/attempt": ordinal.to_string(),
    });
    let owner = json!({"apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "name": "night", "uid": UID,
        "controller": true});
    let object = json!({
        "metadata": {"name": name, "namespace": "team", "uid": "11aa106e-4028-45b3-b750-789be3b4220c",
            "labels": labels, "ownerReferences": [owner], "finalizers": ["mozart.dev/result"]},
        "spec": {"containers": [{"name": "attempt"}]},
    });
    (format!("/api/v1/namespaces/team/pods/{name}"), object)
}

/// C5.
#[tokio::test(start_paused = true)]
async fn a_pod_that_no_ledger_expects_is_ended_and_counted_before_another_is_made() {
    for (run, batch, ordinal) in [(1, 3, 9), (7, 3, 1)] {
        let server = ApiServer::default();
        server.put(JOB, job(4, 2));
        let (path, unexpected) = pod(run, batch, ordinal);
        server.put(&path, unexpected);
        let operator = Operator::start(&server);
        operator.wire.hold(Some(|asked| asked.method == Method::DELETE));
        until(&server, "a claim", |server| !status(server)["checkpoint"]["claimed"].is_null()).await;
        // Less than a write may take.
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(pods(&server).len(), 1, "no other is made");
        operator.wire.hold(None);
        let _kubelet = Kubelet::start(&server, well);
        until_phase(&server, "Complete").await;
        assert!(server.get(&path).is_none());
        assert_eq!(operator.telemetry.pods.unexpected.get(), 1);
    }
}

/// C5, Argo #14833: two processes both hold that they lead, and one has slept over what the other did. When it lists its
/// Pods anew the run is over, or goes on.
#[tokio::test(start_paused = true)]
async fn who_goes_by_an_old_ledger_neither_makes_a_pod_again_nor_ends_one() {
    for batches in [30, 150] {
        let server = ApiServer::default();
        let kubelet = Kubelet::start(&server, slowly);
        server.put(JOB, job(batches, 3));
        let asleep = Operator::named(&server, "asleep", |settings| settings.lease.name = "asleep".to_owned());
        until(&server, "the first Pods", |server| pods(server).len() == 3).await;
        asleep.wire.freeze(true);
        let _awake = Operator::start(&server);
        tokio::time::sleep(Duration::from_mins(6)).await;
        assert_eq!(status(&server)["phase"], if batches == 30 { "Complete" } else { "Running" });
        assert_eq!(asleep.telemetry.pods.unexpected.get(), 0);
        drop(asleep);
        until_phase(&server, "Complete").await;
        until_clean(&server).await;
        once_each(&kubelet, batches);
    }
}
