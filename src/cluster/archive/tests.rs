//! The archive on real files, in real time: SQLite has a thread of its own, which knows no other.

use std::{fs, path::Path, time::Duration};

use super::*;
use crate::{
    engine::{event::EventKind, ledger::RunPhase},
    job::{
        answer::AnswerFacts,
        identity::{AttemptKey, BatchNum, RunId},
        model::{StateBackend, StateKind},
    },
    store::{
        Local, Sqlite,
        tests::{after_success, event, ledger, success},
    },
};

const JOB: Uuid = Uuid::from_u128(7);
const RUN: RunId = RunId { job: JOB, run: 1 };

fn job() -> ArchivedJob {
    ArchivedJob { uid: JOB, namespace: "team".to_owned(), name: "night".to_owned() }
}

fn answer(batch: u32) -> NewAnswer {
    let key = AttemptKey::first(BatchNum(batch));
    NewAnswer {
        run: RUN,
        key,
        stays: false,
        answer: format!("answer {batch}"),
        facts: AnswerFacts::default(),
    }
}

/// Saves of a run: batch after batch succeeds.
struct Told {
    ledger: Ledger,
}

impl Told {
    fn begin(archive: &Archive) -> Self {
        let mut ledger = ledger(JOB, 1);
        ledger.seq = 1;
        archive.record(&job(), &ledger, &[event(EventKind::RunStarted)]);
        Self { ledger }
    }

    fn success(&mut self, archive: &Archive, batch: u32) {
        self.ledger = after_success(&self.ledger, batch);
        archive.record(&job(), &self.ledger, &success(batch));
    }
}

/// What somebody who reads the folder sees of the run's batches.
async fn batches(home: &Home) -> Vec<u32> {
    let Ok(Some(store)) = Sqlite::open_to_read(&home.database()).await else { return Vec::new() };
    let batches = store.batches(&RUN, None, BatchNum(0), 1000).await.unwrap_or_default();
    batches.iter().map(|batch| batch.batch.0).collect()
}

async fn until_batches(home: &Home, wanted: &[u32]) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while batches(home).await != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{:?} and not {wanted:?}", batches(home).await);
}

async fn answers(home: &Home) -> Vec<u32> {
    let store = Sqlite::open_to_read(&home.database()).await.unwrap().unwrap();
    store.answered(&RUN, BatchNum(0), 1000).await.unwrap().iter().map(|key| key.batch.0).collect()
}

fn set_aside(folder: &Path) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    // Without what SQLite has beside it.
    names
        .filter(|name| name.to_string_lossy().starts_with("mozart.db.corrupt-"))
        .filter(|name| name.to_string_lossy().ends_with('Z'))
        .count()
}

#[tokio::test]
async fn what_was_saved_is_history_soon_and_all_of_it_when_the_archive_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path().join("data"), LOG_BYTES).await;
    assert_eq!(archive.trouble(), None);
    let mut told = Told::begin(&archive);
    told.success(&archive, 1);
    until_batches(archive.home(), &[1]).await;
    for batch in 2..=200 {
        told.success(&archive, batch);
    }
    archive.close().await;
    assert_eq!(batches(archive.home()).await, (1..=200).collect::<Vec<_>>());
    let store = Sqlite::open_to_read(&archive.home().database()).await.unwrap().unwrap();
    assert_eq!(store.gap(&RUN).await.unwrap(), 0);
}

#[tokio::test]
async fn answers_that_are_put_at_once_are_kept_each_and_go_with_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path().to_owned(), LOG_BYTES).await;
    Told::begin(&archive);
    let puts = (1..=100).map(|batch| archive.keep(answer(batch)));
    for put in futures::future::join_all(puts).await {
        put.unwrap();
    }
    assert_eq!(answers(archive.home()).await.len(), 100);
    archive.deleted(JOB);
    archive.close().await;
    assert!(answers(archive.home()).await.is_empty());
    let store = Sqlite::open_to_read(&archive.home().database()).await.unwrap().unwrap();
    assert!(store.last_run(JOB).await.unwrap().unwrap().is_over());
}

#[tokio::test]
async fn answers_of_jobs_that_were_deleted_while_nobody_looked_go_and_those_of_other_namespaces_stay() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path().to_owned(), LOG_BYTES).await;
    Told::begin(&archive);
    archive.keep(answer(1)).await.unwrap();
    until_batches(archive.home(), &[]).await;
    archive.keep_only(HashSet::new(), Some(vec!["another".to_owned()]));
    archive.keep(answer(2)).await.unwrap();
    assert_eq!(answers(archive.home()).await, [1, 2]);
    // What waits is written before it is looked at.
    tokio::time::sleep(Duration::from_millis(600)).await;
    archive.keep_only(HashSet::new(), Some(vec!["team".to_owned()]));
    archive.close().await;
    assert!(answers(archive.home()).await.is_empty());
}

///
#[tokio::test]
async fn a_full_disk_keeps_no_answer_and_what_was_saved_meanwhile_is_there_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path().to_owned(), LOG_BYTES).await;
    let mut told = Told::begin(&archive);
    told.success(&archive, 1);
    until_batches(archive.home(), &[1]).await;
    archive.pragma("PRAGMA max_page_count = 1").await;
    let long = NewAnswer { answer: "long".repeat(100_000), ..answer(1) };
    let refused = archive.keep(long.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("is full"), "{refused}");
    assert!(archive.trouble().unwrap().contains("is full"));
    for batch in 2..=300 {
        told.success(&archive, batch);
    }
    archive.pragma("PRAGMA max_page_count = 1000000").await;
    archive.keep(long).await.unwrap();
    assert_eq!(archive.trouble(), None);
    archive.close().await;
    assert_eq!(batches(archive.home()).await, (1..=300).collect::<Vec<_>>());
}

///
#[tokio::test]
async fn a_database_that_is_damaged_when_it_is_opened_is_set_aside_whole() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mozart.db"), "this was a database once").unwrap();
    let archive = Archive::open(folder.path().to_owned(), LOG_BYTES).await;
    assert_eq!((archive.trouble(), set_aside(folder.path())), (None, 1));
    archive.keep(answer(1)).await.unwrap();
    let aside = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside = aside.into_iter().find(|path| path.to_string_lossy().contains(".corrupt-")).unwrap();
    assert_eq!(fs::read_to_string(aside).unwrap(), "this was a database once");
}

///
#[tokio::test]
async fn a_database_that_is_damaged_in_use_is_set_aside_and_history_goes_on_with_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path().to_owned(), LOG_BYTES).await;
    let mut told = Told::begin(&archive);
    for batch in 1..=50 {
        told.success(&archive, batch);
    }
    archive.close().await;
    let path = archive.home().database();
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let archive = Archive::open(folder.path().to_owned(), LOG_BYTES).await;
    told.success(&archive, 51);
    until_batches(archive.home(), &[51]).await;
    assert_eq!((archive.trouble(), set_aside(folder.path())), (None, 1));
    archive.keep(answer(51)).await.unwrap();
    let store = Sqlite::open_to_read(&archive.home().database()).await.unwrap().unwrap();
    assert_eq!(store.gap(&RUN).await.unwrap(), 1);
}

///
#[tokio::test]
async fn a_volume_that_is_taken_away_and_comes_back_empty_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let archive = Archive::open(data.clone(), LOG_BYTES).await;
    let mut told = Told::begin(&archive);
    told.success(&archive, 1);
    until_batches(archive.home(), &[1]).await;
    fs::remove_dir_all(&data).unwrap();
    // Something that is no folder stands there meanwhile.
    fs::write(&data, "").unwrap();
    assert!(archive.keep(answer(1)).await.is_err());
    assert!(archive.trouble().is_some());
    told.success(&archive, 2);
    fs::remove_file(&data).unwrap();
    archive.keep(answer(2)).await.unwrap();
    assert_eq!(archive.trouble(), None);
    archive.close().await;
    assert_eq!(batches(archive.home()).await, [2]);
}

///
#[tokio::test]
async fn a_database_that_somebody_else_holds_is_waited_for_beside_the_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path().to_owned(), LOG_BYTES).await;
    let holder = Sqlite::open(&archive.home().database()).await.unwrap();
    holder.pragma("BEGIN EXCLUSIVE".to_owned()).await;
    let mut told = Told::begin(&archive);
    told.success(&archive, 1);
    let mut kept = Box::pin(archive.keep(answer(1)));
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut kept).await.is_err());
    holder.pragma("COMMIT".to_owned()).await;
    kept.await.unwrap();
    until_batches(archive.home(), &[1]).await;
}

///
#[test]
fn what_does_not_fit_while_the_disk_is_away_is_missing_and_counted() {
    let mut pending = Pending::default();
    let mut ledger = ledger(JOB, 1);
    let mut taken = 0;
    for batch in 1..=12_000 {
        ledger = after_success(&ledger, batch);
        taken += u64::from(pending.add(&job(), &ledger, &success(batch)));
    }
    assert_eq!(taken, 10_000);
    let waiting = pending.take(usize::MAX);
    assert_eq!((waiting.len(), waiting[0].saves), (1, taken));
    assert!(pending.is_empty());
}

/// M6: the oldest logs first, rows last, answers never.
#[tokio::test]
async fn history_that_takes_too_much_loses_its_oldest_runs_and_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path().to_owned(), LOG_BYTES).await;
    for run in 1..=30 {
        let mut ledger = ledger(JOB, run);
        ledger.seq = 1;
        archive.record(&job(), &ledger, &[event(EventKind::RunStarted)]);
        for batch in 1..=50 {
            ledger = after_success(&ledger, batch);
            archive.record(&job(), &ledger, &success(batch));
        }
        ledger.seq += 1;
        ledger.phase = RunPhase::Complete;
        ledger.ended = Some(ledger.started);
        let ended = EventKind::RunEnded { complete: true, reason: None, message: None };
        archive.record(&job(), &ledger, &[event(ended)]);
    }
    archive.keep(NewAnswer { answer: "long".repeat(100_000), ..answer(1) }).await.unwrap();
    archive.close().await;

    let backend = StateBackend { kind: StateKind::Sqlite, path: None };
    let left = async || {
        let store = Local::open_to_read(archive.home(), &backend).await.unwrap().unwrap();
        let runs: Vec<u32> = store.runs(JOB).await.unwrap().iter().map(|ledger| ledger.run.run).collect();
        (store.database().unwrap().history_bytes().await.unwrap(), runs)
    };
    let (before, runs) = left().await;
    assert_eq!(runs.len(), 30, "{before} bytes");
    // It is looked at when it is opened and something is told.
    let archive = Archive::open(folder.path().to_owned(), before / 2).await;
    let mut later = ledger(JOB, 31);
    later.seq = 1;
    archive.record(&job(), &later, &[event(EventKind::RunStarted)]);
    let waited = tokio::time::timeout(Duration::from_mins(1), async {
        while left().await.0 > before / 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.expect("history becomes smaller");
    archive.close().await;
    let (_, runs) = left().await;
    let newest: Vec<u32> = (1..=31).rev().take(runs.len()).collect();
    assert!(runs == newest && runs.len() < 25 && runs.len() > 2, "{runs:?}");
    let store = Sqlite::open_to_read(&archive.home().database()).await.unwrap().unwrap();
    assert_eq!(store.kept_answer(&RUN, BatchNum(1)).await.unwrap().unwrap().0.len(), 400_000);
}
