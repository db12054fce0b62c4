use std::time::Duration;

use serde_json::json;

use super::{JOB, UID, condition, job, pods, slowly, status, until, until_phase, well};
use crate::cluster::testing::{ApiServer, Kubelet, Lived, Operator};

#[tokio::test(start_paused = true)]
async fn a_job_that_is_applied_runs_to_its_end_and_leaves_nothing() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    server.put(JOB, job(12, 4));
    let operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
    assert_eq!(status(&server)["progress"], "12/12");
    assert_eq!(condition(&server, "Complete")["status"], "True");
    until(&server, "no Pods", |server| pods(server).is_empty()).await;
    assert_eq!(kubelet.lives().len(), 12);
    assert_eq!(kubelet.overlap(), None);
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn more_released_pods_than_can_be_deleted_in_one_request_are_deleted_in_several() {
    let server = ApiServer::default();
    server.deletes_together(200);
    for left in 0..450 {
        let name = format!("left-{left}");
        let metadata = json!({"name": name, "namespace": "team", "labels": {"mozart.dev/released": "true"},
            "annotations": {"as-long-as": "a".repeat(512)}});
        server.put(&format!("/api/v1/namespaces/team/pods/{name}"), json!({"metadata": metadata}));
    }
    let _kubelet = Kubelet::start(&server, well);
    server.put(JOB, job(1, 1));
    let _operator = Operator::start(&server);
    until(&server, "no Pods", |server| pods(server).is_empty()).await;
    until_phase(&server, "Complete").await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_over_costs_nothing() {
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, well);
    server.put(JOB, job(2, 1));
    let operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let before = operator.wire.sent();
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(operator.wire.sent(), before, "no writes but the lease's");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_job_does_not_begin_and_goes_on_when_it_may() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    let mut suspended = job(6, 2);
    suspended["spec"]["suspend"] = json!(true);
    server.put(JOB, suspended);
    let _operator = Operator::start(&server);
    until_phase(&server, "Suspended").await;
    assert!(status(&server)["activeRun"].is_null(), "nothing is pinned yet");
    server.edit(JOB, |job| job["spec"]["suspend"] = json!(false));
    until(&server, "a batch", |server| !pods(server).is_empty()).await;
    server.edit(JOB, |job| job["spec"]["suspend"] = json!(true));
    until_phase(&server, "Suspended").await;
    until(&server, "no Pods", |server| pods(server).is_empty()).await;
    let begun = kubelet.lives().len();
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(kubelet.lives().len(), begun);
    assert!(begun < 6);
    server.edit(JOB, |job| job["spec"]["suspend"] = json!(false));
    until_phase(&server, "Complete").await;
    assert_eq!(kubelet.lives().len(), 6);
}

/// H5.
#[tokio::test(start_paused = true)]
async fn jobs_that_work_in_one_folder_run_one_after_the_other() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(
        "/api/v1/namespaces/team/persistentvolumeclaims/shared",
        json!({"metadata": {"name": "shared", "namespace": "team"}, "spec": {"accessModes": ["ReadWriteMany"]}}),
    );
    let other = JOB.replace("night", "other");
    for (path, name, uid) in [(JOB, "night", UID), (&other, "other", "1aaa106e-4028-45b3-b750-789be3b4220b")]
    {
        let mut one = job(2, 2);
        (one["metadata"]["name"], one["metadata"]["uid"]) = (name.into(), uid.into());
        one["spec"]["workspace"] = json!({"persistentVolumeClaim": {"claimName": "shared"}});
        server.put(path, one);
    }
    let _operator = Operator::start(&server);
    let complete = |path: &str| server.get(path).is_some_and(|job| job["status"]["phase"] == "Complete");
    until(&server, "both ends", |_| complete(JOB) && complete(&other)).await;
    let lives = kubelet.lives();
    assert_eq!(lives.len(), 4);
    let beside = |one: &Lived, two: &Lived| {
        one.run != two.run && one.from < two.to.unwrap() && two.from < one.to.unwrap()
    };
    assert!(!lives.iter().any(|one| lives.iter().any(|two| beside(one, two))), "{lives:?}");
}
