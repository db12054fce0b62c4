//! Statuses as kubelet, scheduler and controllers write them.
#![expect(clippy::needless_pass_by_value, reason = "the tables read better without references")]

use serde_json::{Value, json};

use super::*;
use crate::{attempt::message, job::outcome::FailureClass::*, launch::pod::lean::LeanPod};

fn at(text: &str) -> Timestamp {
    format!("2026-11-22T{text}Z").parse().unwrap()
}

/// A Pod made at 10:00:00 that may take half an hour.
fn pod(status: Value) -> Facts {
    pod_with(json!({}), json!({"nodeName": "node"}), status)
}

fn pod_with(metadata: Value, spec: Value, status: Value) -> Facts {
    let mut pod = json!({
        "metadata": {"name": "p", "creationTimestamp": "2026-11-22T10:00:00Z"},
        "spec": {"activeDeadlineSeconds": 1800, "containers": []},
        "status": status,
    });
    for (part, more) in [("metadata", metadata), ("spec", spec)] {
        pod[part].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    let whole = Facts::of(&serde_json::from_value(pod.clone()).unwrap());
    let lean: LeanPod = serde_json::from_value(pod).unwrap();
    assert_eq!(Facts::of(&lean.0), whole, "nothing that matters is left out when a Pod is read");
    whole
}

fn deleted(status: Value) -> Facts {
    let metadata = json!({"deletionTimestamp": "2026-11-22T10:05:30Z", "deletionGracePeriodSeconds": 30});
    pod_with(metadata, json!({"nodeName": "node"}), status)
}

fn terminated(exit_code: i32, reason: &str, message: &str) -> Value {
    json!({"containerStatuses": [
        {"name": "istio-proxy", "state": {"running": {"startedAt": "2026-11-22T10:00:05Z"}}},
        {"name": "attempt", "state": {"terminated": {"exitCode": exit_code, "reason": reason, "message": message,
            "startedAt": "2026-11-22T10:00:05Z", "finishedAt": "2026-11-22T10:05:00Z"}}},
    ], "phase": "Running", "startTime": "2026-11-22T10:00:01Z"})
}

fn running() -> Value {
    json!({"phase": "Running", "startTime": "2026-11-22T10:00:01Z", "containerStatuses": [
        {"name": "attempt", "state": {"running": {"startedAt": "2026-11-22T10:00:05Z"}}}]})
}

fn waiting(container: &str, reason: &str, message: &str) -> Value {
    let statuses = json!([{"name": container, "state": {"waiting": {"reason": reason, "message": message}}}]);
    let field = if container == "install" { "initContainerStatuses" } else { "containerStatuses" };
    json!({"phase": "Pending", "startTime": "2026-11-22T10:00:01Z", field: statuses})
}

fn with(mut status: Value, more: Value) -> Value {
    status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    status
}

fn disruption(reason: &str, message: &str) -> Value {
    json!({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}]})
}

fn failure(facts: &Facts, now: &str) -> Failure {
    match facts.sight(at(now)) {
        Sight::Ended(outcome) => outcome.failure.unwrap(),
        Sight::Live { .. } => panic!("it lives: {facts:?}"),
    }
}

#[test]
fn each_way_that_a_pod_ends_without_a_result_has_its_own_word() {
    let evicted = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 20Mi.";
    let table = [
        (pod(terminated(137, "OOMKilled", "")), Transient, "OutOfMemory"),
        (pod(terminated(137, "Error", "")), Transient, "Killed"),
        (pod(terminated(0, "Completed", "")), Transient, "ResultUnreadable"),
        (pod(terminated(3, "Error", "nonsense")), Transient, "ResultUnreadable"),
        (
            pod(terminated(
                128,
                "StartError",
                "failed to create containerd task: exec: \"/mozart/bin/mozart\": no such file",
            )),
            JobFatal,
            "ContainerNotStarted",
        ),
        (pod(terminated(137, "ContainerStatusUnknown", "")), Disruption, "NodeLost"),
        (deleted(terminated(137, "Error", "")), Disruption, "PodDeleted"),
        (
            deleted(with(
                terminated(137, "Error", ""),
                disruption("PreemptionByScheduler", "preempting to accommodate"),
            )),
            Disruption,
            "Preempted",
        ),
        (
            deleted(with(terminated(143, "Error", ""), disruption("EvictionByEvictionAPI", "Eviction API"))),
            Disruption,
            "Evicted",
        ),
        (
            pod(with(
                terminated(137, "Error", ""),
                with(
                    json!({"phase": "Failed", "reason": "Evicted", "message": evicted}),
                    disruption("TerminationByKubelet", evicted),
                ),
            )),
            Disruption,
            "Evicted",
        ),
        (
            pod(with(
                terminated(143, "Error", ""),
                disruption(
                    "TerminationByKubelet",
                    "Pod was terminated in response to imminent node shutdown.",
                ),
            )),
            Disruption,
            "NodeShutdown",
        ),
        (pod(json!({"phase": "Failed", "reason": "Evicted", "message": evicted})), Disruption, "Evicted"),
        (
            deleted(with(
                with(running(), json!({"phase": "Failed"})),
                disruption("DeletionByPodGC", "PodGC: node no longer exists"),
            )),
            Disruption,
            "NodeLost",
        ),
        (
            deleted(with(
                with(running(), json!({"phase": "Failed"})),
                disruption("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
            )),
            Disruption,
            "NodeLost",
        ),
        (
            pod(
                json!({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "Allocate failed"}),
            ),
            Disruption,
            "NotAdmitted",
        ),
        (
            pod(
                json!({"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough resource"}),
            ),
            Disruption,
            "NotAdmitted",
        ),
        (
            pod(with(terminated(137, "Error", ""), json!({"phase": "Failed", "reason": "DeadlineExceeded"}))),
            Transient,
            "Timeout",
        ),
        (pod(json!({"phase": "Failed", "reason": "DeadlineExceeded"})), Disruption, "NotStarted"),
        (
            pod(waiting("attempt", "InvalidImageName", "couldn't parse image name \"A B\"")),
            JobFatal,
            "InvalidImageName",
        ),
        (
            pod(waiting("attempt", "ErrImageNeverPull", "not present with pull policy of Never")),
            JobFatal,
            "ImageNeverPulled",
        ),
        (
            pod(json!({"phase": "Failed", "initContainerStatuses": [
                {"name": "install", "state": {"terminated": {"exitCode": 2, "reason": "Error", "message": "no space"}}}]})),
            Disruption,
            "InstallFailed",
        ),
        (
            pod_with(
                json!({"deletionTimestamp": "2026-11-22T10:01:00Z"}),
                json!({}),
                json!({"phase": "Pending"}),
            ),
            Disruption,
            "PodDeleted",
        ),
    ];
    for (facts, class, reason) in table {
        let failure = failure(&facts, "10:06:00");
        assert_eq!((failure.class, failure.reason.as_str()), (class, reason), "{facts:?}");
        assert!(!failure.message.is_empty(), "{reason}");
    }
}

#[test]
fn what_cannot_run_yet_is_said_and_given_up_after_ten_minutes_only_where_waiting_is_vain() {
    for (reason, word, given_up) in [
        ("ErrImagePull", "ImageNotPulled", true),
        ("ImagePullBackOff", "ImageNotPulled", true),
        ("CreateContainerError", "ContainerNotCreated", true),
        ("CreateContainerConfigError", "ReferenceMissing", false),
    ] {
        for container in ["install", "attempt"] {
            let facts = pod(waiting(container, reason, "the words of the kubelet"));
            let Sight::Live { held: Some(held), until } = facts.sight(at("10:05:00")) else {
                panic!("{reason}")
            };
            assert_eq!((held.reason, held.message.as_str()), (word, "the words of the kubelet"));
            let last = if given_up { at("10:10:01") } else { at("10:31:01") };
            assert_eq!(until, Some(last), "{reason}");
            if given_up {
                let failure = failure(&facts, "10:10:01");
                assert_eq!((failure.class, failure.reason.as_str()), (JobFatal, word));
            } else {
                assert!(matches!(facts.sight(at("10:20:00")), Sight::Live { .. }), "{reason}");
            }
        }
    }
    for (reason, word) in [("Unschedulable", "Unschedulable"), ("SchedulingGated", "SchedulingGated")] {
        let conditions =
            json!([{"type": "PodScheduled", "status": "False", "reason": reason, "message": "0/5 nodes"}]);
        let facts = pod_with(json!({}), json!({}), json!({"phase": "Pending", "conditions": conditions}));
        let Sight::Live { held: Some(held), until: None } = facts.sight(at("23:00:00")) else {
            panic!("{reason}")
        };
        assert_eq!(held.reason, word);
    }
}

#[test]
fn a_pod_that_is_being_deleted_lives_until_its_container_has_ended() {
    let facts = deleted(running());
    assert!(matches!(facts.sight(at("10:20:00")), Sight::Live { held: None, .. }));
    assert!(!facts.is_over());
}

#[test]
fn a_pod_of_which_nothing_is_heard_is_lost_a_minute_after_its_last_moment() {
    for facts in [pod(running()), deleted(running())] {
        let Sight::Live { until, .. } = facts.sight(at("10:31:00")) else { panic!("it lives") };
        assert_eq!(until, Some(at("10:31:01")));
        let failure = failure(&facts, "10:31:01");
        assert_eq!((failure.class, failure.reason.as_str()), (Disruption, "NodeLost"));
        assert!(!facts.is_over(), "it is deleted before it is let go");
    }
}

#[test]
fn a_result_is_read_from_the_container_of_the_attempt_whatever_runs_beside_it() {
    let said = observe_outcome(None);
    let facts = pod(terminated(0, "Completed", &message::write(&said)));
    let Sight::Ended(outcome) = facts.sight(at("10:06:00")) else { panic!("it ended") };
    assert!(outcome.succeeded());
    assert_eq!((outcome.started, outcome.ended), (at("10:00:06"), at("10:04:59")));
    assert!(facts.is_over());
}

#[test]
fn an_interrupted_attempt_is_told_by_who_took_its_pod_away() {
    let said = observe_outcome(Some(Failure::new(Disruption, "Interrupted", "ended to go on later")));
    for (more, word) in [
        (disruption("PreemptionByScheduler", "to make room"), "Preempted"),
        (json!({"reason": "Evicted", "message": "low on memory"}), "Evicted"),
        (json!({}), "PodDeleted"),
    ] {
        let failure =
            failure(&deleted(with(terminated(0, "Completed", &message::write(&said)), more)), "10:06:00");
        assert_eq!((failure.class, failure.reason.as_str()), (Disruption, word));
    }
}

#[test]
fn an_attempt_one_of_whose_processes_was_killed_for_memory_is_told_so() {
    let said = observe_outcome(Some(Failure::new(Transient, "ExitCode", "exit code 137")));
    let failure = failure(&pod(terminated(1, "OOMKilled", &message::write(&said))), "10:06:00");
    assert_eq!((failure.class, failure.reason.as_str()), (Transient, "OutOfMemory"));
}

#[test]
fn a_result_that_came_out_is_kept_though_the_pod_was_taken_away() {
    let said = observe_outcome(None);
    let facts = deleted(with(
        terminated(0, "Completed", &message::write(&said)),
        disruption("EvictionByEvictionAPI", ""),
    ));
    let Sight::Ended(outcome) = facts.sight(at("10:06:00")) else { panic!("it ended") };
    assert!(outcome.succeeded());
}

fn observe_outcome(failure: Option<Failure>) -> Outcome {
    Outcome {
        failure,
        accepted: true,
        usage: Usage::default(),
        session: None,
        signal: None,
        warnings: Vec::new(),
        exit_code: Some(0),
        provenance: None,
        started: at("10:00:06"),
        ended: at("10:04:59"),
    }
}
