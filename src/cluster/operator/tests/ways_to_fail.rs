//! each way a Pod can fail to start or end, as it comes out of the operator.

use std::time::Duration;

use serde_json::{Value, json};

use super::{JOB, job, once_each, pods, status, until, until_phase, well};
use crate::cluster::testing::{ApiServer, Kubelet, Operator};

const POD: &str = "/api/v1/namespaces/team/pods/night-0aaa1-r1-b1-a1";

/// A job of one batch whose Pod is there, on a node and running.
async fn running(server: &ApiServer) -> Operator {
    server.put(JOB, job(1, 1));
    let operator = Operator::start(server);
    until(server, "its Pod", |server| server.get(POD).is_some()).await;
    server.edit(POD, |pod| {
        pod["spec"]["nodeName"] = json!("node");
        pod["status"] = json!({"phase": "Running", "startTime": pod["metadata"]["creationTimestamp"],
            "containerStatuses": [{"name": "attempt", "state": {"running": {}}}]});
    });
    operator
}

fn terminated(more: &Value) -> Value {
    let mut state = json!({"exitCode": 137});
    for (name, value) in more.as_object().unwrap() {
        state[name] = value.clone();
    }
    json!([{"name": "attempt", "state": {"terminated": state}}])
}

/// The reason and the class of why the batch is tried again.
fn again(server: &ApiServer) -> (String, String) {
    let open = &status(server)["checkpoint"]["open"]["1"];
    let text = |name: &str| open[name].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("cause"))
}

fn disrupted(pod: &mut Value, reason: &str) {
    pod["metadata"]["deletionTimestamp"] = pod["metadata"]["creationTimestamp"].clone();
    pod["status"]["phase"] = json!("Failed");
    pod["status"]["conditions"] = json!([{"type": "DisruptionTarget", "status": "True", "reason": reason}]);
    pod["status"]["containerStatuses"] = terminated(&json!({}));
}

/// What becomes of a Pod.
type Way = fn(&mut Value);

#[tokio::test(start_paused = true)]
async fn each_end_that_is_none_of_the_batchs_own_has_its_reason_and_its_class() {
    let ways: [(&str, &str, Way); 6] = [
        ("Evicted", "disruption", |pod| {
            pod["status"]["phase"] = json!("Failed");
            pod["status"]["reason"] = json!("Evicted");
            pod["status"]["containerStatuses"] = terminated(&json!({}));
        }),
        ("Preempted", "disruption", |pod| disrupted(pod, "PreemptionByScheduler")),
        ("NodeLost", "disruption", |pod| disrupted(pod, "DeletionByTaintManager")),
        ("PodDeleted", "disruption", |pod| {
            pod["metadata"]["deletionTimestamp"] = pod["metadata"]["creationTimestamp"].clone();
            pod["status"]["containerStatuses"] = terminated(&json!({"exitCode": 143}));
        }),
        ("OutOfMemory", "transient", |pod| {
            pod["status"]["containerStatuses"] = terminated(&json!({"reason": "OOMKilled"}));
        }),
        ("InstallFailed", "disruption", |pod| {
            pod["status"] = json!({"phase": "Failed", "initContainerStatuses": [
                {"name": "install", "state": {"terminated": {"exitCode": 1}}}]});
        }),
    ];
    for (reason, class, way) in ways {
        let server = ApiServer::default();
        let _operator = running(&server).await;
        server.edit(POD, way);
        until(&server, reason, |server| !again(server).0.is_empty()).await;
        assert_eq!(again(&server), (reason.to_owned(), class.to_owned()));
        let open = &status(&server)["checkpoint"]["open"]["1"];
        assert_eq!(open["tries"], u32::from(class == "transient"), "a disruption counts as no try: {open}");
        until(&server, "the next attempt", |server| {
            pods(server).iter().any(|pod| pod["metadata"]["labels"]["mozart.dev/attempt"] == "2")
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_which_nothing_is_heard_is_lost_a_minute_after_its_own_deadline_and_not_before() {
    let server = ApiServer::default();
    let _operator = running(&server).await;
    let deadline = server.get(POD).unwrap()["spec"]["activeDeadlineSeconds"].as_u64().unwrap();
    tokio::time::sleep(Duration::from_secs(deadline + 50)).await;
    assert_eq!(again(&server).0, "");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(again(&server), ("NodeLost".to_owned(), "disruption".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_is_waited_for_ten_minutes_and_then_ends_the_run() {
    let server = ApiServer::default();
    let _operator = running(&server).await;
    server.edit(POD, |pod| {
        pod["status"]["phase"] = json!("Pending");
        let waiting = json!({"reason": "ImagePullBackOff", "message": "no such image"});
        pod["status"]["containerStatuses"] = json!([{"name": "attempt", "state": {"waiting": waiting}}]);
    });
    until(&server, "the word", |server| says(server, "ImageNotPulled")).await;
    tokio::time::sleep(Duration::from_mins(9)).await;
    assert_eq!(status(&server)["phase"], "Running");
    until_phase(&server, "Failed").await;
    assert_eq!(status(&server)["lastRun"]["reason"], "ImageNotPulled");
}

fn says(server: &ApiServer, word: &str) -> bool {
    status(server)["waiting"].as_str().is_some_and(|waiting| waiting.contains(word))
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_no_node_takes_is_waited_for_and_said() {
    let server = ApiServer::default();
    server.put(JOB, job(1, 1));
    let _operator = Operator::start(&server);
    until(&server, "its Pod", |server| server.get(POD).is_some()).await;
    server.edit(POD, |pod| {
        pod["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes are available"}]});
    });
    until(&server, "the word", |server| says(server, "Unschedulable")).await;
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(status(&server)["phase"], "Running");
    assert_eq!(pods(&server).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_refused_is_said_tried_again_with_pauses_and_counts_nothing() {
    for (why, word) in [
        ("pods \"night\" is forbidden: exceeded quota: team, requested: pods=1", "QuotaExceeded"),
        ("pods \"night\" is forbidden: violates PodSecurity \"restricted:latest\"", "PodSecurity"),
        (
            "unable to create new content in namespace team because it is being terminated",
            "NamespaceTerminating",
        ),
    ] {
        let server = ApiServer::default();
        let kubelet = Kubelet::start(&server, well);
        server.refuse_pods(Some(why));
        server.put(JOB, job(4, 2));
        let _operator = Operator::start(&server);
        until(&server, word, |server| says(server, word) && says(server, why)).await;
        tokio::time::sleep(Duration::from_mins(10)).await;
        let tries = server.refused();
        assert!((5..20).contains(&tries.len()), "{word}: {tries:?}");
        // The first ones are on their way together.
        let pauses: Vec<Duration> = tries.windows(2).skip(1).map(|two| two[1] - two[0]).collect();
        assert!(pauses.is_sorted(), "{word}: {pauses:?}");
        assert_eq!(status(&server)["checkpoint"]["open"], Value::Null, "{word}: nothing is counted");
        server.refuse_pods(None);
        until_phase(&server, "Complete").await;
        once_each(&kubelet, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_a_slow_server_refuses_has_not_begun_and_counts_nothing() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    server.refuse_pods(Some("pods \"night\" is forbidden: exceeded quota: team, requested: pods=1"));
    server.put(JOB, job(4, 2));
    let operator = Operator::start(&server);
    // While one request to make a Pod is on its way, others are answered, and the run looks again.
    operator.wire.slow(Duration::from_secs(2));
    until(&server, "the word", |server| says(server, "QuotaExceeded")).await;
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(status(&server)["checkpoint"]["open"], Value::Null, "nothing is counted");
    server.refuse_pods(None);
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 4);
}
