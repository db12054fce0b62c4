//! What jobs share that use one credential: its gate, which survives the operator, and the attempts that it allows.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{failed, job, until, well};
use crate::cluster::testing::{ApiServer, Kubelet, Operator, Played};

const CREDENTIAL: &str = "/apis/mozart.dev/v1alpha1/namespaces/team/mozartcredentials/default";
const JOBS: &str = "/apis/mozart.dev/v1alpha1/namespaces/team/mozartjobs/";
const PODS: &str = "/api/v1/namespaces/team/pods/";

fn credential(more: &Value) -> Value {
    let mut spec = json!({"type": "APIKey", "secretRef": {"name": "anthropic", "key": "api-key"}});
    for (name, value) in more.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    json!({
        "apiVersion": "mozart.dev/v1alpha1",
        "kind": "MozartCredential",
        "metadata": {"name": "default", "namespace": "team", "generation": 1,
            "uid": "3c6c4bfc-6a5b-4c1d-8a0e-2d7b8c5f0a11"},
        "spec": spec,
    })
}

/// Puts a job of Claude Code there.
fn put_job(server: &ApiServer, name: &str, number: u32, batches: u32, parallelism: u32) {
    let mut job = job(batches, parallelism);
    job["metadata"]["name"] = name.into();
    job["metadata"]["uid"] = format!("0aaa106e-4028-45b3-b750-{number:012}").into();
    job["spec"]["backend"] = json!({"type": "claude_cli", "model": "claude-opus-5-5"});
    server.put(&format!("{JOBS}{name}"), job);
}

fn status(server: &ApiServer, name: &str) -> Value {
    server.get(&format!("{JOBS}{name}")).map(|job| job["status"].clone()).unwrap_or_default()
}

async fn until_complete(server: &ApiServer, names: &[&str]) {
    until(server, "the end of every job", |server| {
        names.iter().all(|name| status(server, name)["phase"] == "Complete")
    })
    .await;
}

fn gate(server: &ApiServer) -> Value {
    server.get(CREDENTIAL).map(|credential| credential["status"]["gate"].clone()).unwrap_or_default()
}

async fn until_gate(server: &ApiServer, state: &str) {
    until(server, state, |server| gate(server)["state"] == state).await;
}

fn condition(server: &ApiServer, kind: &str) -> Value {
    let credential = server.get(CREDENTIAL).unwrap_or_default();
    let mut all = credential["status"]["conditions"].as_array().into_iter().flatten();
    all.find(|one| one["type"] == kind).cloned().unwrap_or_default()
}

/// The first batch of each job meets a limit that ends an hour after the server began.
fn limited(batch: u32, ordinal: u32) -> Played {
    if (batch, ordinal) != (1, 1) {
        return well(batch, ordinal);
    }
    failed("limit", &json!({"resetsAt": "2026-01-01T01:00:00Z"}))
}

/// The same, and later attempts take a while, so that what they say counts and not their end.
fn limited_then_slow(batch: u32, ordinal: u32) -> Played {
    let played = limited(batch, ordinal);
    if (batch, ordinal) == (1, 1) { played } else { Played { takes: Duration::from_mins(3), ..played } }
}

fn out_of_money(batch: u32, ordinal: u32) -> Played {
    if (batch, ordinal) == (1, 1) { failed("hold", &json!({})) } else { well(batch, ordinal) }
}

/// How many Pods ran at a time, at most.
fn most_at_once(kubelet: &Kubelet) -> usize {
    let lives = kubelet.lives();
    let now = Instant::now();
    let at = |moment: Instant| {
        lives.iter().filter(|life| life.from <= moment && life.to.unwrap_or(now) > moment).count()
    };
    lives.iter().map(|life| at(life.from)).max().unwrap_or(0)
}

fn starts_between(kubelet: &Kubelet, from: Instant, to: Instant) -> usize {
    kubelet.lives().iter().filter(|life| life.from > from && life.from < to).count()
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_one_job_holds_all_jobs_of_its_credential_and_one_attempt_opens_it_for_all() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, limited);
    server.put(CREDENTIAL, credential(&json!({})));
    put_job(&server, "night", 1, 9, 3);
    put_job(&server, "day", 2, 9, 3);
    let _operator = Operator::start(&server);
    until_gate(&server, "Closed").await;
    assert!(gate(&server)["until"].as_str().unwrap().starts_with("2026-01-01T01:00"));
    until(&server, "the condition", |server| condition(server, "Limited")["status"] == "True").await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let quiet = Instant::now();
    for name in ["night", "day"] {
        until(&server, "the wait", |server| status(server, name)["phase"] == "Waiting").await;
    }
    let reset = server.start() + Duration::from_hours(1);
    until_gate(&server, "Canary").await;
    assert!(Instant::now() >= reset);
    assert_eq!(starts_between(&kubelet, quiet, reset), 0, "nothing starts before the reset");
    assert!(["night", "day"].contains(&gate(&server)["canary"]["job"].as_str().unwrap()));
    until_complete(&server, &["night", "day"]).await;
    assert_eq!(kubelet.overlap(), None);
    for name in ["night", "day"] {
        assert_eq!(status(&server, name)["checkpoint"]["failed"], "");
        assert_eq!(status(&server, name)["batches"]["succeeded"], 9);
    }
    let ordinals: Vec<u32> = kubelet.lives().iter().map(|life| life.ordinal).filter(|one| *one > 2).collect();
    assert!(ordinals.is_empty(), "no batch met the limit twice: {ordinals:?}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_outlives_the_operator() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, limited);
    server.put(CREDENTIAL, credential(&json!({})));
    put_job(&server, "night", 1, 6, 2);
    let operator = Operator::start(&server);
    until_gate(&server, "Closed").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    drop(operator);
    let killed = Instant::now();
    let _operator = Operator::start(&server);
    let reset = server.start() + Duration::from_hours(1);
    until_gate(&server, "Canary").await;
    assert!(Instant::now() >= reset);
    assert_eq!(starts_between(&kubelet, killed, reset), 0);
    until_complete(&server, &["night"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_accepted_request_of_the_canary_opens_the_gate_long_before_its_end() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, limited_then_slow);
    server.put(CREDENTIAL, credential(&json!({})));
    put_job(&server, "night", 1, 1, 1);
    put_job(&server, "day", 2, 8, 4);
    let _operator = Operator::start(&server);
    until_gate(&server, "Canary").await;
    let canary = Instant::now();
    until(&server, "the canary's Pod", |_| {
        kubelet.lives().iter().any(|life| life.from >= canary && life.to.is_none())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(gate(&server)["state"], "Canary", "there is no opening by time");
    let said = json!({"type": "assistant", "session_id": "s", "message": {"id": "m", "model": "claude-opus-5-5",
        "role": "assistant", "content": [{"type": "text", "text": "well"}],
        "usage": {"input_tokens": 1, "output_tokens": 1}}});
    let line = format!("t 2026-01-01T01:00:10Z {said}");
    let live = |server: &ApiServer| -> Vec<String> {
        let running = |pod: &&Value| pod["status"]["phase"] == "Running";
        let pods = server.all(PODS);
        let names =
            pods.iter().filter(running).map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned());
        names.collect()
    };
    let mut heard = live(&server);
    for pod in &heard {
        server.say(&format!("{PODS}{pod}"), &line);
    }
    until_gate(&server, "Open").await;
    assert!(canary.elapsed() < Duration::from_mins(2));
    // A few at a time: twice as many with every request that is accepted.
    until(&server, "the next", |server| live(server).len() > heard.len()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let next = live(&server);
    assert!(next.len() <= 2, "{next:?}");
    for pod in next.iter().filter(|pod| !heard.contains(pod)) {
        server.say(&format!("{PODS}{pod}"), &line);
    }
    heard = next;
    until(&server, "more", |server| live(server).len() > heard.len()).await;
    until_complete(&server, &["night", "day"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_waits_for_a_person_however_long_and_survives_the_operator() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, out_of_money);
    server.put(CREDENTIAL, credential(&json!({})));
    put_job(&server, "night", 1, 4, 1);
    let operator = Operator::start(&server);
    until_gate(&server, "Held").await;
    until(&server, "the condition", |server| condition(server, "NeedsAttention")["status"] == "True").await;
    drop(operator);
    let _operator = Operator::start(&server);
    tokio::time::sleep(Duration::from_hours(3)).await;
    assert_eq!(kubelet.lives().len(), 1);
    server.edit(CREDENTIAL, |credential| {
        credential["metadata"]["annotations"] = json!({"mozart.dev/resume": "2026-01-01T03:00:01Z"});
    });
    until_complete(&server, &["night"]).await;
    until(&server, "the condition", |server| condition(server, "NeedsAttention")["status"] == "False").await;
    assert_eq!(gate(&server)["resumed"], "2026-01-01T03:00:01Z");
}

#[tokio::test(start_paused = true)]
async fn a_changed_credential_ends_a_hold() {
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, out_of_money);
    server.put(CREDENTIAL, credential(&json!({})));
    put_job(&server, "night", 1, 2, 1);
    let _operator = Operator::start(&server);
    until_gate(&server, "Held").await;
    until(&server, "its status", |server| condition(server, "NeedsAttention")["status"] == "True").await;
    server.edit(CREDENTIAL, |credential| credential["spec"]["secretRef"]["name"] = "another".into());
    until_complete(&server, &["night"]).await;
}

#[tokio::test(start_paused = true)]
async fn jobs_share_what_the_credential_allows_and_take_turns() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    server.put(CREDENTIAL, credential(&json!({"maxConcurrentAttempts": 4})));
    put_job(&server, "wide", 1, 60, 20);
    let _operator = Operator::start(&server);
    tokio::time::sleep(Duration::from_secs(5)).await;
    put_job(&server, "late", 2, 20, 20);
    until_complete(&server, &["late"]).await;
    let begun = kubelet.lives();
    let of = |number: &str| begun.iter().filter(|life| life.run.contains(number)).count();
    // 20 before the other came, and half of what ran since.
    assert!((36..=48).contains(&of("000000000001")), "{}", of("000000000001"));
    until_complete(&server, &["wide"]).await;
    assert!(most_at_once(&kubelet) <= 4, "{}", most_at_once(&kubelet));
    assert_eq!(kubelet.lives().len(), 80);
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_counted_by_the_next_operator_before_it_starts_more() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, super::slowly);
    server.put(CREDENTIAL, credential(&json!({"maxConcurrentAttempts": 3})));
    put_job(&server, "night", 1, 12, 8);
    put_job(&server, "day", 2, 12, 8);
    let mut operator = Operator::start(&server);
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(7)).await;
        drop(operator);
        operator = Operator::start(&server);
    }
    until_complete(&server, &["night", "day"]).await;
    assert!(most_at_once(&kubelet) <= 3, "{}", most_at_once(&kubelet));
    drop(operator);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_credential_starts_nothing_and_says_so() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    server.put(CREDENTIAL, credential(&json!({"suspend": true})));
    put_job(&server, "night", 1, 4, 2);
    let _operator = Operator::start(&server);
    until(&server, "the wait", |server| status(server, "night")["phase"] == "Waiting").await;
    assert!(status(&server, "night")["waiting"].as_str().unwrap().contains("suspended"));
    until(&server, "the condition", |server| condition(server, "Ready")["reason"] == "Suspended").await;
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert!(kubelet.lives().is_empty());
    server.edit(CREDENTIAL, |credential| credential["spec"]["suspend"] = false.into());
    until_complete(&server, &["night"]).await;
    until(&server, "the condition", |server| condition(server, "Ready")["status"] == "True").await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_tells_of_a_limit_in_ten_years_is_believed_for_eight_days() {
    fn liar(batch: u32, ordinal: u32) -> Played {
        let told = json!({"resetsAt": "2036-01-01T00:00:00Z"});
        if (batch, ordinal) == (1, 1) { failed("limit", &told) } else { well(batch, ordinal) }
    }
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, liar);
    server.put(CREDENTIAL, credential(&json!({})));
    put_job(&server, "night", 1, 1, 1);
    let _operator = Operator::start(&server);
    until_gate(&server, "Closed").await;
    let until: jiff::Timestamp = gate(&server)["until"].as_str().unwrap().parse().unwrap();
    assert!(until <= "2026-01-09T01:00:00Z".parse().unwrap(), "{until}");
}
