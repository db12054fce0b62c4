//! another version of the operator, or of the definitions, in the middle of a run.

use std::time::Duration;

use serde_json::{Value, json};

use super::{JOB, condition, job, once_each, pods, slowly, status, until, until_phase, until_running, well};
use crate::{
    cluster::testing::{ApiServer, Kubelet, Operator},
    launch::pod::Images,
};

fn version(server: &ApiServer, identity: &str, version: u32) -> Operator {
    Operator::named(server, identity, |settings| {
        settings.images =
            Images { mozart: format!("mozart:{version}"), batch: Some(format!("batch:{version}")) };
    })
}

fn succeeded(server: &ApiServer) -> u64 {
    status(server)["batches"]["succeeded"].as_u64().unwrap_or(0)
}

/// The images of the Pods that there are.
fn images(server: &ApiServer) -> Vec<String> {
    let image = |pod: &Value| pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned();
    pods(server).iter().map(image).collect()
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_and_the_way_back_in_the_middle_of_a_run_repeat_nothing() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(24, 4));
    let mut seen = Vec::new();
    for (turn, number) in [1, 2, 1].into_iter().enumerate() {
        let operator = version(&server, &format!("pod-{turn}"), number);
        let wanted = succeeded(&server) + 6;
        until(&server, "six more batches", |server| {
            seen.extend(images(server));
            succeeded(server) >= wanted
        })
        .await;
        operator.stop().await;
        // What one version says beside what the other knows.
        server.edit(JOB, |job| {
            job["status"]["tomorrow"] = json!({"of": number});
            job["status"]["checkpoint"]["tomorrow"] = json!([number]);
        });
    }
    let _operator = version(&server, "pod-3", 2);
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 24);
    for image in ["batch:1", "batch:2"] {
        assert!(seen.iter().any(|seen| seen == image), "{image} is not among {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_newer_operator_has_saved_waits_untouched_until_that_one_is_back() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(9, 3));
    let newer = version(&server, "newer", 2);
    until_running(&server, 3).await;
    newer.stop().await;
    let format = status(&server)["checkpoint"]["version"].clone();
    server.edit(JOB, |job| job["status"]["checkpoint"]["version"] = json!(99));
    let before = (status(&server)["checkpoint"].clone(), pods(&server).len());
    let older = version(&server, "older", 1);
    until(&server, "the condition", |server| condition(server, "Valid")["reason"] == "NewerCheckpoint").await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!((status(&server)["checkpoint"].clone(), pods(&server).len()), before);
    let message = condition(&server, "Valid")["message"].to_string();
    assert!(message.contains("use a newer Mozart"), "{message}");
    older.stop().await;
    server.edit(JOB, |job| job["status"]["checkpoint"]["version"] = format);
    let _newer = version(&server, "newer", 2);
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 9);
}

#[tokio::test(start_paused = true)]
async fn an_older_definition_that_cuts_away_what_it_does_not_know_stops_nothing() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    // As if all of these had come with this version. The checkpoint is kept whole by every definition.
    server.cuts(&[
        "/status/waiting",
        "/status/usage",
        "/status/duration",
        "/status/tokens",
        "/status/progress",
    ]);
    server.put(JOB, job(12, 3));
    let operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 12);
    until(&server, "no Pods", |server| pods(server).is_empty()).await;
    assert!(status(&server).get("progress").is_none());
    tokio::time::sleep(Duration::from_mins(2)).await;
    let before = operator.wire.sent();
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(operator.wire.sent(), before, "what is cut away is not written again and again");
}

#[tokio::test(start_paused = true)]
async fn a_field_of_a_newer_definition_is_refused_by_name_before_anything_starts() {
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, well);
    let mut newer = job(3, 3);
    newer["spec"]["tomorrow"] = json!({"do": "what nobody knows today"});
    server.put(JOB, newer);
    let operator = Operator::start(&server);
    until(&server, "the condition", |server| condition(server, "Valid")["status"] == "False").await;
    let condition = condition(&server, "Valid");
    assert_eq!(condition["reason"], "InvalidSpec");
    assert!(condition["message"].to_string().contains("tomorrow"), "{condition}");
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(pods(&server).is_empty());
    assert!(status(&server)["checkpoint"].is_null());
    operator.stop().await;
    server.edit(JOB, |job| drop(job["spec"].as_object_mut().unwrap().remove("tomorrow")));
    let _operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
}
