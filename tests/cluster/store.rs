//! The ledger in the status of a real object.

use std::time::Duration;

use jiff::Timestamp;
use kube::{
    ResourceExt as _,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use mozart::{
    cluster::{
        status::{Author, Shown},
        store::{ByteBudget, StatusStore, ledger},
    },
    driver::{
        clock::Reading,
        ports::{Clock, Store as _, StoreError},
    },
    engine::{
        ledger::{Ledger, RunPhase, RunStart},
        ranges::Ranges,
        summary::Summary,
    },
    job::identity::RunId,
};
use serde_json::json;

use crate::{
    resources::job,
    support::{Namespace, object},
};

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    fn reading(&self) -> Reading {
        Reading { wall: self.now(), steady: Duration::ZERO }
    }
    async fn sleep_until(&self, _: Timestamp) {}
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

fn run(job: &DynamicObject) -> Ledger {
    let start = RunStart {
        run: RunId { job: job.uid().unwrap().parse().unwrap(), run: 1 },
        plan_hash: "0123".to_owned(),
        of_total: 5,
        selected: Ranges::span(1, 5),
        done_before: Ranges::default(),
    };
    let mut ledger = Ledger::start(start, Timestamp::now());
    ledger.phase = RunPhase::Running;
    ledger.seq = 1;
    ledger
}

fn store(namespace: &Namespace, job: &DynamicObject) -> StatusStore<Now> {
    let author = Author { writer: "tests/mozart".to_owned(), rerun_id: None };
    let everyone = ByteBudget::new(1024 * 1024);
    StatusStore::new(namespace.client.clone(), job, author, Now, everyone).unwrap()
}

#[tokio::test]
async fn a_ledger_is_saved_over_spec_edits_and_read_back_whole() {
    let namespace = Namespace::new().await;
    let jobs = namespace.jobs();
    let made = jobs.create(&PostParams::default(), &object(&job("night"))).await.unwrap();
    let store = store(&namespace, &made);
    let mut ledger_now = run(&made);
    ledger_now.claimed = Ranges::span(1, 4);
    store.save(&ledger_now, &[]).await.unwrap();

    let edit = Patch::Merge(json!({"spec": {"batch": {"parallelism": 4}}}));
    jobs.patch("night", &PatchParams::default(), &edit).await.unwrap();
    ledger_now.seq = 2;
    ledger_now.succeeded = Ranges::span(1, 5);
    ledger_now.phase = RunPhase::Complete;
    ledger_now.ended = Some(Timestamp::now());
    let summary = Summary { total: 5, of_total: 5, succeeded: 5, ..Summary::default() };
    store.show(Shown { summary, waiting: None, held: None, wrong: None, unheard: None });
    store.save(&ledger_now, &[]).await.unwrap();

    let stored = jobs.get("night").await.unwrap();
    let read = ledger(&stored).unwrap().unwrap();
    assert_eq!((read.seq, &read.succeeded), (2, &ledger_now.succeeded));
    let status = &stored.data["status"];
    assert_eq!(status["observedGeneration"], stored.metadata.generation.unwrap());
    assert_eq!((&status["phase"], &status["progress"]), (&json!("Complete"), &json!("5/5")));
    assert_eq!(status.get("activeRun"), None);
    let complete =
        status["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "Complete").unwrap();
    assert_eq!(complete["status"], "True");
    assert_eq!(complete["observedGeneration"], stored.metadata.generation.unwrap());
    namespace.delete().await;
}

#[tokio::test]
async fn two_stores_of_one_job_do_not_overwrite_each_other() {
    let namespace = Namespace::new().await;
    let made = namespace.jobs().create(&PostParams::default(), &object(&job("night"))).await.unwrap();
    let (one, other) = (store(&namespace, &made), store(&namespace, &made));
    let mut first = run(&made);
    first.claimed = Ranges::span(1, 2);
    one.save(&first, &[]).await.unwrap();
    let refused = other.save(&run(&made), &[]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { found: 1, .. }), "{refused}");
    namespace.delete().await;
}

#[tokio::test]
async fn what_a_newer_mozart_wrote_is_not_pruned_and_not_touched() {
    let namespace = Namespace::new().await;
    let jobs = namespace.jobs();
    jobs.create(&PostParams::default(), &object(&job("night"))).await.unwrap();
    let newer = json!({"status": {"checkpoint": {"version": 99, "seq": 7, "unheard": {"of": ["x"]}}}});
    let stored = jobs.patch_status("night", &PatchParams::default(), &Patch::Merge(newer)).await.unwrap();
    assert_eq!(stored.data["status"]["checkpoint"]["unheard"], json!({"of": ["x"]}));
    assert!(matches!(ledger(&stored), Err(StoreError::Newer { found: 99, .. })));
    namespace.delete().await;
}
