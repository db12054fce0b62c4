//! What the operator tells of itself while it works.

use std::time::Duration;

use serde_json::json;

use super::{JOB, failed, job, message, pods, until, until_phase, until_running, well};
use crate::cluster::{
    telemetry::Health,
    testing::{ApiServer, Kubelet, Operator, Played},
};

fn value(operator: &Operator, series: &str) -> f64 {
    let text = operator.telemetry.metrics.text();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in\n{text}")).parse().unwrap()
}

/// Every third batch fails once.
fn sometimes(batch: u32, ordinal: u32) -> Played {
    if batch.is_multiple_of(3) && ordinal == 1 {
        failed("transient", &json!({}))
    } else {
        well(batch, ordinal)
    }
}

#[tokio::test(start_paused = true)]
async fn the_numbers_tell_what_the_operator_did_and_are_taken_back_when_it_leads_no_more() {
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, sometimes);
    server.put(JOB, job(12, 4));
    let operator = Operator::start(&server);
    until_running(&server, 4).await;
    assert_eq!(operator.telemetry.health(), Health::Leading);
    assert!(value(&operator, "mozart_leader") > 0.0);
    until(&server, "a batch that runs, in numbers", |_| {
        value(&operator, "mozart_batches{state=\"running\"}") > 0.0
    })
    .await;
    until_phase(&server, "Complete").await;
    until(&server, "the phase, in numbers", |_| value(&operator, "mozart_jobs{phase=\"Complete\"}") > 0.0)
        .await;
    for (series, wanted) in [
        ("mozart_batches_ended_total{outcome=\"succeeded\"}", 12.0),
        ("mozart_attempts_ended_total{outcome=\"succeeded\"}", 12.0),
        ("mozart_attempts_ended_total{outcome=\"transient\"}", 4.0),
        ("mozart_runs_started_total", 1.0),
        ("mozart_runs_ended_total{outcome=\"complete\"}", 1.0),
        ("mozart_batches{state=\"running\"}", 0.0),
        ("mozart_unexpected_pods_total", 0.0),
        ("mozart_save_failures_total", 0.0),
        ("mozart_tokens_total{namespace=\"team\",credential=\"\",model=\"\",kind=\"output\"}", 32.0),
    ] {
        assert!((value(&operator, series) - wanted).abs() < 1e-9, "{series}: {}", value(&operator, series));
    }
    for counted in ["mozart_turn_duration_seconds_count", "mozart_save_duration_seconds_count"] {
        assert!(value(&operator, counted) > 3.0);
    }
    assert!(value(&operator, "mozart_api_requests_total{method=\"POST\",code=\"200\"}") > 15.0);
    let telemetry = operator.telemetry.clone();
    operator.stop().await;
    assert_eq!(telemetry.health(), Health::Stopping);
    let text = telemetry.metrics.text();
    for gone in ["mozart_leader 0", "mozart_jobs{phase=\"Complete\"} 0"] {
        assert!(text.lines().any(|line| line == gone), "{gone} is not in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn pods_that_end_one_after_the_other_are_looked_at_together() {
    let server = ApiServer::default();
    server.put(JOB, job(40, 40));
    let operator = Operator::start(&server);
    until(&server, "all Pods", |server| pods(server).len() == 40).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let turns = || value(&operator, "mozart_turn_duration_seconds_count");
    let before = turns();
    for pod in pods(&server) {
        let name = pod["metadata"]["name"].as_str().unwrap();
        server.edit(&format!("/api/v1/namespaces/team/pods/{name}"), |pod| {
            let ended = json!({"exitCode": 0, "message": message(&json!(null))});
            let containers = json!([{"name": "attempt", "state": {"terminated": ended}}]);
            pod["status"] = json!({"phase": "Succeeded", "containerStatuses": containers});
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    until_phase(&server, "Complete").await;
    let turns = turns() - before;
    assert!(turns < 15.0, "{turns} turns for 40 Pods");
}
