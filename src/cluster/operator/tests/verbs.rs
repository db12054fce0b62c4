//! What people ask of a job, and what is wrong with one.

use std::time::Duration;

use serde_json::json;

use super::{
    JOB, condition, failed, job, once_each, pods, slowly, status, until, until_clean, until_phase,
    until_running, well,
};
use crate::cluster::testing::{ApiServer, Kubelet, Operator, Played};

const PLANS: &str = "/api/v1/namespaces/team/configmaps/";

fn fails_at_batch_three(batch: u32, ordinal: u32) -> Played {
    if batch == 3 { failed("batch_fatal", &json!({})) } else { well(batch, ordinal) }
}

#[tokio::test(start_paused = true)]
async fn a_failed_batch_fails_the_run_and_a_rerun_takes_it_alone() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, fails_at_batch_three);
    server.put(JOB, job(5, 2));
    let _operator = Operator::start(&server);
    until_phase(&server, "Failed").await;
    assert_eq!(condition(&server, "Failed")["reason"], "BatchesFailed");
    assert_eq!(status(&server)["batches"]["failed"], 1);
    server.edit(JOB, |job| job["spec"]["rerun"] = json!({"id": "again"}));
    until(&server, "run 2", |server| status(server)["lastRun"]["number"] == 2).await;
    assert_eq!(status(&server)["batches"]["total"], 1);
    assert_eq!(status(&server)["batches"]["ofTotal"], 5);
    assert_eq!(status(&server)["rerunID"], "again");
    let again: Vec<u32> =
        kubelet.lives().iter().filter(|life| life.run.ends_with("/2")).map(|life| life.batch).collect();
    assert_eq!(again, [3]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_ends_and_another_run_is_not_stopped_by_it() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    let mut stopped = job(9, 3);
    stopped["spec"]["stop"] = json!({"run": 7, "mode": "Now"});
    server.put(JOB, stopped);
    let _operator = Operator::start(&server);
    until_running(&server, 3).await;
    server.edit(JOB, |job| job["spec"]["stop"] = json!({"run": 1, "mode": "Now"}));
    until_phase(&server, "Failed").await;
    assert_eq!(status(&server)["lastRun"]["reason"], "Stopped");
    until_clean(&server).await;
    assert_eq!(kubelet.lives().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_run_says_everything_that_is_wrong_and_is_not_tried_again() {
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, well);
    let mut wrong = job(3, 1);
    wrong["spec"]["prompt"]["template"] = json!("{{ itms }}");
    wrong["spec"]["validations"] = json!([{"type": "content_regex", "path": "a", "pattern": "("}]);
    server.put(JOB, wrong);
    let operator = Operator::start(&server);
    until(&server, "the condition", |server| condition(server, "Valid")["status"] == "False").await;
    let message = condition(&server, "Valid")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("regular expression"), "{message}");
    // The Event comes after the condition.
    tokio::time::sleep(Duration::from_mins(1)).await;
    let writes = operator.wire.sent();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(operator.wire.sent(), writes);
    server.edit(JOB, |job| {
        job["spec"]["prompt"]["template"] = json!("{{ start_item }}");
        job["spec"].as_object_mut().unwrap().remove("validations");
    });
    until_phase(&server, "Complete").await;
    assert_eq!(condition(&server, "Valid")["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn what_a_job_names_may_come_after_it() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    let mut early = job(1, 1);
    early["spec"]["batch"] =
        json!({"size": 1, "itemsFrom": {"configMapKeyRef": {"name": "items", "key": "list"}}});
    server.put(JOB, early);
    let _operator = Operator::start(&server);
    until(&server, "the condition", |server| {
        condition(server, "Progressing")["reason"] == "ReferenceMissing"
    })
    .await;
    assert_eq!(condition(&server, "Valid")["status"], "True", "it is not the job that is wrong");
    assert!(status(&server)["waiting"].as_str().unwrap().contains("ConfigMap items"));
    tokio::time::sleep(Duration::from_mins(10)).await;
    let items = json!({"metadata": {"name": "items", "namespace": "team"}, "data": {"list": "a\nb\nc\n"}});
    server.put("/api/v1/namespaces/team/configmaps/items", items);
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 3);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_checkpoint_is_lost_runs_only_when_it_is_asked_to() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    server.put(JOB, job(3, 3));
    let _operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
    server.edit(JOB, |job| drop(job.as_object_mut().unwrap().remove("status")));
    until(&server, "the condition", |server| condition(server, "Valid")["reason"] == "CheckpointLost").await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    once_each(&kubelet, 3);
    server.edit(JOB, |job| job["spec"]["rerun"] = json!({"id": "all"}));
    until_phase(&server, "Complete").await;
    assert_eq!(status(&server)["lastRun"]["number"], 2);
    assert_eq!(kubelet.lives().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_of_a_newer_mozart_is_left_as_it_is() {
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, well);
    let mut newer = job(3, 3);
    let checkpoint = json!({"version": 99, "seq": 5, "what": "nobody knows"});
    newer["status"] = json!({"phase": "Running", "activeRun": 1, "checkpoint": checkpoint});
    server.put(JOB, newer);
    let _operator = Operator::start(&server);
    until(&server, "the condition", |server| condition(server, "Valid")["reason"] == "NewerCheckpoint").await;
    assert_eq!(status(&server)["checkpoint"], checkpoint);
    assert!(pods(&server).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_plan_was_taken_away_ends_and_says_so() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(9, 3));
    let operator = Operator::start(&server);
    until_running(&server, 3).await;
    drop(operator);
    for plan in server.all(PLANS) {
        server.delete(&format!("{PLANS}{}", plan["metadata"]["name"].as_str().unwrap()));
    }
    let _operator = Operator::start(&server);
    until_phase(&server, "Failed").await;
    assert_eq!(status(&server)["lastRun"]["reason"], "PlanLost");
    until_clean(&server).await;
    assert_eq!(kubelet.lives().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_deleted_when_its_time_has_passed_with_all_that_is_its() {
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, well);
    let mut kept = job(2, 2);
    kept["spec"]["ttlSecondsAfterFinished"] = json!(600);
    server.put(JOB, kept);
    let _operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
    tokio::time::sleep(Duration::from_mins(9)).await;
    assert!(server.get(JOB).is_some());
    until(&server, "its end", |server| server.get(JOB).is_none()).await;
    until(&server, "nothing", |server| server.all("/api/v1/namespaces/team/").is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_for_another_operator_is_left_alone() {
    let server = ApiServer::default();
    let mut other = job(2, 2);
    other["spec"]["managedBy"] = json!("somebody/else");
    server.put(JOB, other);
    let operator = Operator::start(&server);
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(status(&server).is_null());
    assert_eq!(server.writes().iter().filter(|write| write.path.contains("mozartjobs")).count(), 0);
    drop(operator);
}

/// H21.
#[tokio::test(start_paused = true)]
async fn a_second_operator_leaves_the_jobs_of_the_first_alone() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(30, 3));
    let _one = Operator::start(&server);
    until_running(&server, 3).await;
    let second = Operator::named(&server, "second", |settings| {
        settings.lease.name = "second".to_owned();
        settings.writer = "mozart/second".to_owned();
    });
    until_phase(&server, "Complete").await;
    assert_eq!(status(&server)["checkpoint"]["writer"], "mozart/mozart");
    drop(second);
    let writes = server.writes();
    let by_second =
        writes.iter().filter(|write| write.by == "second" && write.method != http::Method::DELETE);
    let of_jobs: Vec<_> = by_second.filter(|write| !write.path.contains("/leases")).collect();
    assert!(of_jobs.is_empty(), "{of_jobs:?}");
    once_each(&kubelet, 30);
}

fn limited_once(batch: u32, ordinal: u32) -> Played {
    if (batch, ordinal) == (2, 1) {
        failed("limit", &json!({"resetsAt": "2026-01-01T03:00:00Z"}))
    } else {
        well(batch, ordinal)
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_the_job_until_its_reset_and_then_it_goes_on() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, limited_once);
    server.put(JOB, job(8, 1));
    let _operator = Operator::start(&server);
    until_phase(&server, "Waiting").await;
    assert_eq!(condition(&server, "RateLimited")["status"], "True");
    let begun = kubelet.lives().len();
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(kubelet.lives().len(), begun, "nothing starts before the reset");
    until_phase(&server, "Complete").await;
    assert_eq!(condition(&server, "RateLimited")["status"], "False");
    assert_eq!(kubelet.lives().len(), 9);
    assert_eq!(kubelet.overlap(), None);
}
