//! A spec that is edited while a run is active, and cannot be.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{JOB, condition, job, once_each, slowly, status, until, until_phase, until_running};
use crate::cluster::testing::{ApiServer, Kubelet, Operator};

#[tokio::test(start_paused = true)]
async fn an_edit_that_cannot_be_is_told_of_and_the_run_goes_on_with_what_else_was_edited() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(12, 2));
    let _operator = Operator::start(&server);
    until_running(&server, 2).await;
    server.edit(JOB, |job| {
        job["spec"]["batch"]["parallelism"] = json!(4);
        job["spec"]["retry"] = json!({"maxRetries": 1});
        job["spec"]["rateLimit"] = json!({"patterns": ["("]});
    });
    until_running(&server, 4).await;
    until(&server, "the condition", |server| condition(server, "Valid")["status"] == "False").await;
    assert_eq!(condition(&server, "Valid")["reason"], "InvalidSpec");
    let message = condition(&server, "Valid")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("regular expression"), "{message}");
    assert_eq!(condition(&server, "Progressing")["status"], "True");
    server.edit(JOB, |job| job["spec"]["rateLimit"] = json!({"patterns": ["slow down"]}));
    until(&server, "the condition", |server| condition(server, "Valid")["status"] == "True").await;
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 12);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_on_its_way_when_the_job_is_edited_is_waited_for() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(4, 2));
    let operator = Operator::start(&server);
    operator.wire.hold(Some(|asked| asked.method == Method::POST && asked.path.ends_with("/pods")));
    until(&server, "the saved claim", |server| !status(server)["checkpoint"]["claimed"].is_null()).await;
    server.edit(JOB, |job| job["spec"]["batch"]["parallelism"] = json!(3));
    // With what went before less than a write may take.
    tokio::time::sleep(Duration::from_secs(1)).await;
    operator.wire.hold(None);
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 4);
}

/// H1.
#[tokio::test(start_paused = true)]
async fn a_batch_of_the_api_is_refused_in_a_pod_which_would_take_its_answer_with_it() {
    let server = ApiServer::default();
    let mut api = job(2, 1);
    api["spec"]["backend"] = json!({"type": "anthropic_api", "model": "claude-opus-5-5"});
    api["spec"]["execution"] = json!("Pod");
    server.put(JOB, api);
    let _operator = Operator::start(&server);
    until(&server, "the condition", |server| condition(server, "Valid")["status"] == "False").await;
    assert_eq!(condition(&server, "Valid")["reason"], "NoOutputStore");
    let message = condition(&server, "Valid")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("would be lost with their Pods"), "{message}");
}
