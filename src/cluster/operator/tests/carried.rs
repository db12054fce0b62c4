//! Webhooks that carry the answer of a batch, in real time.

use serde_json::{Value, json};

use super::{
    JOB,
    archive::operator,
    in_process::{put_all, until_phase},
    job,
    notices::{Receiver, Told},
    well,
};
use crate::cluster::testing::{
    ApiServer, Kubelet, Operator,
    fake_api::{FakeApi, Reply},
};

fn hook(receiver: &Receiver) -> Value {
    json!([{"type": "webhook", "url": receiver.url("/hook"), "onEvents": ["batch_complete", "job_complete"],
        "includeOutput": true}])
}

/// What was told of each batch, by number: the answer, and whether there is more of it.
async fn carried(receiver: &Receiver, batches: usize) -> Vec<(Option<String>, bool)> {
    let told = tokio::time::timeout(std::time::Duration::from_mins(1), async {
        loop {
            let told: Vec<Value> = receiver.told("/hook").iter().map(Told::json).collect();
            if told.iter().filter(|body| body["event"] == "batch_complete").count() == batches {
                return told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let mut told = told.await.expect("every batch is told of");
    assert!(told.iter().all(|body| body["event"] == "batch_complete" || body["output"].is_null()));
    told.retain(|body| body["event"] == "batch_complete");
    told.sort_by_key(|body| body["batch"]["number"].as_u64());
    told.iter()
        .map(|body| (body["output"].as_str().map(str::to_owned), body["outputTruncated"] == true))
        .collect()
}

#[tokio::test]
async fn a_webhook_carries_the_answers_of_batches_in_process_wherever_they_are_kept() {
    for store in ["ConfigMaps", "Operator"] {
        let api = FakeApi::start(|request| {
            let said = request.said();
            Reply::text(&if said.contains("do 2") { "é".repeat(200_000) } else { format!("heard {said}") })
        })
        .await;
        let (server, receiver, folder) =
            (ApiServer::default(), Receiver::start().await, tempfile::tempdir().unwrap());
        put_all(&server, api.url(), 3, 1);
        server.edit(JOB, |job| {
            job["spec"]["output"] = json!({"store": store});
            job["spec"]["notifications"] = hook(&receiver);
        });
        let (_operator, _archive) = operator(&server, folder.path()).await;
        until_phase(&server, "Complete").await;
        let carried = carried(&receiver, 3).await;
        assert!(
            carried[0].0.as_ref().is_some_and(|answer| answer.starts_with("heard")),
            "{store}: {carried:?}"
        );
        let (long, truncated) = &carried[1];
        assert_eq!((long.as_ref().map(String::len), *truncated), (Some(256 << 10), true), "{store}");
        assert!(!carried[2].1);
    }
}

#[tokio::test]
async fn a_webhook_carries_what_pods_answered_once_their_logs_are_copied() {
    let (server, receiver, folder) =
        (ApiServer::default(), Receiver::start().await, tempfile::tempdir().unwrap());
    let pod = "/api/v1/namespaces/team/pods/night-0aaa1-r1-b1-a1";
    server.say(pod, "o 2026-01-01T00:00:00.000Z an answer");
    let mut night = job(2, 2);
    night["spec"]["notifications"] = hook(&receiver);
    server.put(JOB, night);
    let _kubelet = Kubelet::start(&server, well);
    let (_operator, _archive): (Operator, _) = operator(&server, folder.path()).await;
    until_phase(&server, "Complete").await;
    let carried = carried(&receiver, 2).await;
    assert_eq!(carried, [(Some("an answer\n".to_owned()), false), (None, false)]);
}
