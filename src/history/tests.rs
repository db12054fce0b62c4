use std::{fs, path::Path};

use super::*;
use crate::driver::ports::Store as _;
use crate::{
    engine::{
        event::{Counted, Event, EventKind},
        ledger::{Ledger, Notice},
    },
    job::{
        identity::{AttemptKey, JobName},
        model::Occasion,
        outcome::FailureClass,
    },
    store::{
        record::{AttemptState, NotificationState, RunState},
        tests::{Fixture, KINDS, after_success, at, event, ledger, outcome, success},
    },
};

fn key(batch: u32, ordinal: u32) -> AttemptKey {
    AttemptKey { batch: BatchNum(batch), ordinal }
}

fn ended(key: AttemptKey, failure: Option<FailureClass>) -> Event {
    event(EventKind::AttemptEnded { key, outcome: Box::new(outcome(failure)), lane_free: None })
}

/// Saves that tell every kind of story: each entry is the journal of one save.
fn stories() -> Vec<Vec<Event>> {
    let retry = |key, until| {
        let (cause, reason) = (FailureClass::Validation, "ValidationFailed".to_owned());
        event(EventKind::RetryScheduled { key, cause, reason, counted: Counted::Try, until, session: None })
    };
    let notice = |id, batch: Option<u32>| {
        let attempt = batch.map(|batch| key(batch, 1));
        let notice = Notice {
            id,
            occasion: Occasion::BatchFailed,
            at: at(id.cast_signed()),
            attempt,
            run: None,
            text: "it failed".into(),
        };
        event(EventKind::NoticeQueued { notice })
    };
    vec![
        success(1).to_vec(),
        vec![
            event(EventKind::AttemptStarted { key: key(2, 1) }),
            event(EventKind::AttemptStarted { key: key(3, 1) }),
        ],
        vec![ended(key(2, 1), Some(FailureClass::Validation)), retry(key(2, 2), Some(at(60)))],
        vec![event(EventKind::AttemptStarted { key: key(2, 2) }), notice(1, None), notice(2, Some(3))],
        vec![
            ended(key(3, 1), Some(FailureClass::BatchFatal)),
            event(EventKind::BatchFailed {
                batch: BatchNum(3),
                class: FailureClass::BatchFatal,
                reason: "Refused".to_owned(),
                message: "Claude refused".to_owned(),
            }),
            event(EventKind::NoticeSettled { id: 1, dropped: false }),
        ],
        vec![
            ended(key(2, 2), None),
            event(EventKind::BatchSucceeded { batch: BatchNum(2) }),
            notice(3, None),
            event(EventKind::NoticeSettled { id: 3, dropped: true }),
        ],
        vec![
            event(EventKind::AttemptStarted { key: key(4, 1) }),
            ended(key(4, 1), Some(FailureClass::Transient)),
            retry(key(4, 2), None),
            event(EventKind::AttemptStarted { key: key(4, 2) }),
        ],
        vec![],
    ]
}

async fn told(kind: StateKind) -> (Fixture, Reader, Ledger) {
    let fixture = Fixture::new();
    let (store, mut ledger) = fixture.with_run(kind).await;
    for journal in stories() {
        ledger.seq += 1;
        store.save(&ledger, &journal).await.unwrap();
    }
    store.close().await;
    let reader = Reader::open(&fixture.home).await.unwrap();
    (fixture, reader, ledger)
}

fn output(batch: u32, ordinal: u32, answer: &str) -> OutputRecord {
    let facts = crate::job::answer::AnswerFacts::default();
    OutputRecord { batch: BatchNum(batch), ordinal, facts, answer: answer.to_owned() }
}

#[tokio::test]
async fn both_forms_of_state_tell_the_same_story() {
    let mut told_by = Vec::new();
    for kind in KINDS {
        let (_fixture, reader, ledger) = told(kind).await;
        let batches = reader.batches(&ledger.run, None, BatchNum(0), 100).await.unwrap();
        let mut attempts = Vec::new();
        for batch in &batches {
            attempts.push(reader.attempts(&ledger.run, batch.batch).await.unwrap());
        }
        told_by.push((batches, attempts, reader.notifications(&ledger.run).await.unwrap()));
    }
    assert_eq!(told_by[0].0, told_by[1].0);
    assert_eq!(told_by[0].1, told_by[1].1);
    assert_eq!(told_by[0].2, told_by[1].2);

    let (batches, attempts, notifications) = &told_by[0];
    let states: Vec<_> = batches.iter().map(|batch| (batch.batch.0, batch.state, batch.attempts)).collect();
    assert_eq!(
        states,
        [
            (1, BatchState::Succeeded, 1),
            (2, BatchState::Succeeded, 2),
            (3, BatchState::Failed, 1),
            (4, BatchState::Running, 2)
        ]
    );
    assert_eq!(batches[1].usage.cost_micro_usd, 250, "both attempts are summed");
    assert_eq!((batches[1].class, batches[1].message.as_deref()), (None, None), "what failed before is over");
    assert_eq!(batches[2].reason.as_deref(), Some("Refused"));
    assert_eq!(batches[3].class, Some(FailureClass::Validation), "a retry shows why it is one");
    assert_eq!(
        attempts[1].iter().map(|attempt| attempt.state).collect::<Vec<_>>(),
        [AttemptState::Failed, AttemptState::Succeeded]
    );
    assert_eq!(
        notifications.iter().map(|notification| notification.state).collect::<Vec<_>>(),
        [NotificationState::Delivered, NotificationState::Queued, NotificationState::Dropped]
    );
}

#[tokio::test]
async fn batches_are_filtered_and_paged_by_number() {
    for kind in KINDS {
        let (_fixture, reader, ledger) = told(kind).await;
        let numbers = async |state, after, limit| -> Vec<u32> {
            let page = reader.batches(&ledger.run, state, BatchNum(after), limit).await.unwrap();
            page.iter().map(|batch| batch.batch.0).collect()
        };
        assert_eq!(numbers(None, 0, 2).await, [1, 2], "{kind:?}");
        assert_eq!(numbers(None, 2, 2).await, [3, 4], "{kind:?}");
        assert_eq!(numbers(Some(BatchState::Failed), 0, 9).await, [3], "{kind:?}");
        assert_eq!(numbers(Some(BatchState::Succeeded), 1, 9).await, [2], "{kind:?}");
        assert_eq!(numbers(Some(BatchState::Waiting), 0, 9).await, [0_u32; 0], "{kind:?}");
    }
}

#[tokio::test]
async fn answers_come_from_the_attempt_that_succeeded_a_page_at_a_time() {
    for kind in KINDS {
        let (fixture, reader, ledger) = told(kind).await;
        let answers = crate::store::answers::Answers::new(fixture.home.clone());
        let facts = crate::job::answer::AnswerFacts::default();
        crate::driver::ports::Outputs::put(&answers, &ledger.run, key(1, 1), "one", &facts).await.unwrap();
        fs::create_dir_all(fixture.home.attempt(&ledger.run, key(2, 2)).folder()).unwrap();
        fs::write(reader.files(&ledger.run, key(2, 2)).stdout(), "two").unwrap();

        let first = reader.outputs(&ledger.run, BatchNum(0), 1).await.unwrap();
        assert_eq!(first.outputs, [output(1, 1, "one")]);
        let second = reader.outputs(&ledger.run, first.next.unwrap(), 1).await.unwrap();
        assert_eq!(second.outputs, [output(2, 2, "two")]);
        let last = reader.outputs(&ledger.run, second.next.unwrap(), 1).await.unwrap();
        assert_eq!(last, OutputPage { outputs: Vec::new(), next: None }, "{kind:?}");
    }
}

#[tokio::test]
async fn a_job_is_found_by_name_run_uid_and_where_it_was_last_used() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let store = fixture.open(kind).await;
        let name: JobName = "review".parse().unwrap();
        let (a, b) = (Path::new("/a"), Path::new("/b"));
        let one = store.register_job(&name, Path::new("/a/job.yaml"), a).await.unwrap();
        let two = store.register_job(&name, Path::new("/b/job.yaml"), b).await.unwrap();
        let other = store.register_job(&"other".parse().unwrap(), Path::new("/b/o.yaml"), b).await.unwrap();
        for run in [1, 2] {
            store.begin_run(&ledger(one, run), "").await.unwrap();
        }
        let reader = Reader::open(&fixture.home).await.unwrap();
        let found = async |wanted: Option<&str>, cwd| {
            let found = reader.find(wanted, cwd).await;
            found.map(|found| (found.job.uid, found.ledger.map(|ledger| ledger.run.run)))
        };
        let elsewhere = Path::new("/c");
        assert_eq!(found(Some("other"), elsewhere).await.unwrap(), (other, None), "{kind:?}");
        assert_eq!(found(Some("review/1"), a).await.unwrap(), (one, Some(1)), "the one of here");
        assert_eq!(found(Some(&one.to_string()[..8]), elsewhere).await.unwrap(), (one, Some(2)));
        assert_eq!(found(Some(&format!("{two}")), elsewhere).await.unwrap(), (two, None));
        assert_eq!(found(None, b).await.unwrap(), (other, None), "the one used last here");
        assert!(matches!(found(None, elsewhere).await, Err(HistoryError::NoneHere)));
        assert!(matches!(found(Some("revue"), a).await, Err(HistoryError::NoJob { .. })));
        assert!(matches!(found(Some("review/9"), a).await, Err(HistoryError::NoRun { run: 9, .. })));
        let ambiguous = found(Some("review"), elsewhere).await.unwrap_err().to_string();
        for told in [&two.to_string()[..8], "/b/job.yaml", &one.to_string()[..8], "/a/job.yaml"] {
            assert!(ambiguous.contains(told), "{ambiguous}");
        }
    }
}

#[tokio::test]
async fn a_state_file_that_a_job_names_itself_is_found_too() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let path = fixture.path().join("own.state");
        let backend = StateBackend { kind, path: Some(path) };
        let store = Local::open(&fixture.home, &backend).await.unwrap();
        let job = crate::store::tests::register(&store, "apart").await;
        store.begin_run(&ledger(job, 1), "").await.unwrap();
        let reader = Reader::open(&fixture.home).await.unwrap();
        let found = reader.find(Some("apart"), Path::new("/")).await.unwrap();
        assert_eq!(found.run().unwrap().id, "apart/1", "{kind:?}");
    }
}

#[tokio::test]
async fn a_run_is_summed_up_from_what_was_saved() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let (store, first) = fixture.with_run(kind).await;
        store.save(&after_success(&first, 1), &success(1)).await.unwrap();
        let reader = Reader::open(&fixture.home).await.unwrap();
        let jobs = reader.jobs().await.unwrap();
        let runs = reader.runs(&jobs[0]).await.unwrap();
        assert_eq!(runs.len(), 1, "{kind:?}");
        assert_eq!((runs[0].id.as_str(), runs[0].state), ("review/1", RunState::Running), "{kind:?}");
        assert_eq!((runs[0].succeeded, runs[0].total), (1, 10_000), "{kind:?}");
    }
}

#[tokio::test]
async fn nothing_is_made_where_nothing_is() {
    let fixture = Fixture::new();
    let reader = Reader::open(&fixture.home).await.unwrap();
    assert_eq!(reader.jobs().await.unwrap(), []);
    assert!(!fixture.home.path().exists());
}
