//! A job's status under conflicts, lost answers and other writers; its size; its pace.

use std::time::Duration;

use jiff::Timestamp;
use kube::{Client, api::DynamicObject};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ByteBudget, StatusStore, ledger};
use crate::{
    cluster::{
        status::{Author, Shown},
        testing::{ApiServer, wire::Wire},
    },
    driver::{
        clock::Reading,
        ports::{Clock, Store as _, StoreError},
    },
    engine::{
        ledger::{Ledger, OpenBatch, RunPhase, RunStart},
        ranges::Ranges,
        summary::Summary,
        waiting::Waiting,
    },
    job::{
        identity::{BatchNum, RunId, SessionId},
        outcome::FailureClass,
    },
};

const JOB: &str = "/apis/mozart.dev/v1alpha1/namespaces/team/mozartjobs/night";

/// The date stands still in these tests; paused time is what passes.
struct Still(Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
    fn reading(&self) -> Reading {
        Reading { wall: self.now(), steady: Duration::ZERO }
    }
    async fn sleep_until(&self, _: Timestamp) {}
    async fn sleep(&self, _: Duration) {}
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn server() -> ApiServer {
    let server = ApiServer::default();
    let metadata = json!({"name": "night", "namespace": "team", "uid": Uuid::from_u128(7), "generation": 3});
    let job =
        json!({"apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": metadata, "spec": {}});
    server.put(JOB, job);
    server
}

fn read(server: &ApiServer) -> DynamicObject {
    serde_json::from_value(server.get(JOB).unwrap()).unwrap()
}

fn stored(server: &ApiServer) -> Value {
    server.get(JOB).unwrap()["status"].clone()
}

fn store_at(server: &ApiServer, wire: &Wire, now: &str) -> StatusStore<Still> {
    let author = Author { writer: "mozart-system/mozart".to_owned(), rerun_id: None };
    let client = Client::new(wire.clone(), "team");
    let everyone = ByteBudget::new(1024 * 1024);
    StatusStore::new(client, &read(server), author, Still(at(now)), everyone).unwrap()
}

fn store(server: &ApiServer) -> (StatusStore<Still>, Wire) {
    let wire = Wire::new(server, "operator", 1);
    (store_at(server, &wire, "2026-11-22T20:00:00Z"), wire)
}

fn run(total: u32) -> Ledger {
    let start = RunStart {
        run: RunId { job: Uuid::from_u128(7), run: 1 },
        plan_hash: "0123456789abcdef".repeat(4),
        of_total: total,
        selected: Ranges::span(1, total),
        done_before: Ranges::default(),
    };
    let mut ledger = Ledger::start(start, at("2026-11-22T19:00:00Z"));
    ledger.phase = RunPhase::Running;
    ledger.seq = 1;
    ledger
}

fn condition(status: &Value, kind: &str) -> Value {
    let all = status["conditions"].as_array().unwrap();
    all.iter().find(|one| one["type"] == kind).unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn what_was_saved_is_loaded_and_people_see_it() {
    let server = server();
    let (store, _) = store(&server);
    let mut ledger = run(56);
    ledger.claimed = Ranges::span(1, 44);
    ledger.succeeded = Ranges::span(1, 41);
    let summary =
        Summary { total: 56, of_total: 56, succeeded: 41, running: 3, pending: 12, ..Summary::default() };
    store.show(Shown { summary, ..Shown::default() });
    store.save(&ledger, &[]).await.unwrap();
    assert_eq!(super::ledger(&read(&server)).unwrap(), Some(ledger));
    let status = stored(&server);
    assert_eq!(status["progress"], "41/56");
    assert_eq!(status["phase"], "Running");
    assert_eq!(status["activeRun"], 1);
    assert_eq!(status["batches"]["running"], 3);
    assert_eq!(status["checkpoint"]["writer"], "mozart-system/mozart");
    assert_eq!(status["duration"], "1h0m");
    assert_eq!(condition(&status, "Progressing")["status"], "True");
    assert_eq!(condition(&status, "Complete")["status"], "False");
}

#[tokio::test(start_paused = true)]
async fn a_spec_edit_in_between_is_no_conflict_and_every_condition_follows_it() {
    let server = server();
    let (store, _) = store(&server);
    server.edit(JOB, |job| job["metadata"]["generation"] = 4.into());
    store.save(&run(5), &[]).await.unwrap();
    let status = stored(&server);
    assert_eq!(status["observedGeneration"], 4);
    for one in status["conditions"].as_array().unwrap() {
        assert_eq!(one["observedGeneration"], 4, "{one}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_save_whose_answer_was_lost_is_not_done_twice() {
    let server = server();
    let (store, wire) = store(&server);
    wire.lose_answers(1);
    let mut ledger = worst(1000, 50);
    ledger.phase = RunPhase::Failed { reason: "Stopped".to_owned(), message: "by hand".to_owned() };
    let lost = tokio::time::timeout(Duration::from_secs(4), store.save(&ledger, &[])).await;
    assert!(lost.is_err(), "nobody answers");
    store.save(&ledger, &[]).await.unwrap();
    assert_eq!(server.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_somebody_else_saved_is_not_overwritten() {
    let server = server();
    let (mine, _) = store(&server);
    let (theirs, _) = store(&server);
    let mut other = run(5);
    other.succeeded = Ranges::span(1, 1);
    theirs.save(&other, &[]).await.unwrap();
    let refused = mine.save(&run(5), &[]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { expected: 0, found: 1 }), "{refused}");
    assert_eq!(ledger(&read(&server)).unwrap(), Some(other));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_made_anew_under_its_name_gets_nothing_of_the_old_one() {
    let server = server();
    let (store, _) = store(&server);
    server.edit(JOB, |job| job["metadata"]["uid"] = Uuid::from_u128(8).to_string().into());
    let refused = store.save(&run(5), &[]).await.unwrap_err();
    assert!(refused.to_string().contains("made anew"), "{refused}");
    assert_eq!(stored(&server), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_gone_from_the_status() {
    let server = server();
    let (store, _) = store(&server);
    let mut ledger = run(5);
    ledger.limited = true;
    let until = at("2026-11-22T23:00:00Z");
    let waiting = Waiting::Limit { cause: "session limit".to_owned(), until, since: None };
    store.show(Shown { waiting: Some(waiting), ..Shown::default() });
    store.save(&ledger, &[]).await.unwrap();
    let limited = stored(&server);
    assert_eq!(limited["phase"], "Waiting");
    assert_eq!(limited["waiting"], "session limit, until 2026-11-22 23:00Z");
    assert_eq!(condition(&limited, "RateLimited")["status"], "True");
    ledger.seq = 2;
    ledger.limited = false;
    store.show(Shown::default());
    store.save(&ledger, &[]).await.unwrap();
    let open = stored(&server);
    assert_eq!(open.get("waiting"), None);
    assert_eq!(condition(&open, "RateLimited")["status"], "False");
}

#[tokio::test(start_paused = true)]
async fn a_condition_keeps_its_time_as_long_as_it_holds() {
    let server = server();
    let (first, wire) = store(&server);
    let mut ledger = run(5);
    first.save(&ledger, &[]).await.unwrap();
    ledger.seq = 2;
    ledger.phase = RunPhase::Complete;
    let later = store_at(&server, &wire, "2026-11-22T21:00:00Z");
    later.save(&ledger, &[]).await.unwrap();
    let status = stored(&server);
    assert_eq!(condition(&status, "Valid")["lastTransitionTime"], "2026-11-22T20:00:00Z");
    assert_eq!(condition(&status, "Complete")["lastTransitionTime"], "2026-11-22T21:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_keeps_its_two_ranges() {
    let server = server();
    let (store, _) = store(&server);
    let mut ledger = worst(1000, 50);
    ledger.phase = RunPhase::Failed { reason: "Stopped".to_owned(), message: "by hand".to_owned() };
    ledger.ended = Some(at("2026-11-22T19:30:00Z"));
    store.save(&ledger, &[]).await.unwrap();
    let status = stored(&server);
    let kept = super::ledger(&read(&server)).unwrap().unwrap();
    assert!(kept.open.is_empty() && kept.claimed.is_empty());
    assert_eq!((kept.succeeded, kept.failed), (ledger.succeeded, ledger.failed));
    assert_eq!(status.get("activeRun"), None);
    assert_eq!(status["lastRun"], json!({"number": 1, "outcome": "Failed", "reason": "Stopped"}));
    assert_eq!(condition(&status, "Failed")["message"], "by hand");
}

#[tokio::test(start_paused = true)]
async fn a_ledger_of_a_newer_mozart_is_left_alone() {
    let server = server();
    server.edit(JOB, |job| job["status"] = json!({"checkpoint": {"version": 99, "seq": 5, "new": "field"}}));
    let refused = ledger(&read(&server)).unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 99, .. }), "{refused}");
}

/// Of so many batches every tenth failed, and the window is full of batches that wait for their next try.
fn worst(total: u32, parallelism: u32) -> Ledger {
    let mut ledger = run(total);
    let window = 2 * parallelism;
    let done = total - window;
    ledger.failed = (1..=done).filter(|batch| batch % 10 == 0).map(BatchNum).collect();
    ledger.succeeded = (1..=done).filter(|batch| batch % 10 != 0).map(BatchNum).collect();
    ledger.claimed = Ranges::span(done + 1, total);
    for batch in done + 1..=total {
        let open = OpenBatch {
            ordinal: 3,
            tries: 2,
            disruptions: 1,
            until: Some(at("2026-11-22T23:59:59.123456789Z")),
            cause: FailureClass::Transient,
            reason: "ConnectionLost".to_owned(),
            session: Some(SessionId(Uuid::from_u128(u128::MAX))),
            try_micro_usd: 0,
        };
        ledger.open.insert(BatchNum(batch), open);
    }
    ledger
}

#[tokio::test(start_paused = true)]
async fn the_status_of_ten_thousand_batches_stays_below_64_kib() {
    let server = server();
    let (store, _) = store(&server);
    store.save(&worst(10_000, 100), &[]).await.unwrap();
    let bytes = stored(&server).to_string().len();
    assert!(bytes < 64 * 1024, "{bytes} bytes");
}

#[tokio::test(start_paused = true)]
async fn large_saves_are_paced_by_their_bytes() {
    let server = server();
    server.edit(JOB, |job| job["spec"]["filler"] = "x".repeat(256 * 1024).into());
    let (store, _) = store(&server);
    for seq in 1..=3 {
        let mut ledger = run(5);
        ledger.seq = seq;
        store.save(&ledger, &[]).await.unwrap();
    }
    let writes = server.writes();
    for pair in writes.windows(2) {
        assert!(
            pair[1].at.duration_since(pair[0].at) >= Duration::from_secs(2),
            "256 KiB at 128 KiB a second"
        );
    }
}

/// H21: a run whose answers take long is not taken for one that nobody drives.
#[tokio::test(start_paused = true)]
async fn a_renewal_says_that_the_run_is_driven_and_changes_nothing_else() {
    let server = server();
    let (store, _) = store(&server);
    let mut ledger = run(5);
    ledger.seq = 1;
    store.save(&ledger, &[]).await.unwrap();
    let before = stored(&server);
    let wire = Wire::new(&server, "operator", 1);
    let store = store_at(&server, &wire, "2026-11-22T20:02:00Z");
    store.renew().await.unwrap();
    let after = stored(&server);
    assert_ne!(before["checkpoint"]["renewed"], after["checkpoint"]["renewed"]);
    let mut same = after.clone();
    same["checkpoint"]["renewed"] = before["checkpoint"]["renewed"].clone();
    assert_eq!(same, before);
    // The next save goes on from there.
    ledger.seq = 2;
    store.save(&ledger, &[]).await.unwrap();
}
