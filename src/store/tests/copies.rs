//! History of runs whose ledgers are kept elsewhere, and answers that are kept nowhere else.

use super::*;
use crate::{
    job::answer::AnswerFacts,
    store::{NewAnswer, Saved},
};

fn saved(ledger: &Ledger, saves: u64, journal: Vec<Event>) -> Saved {
    let file = format!("team/{}", ledger.run.job).into();
    Saved { name: "night".into(), file, used_in: "team".into(), ledger: ledger.clone(), journal, saves }
}

fn started() -> Event {
    event(EventKind::RunStarted)
}

async fn database(fixture: &Fixture) -> Sqlite {
    Sqlite::open(&fixture.home.database()).await.unwrap()
}

#[tokio::test]
async fn a_copied_run_reads_as_one_that_is_kept_here_and_says_how_many_saves_it_misses() {
    let fixture = Fixture::new();
    let store = database(&fixture).await;
    let job = Uuid::from_u128(7);
    let mut ledger = ledger(job, 1);
    ledger.seq = 5;
    let journal = [vec![started()], success(1).to_vec()].concat();
    store.copy(&[saved(&ledger, 1, journal)]).await.unwrap();
    assert_eq!(store.gap(&ledger.run).await.unwrap(), 0);
    // Two saves at once, then one whose two predecessors were not told.
    ledger.seq = 7;
    store.copy(&[saved(&ledger, 2, success(2).to_vec())]).await.unwrap();
    assert_eq!(store.gap(&ledger.run).await.unwrap(), 0);
    ledger.seq = 10;
    store.copy(&[saved(&ledger, 1, success(5).to_vec())]).await.unwrap();
    assert_eq!(store.gap(&ledger.run).await.unwrap(), 2);

    assert_eq!(store.load(&ledger.run).await.unwrap(), Some(ledger.clone()));
    let batches = store.batches(&ledger.run, None, BatchNum(0), 10).await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.batch.0).collect::<Vec<_>>(), [1, 2, 5]);
    let found = store.job_in(Path::new("team"), "night").await.unwrap().unwrap();
    assert_eq!((found.uid, found.used_in.as_path()), (job, Path::new("team")));
    assert_eq!(store.job_in(Path::new("other"), "night").await.unwrap(), None);
}

#[tokio::test]
async fn a_run_that_is_not_copied_from_its_beginning_has_a_gap() {
    let fixture = Fixture::new();
    let store = database(&fixture).await;
    let mut ledger = ledger(Uuid::from_u128(7), 3);
    ledger.seq = 40;
    store.copy(&[saved(&ledger, 1, success(9).to_vec())]).await.unwrap();
    assert_eq!(store.gap(&ledger.run).await.unwrap(), 1);
}

#[tokio::test]
async fn of_two_jobs_that_had_one_name_the_last_is_found_and_a_deleted_one_has_ended() {
    let fixture = Fixture::new();
    let store = database(&fixture).await;
    let (old, new) = (Uuid::from_u128(9), Uuid::from_u128(1));
    for job in [old, new] {
        store.copy(&[saved(&ledger(job, 1), 1, vec![started()])]).await.unwrap();
    }
    assert_eq!(store.job_in(Path::new("team"), "night").await.unwrap().unwrap().uid, new);
    assert_eq!(store.unended_copies().await.unwrap().len(), 2);
    store.end_copies(old, at(60)).await.unwrap();
    assert_eq!(store.unended_copies().await.unwrap(), [new]);
    let ended = store.last_run(old).await.unwrap().unwrap();
    assert_eq!(ended.ended, Some(at(60)));
    assert!(matches!(&ended.phase, RunPhase::Failed { reason, .. } if reason == "Deleted"), "{ended:?}");
}

#[tokio::test]
async fn a_ledger_that_is_kept_here_still_follows_its_last_save() {
    let fixture = Fixture::new();
    let (store, first) = fixture.with_run(StateKind::Sqlite).await;
    let mut skipped = after_success(&first, 1);
    skipped.seq += 1;
    assert!(matches!(store.save(&skipped, &[]).await, Err(StoreError::Conflict { .. })));
}

#[tokio::test]
async fn answers_are_kept_the_last_of_each_batch_and_go_with_their_job_unless_they_stay() {
    let fixture = Fixture::new();
    let store = database(&fixture).await;
    let run = RunId { job: Uuid::from_u128(7), run: 1 };
    let answer = |batch, ordinal, stays, text: &str| NewAnswer {
        run: run.clone(),
        key: AttemptKey { batch: BatchNum(batch), ordinal },
        stays,
        answer: text.to_owned(),
        facts: AnswerFacts { stop_reason: Some(text.to_owned()), ..AnswerFacts::default() },
    };
    let kept = |answer: Option<(String, AnswerFacts)>| {
        answer.map(|(answer, facts)| (facts.stop_reason.as_ref() == Some(&answer)).then_some(answer))
    };
    let answers = [answer(1, 1, false, "one"), answer(2, 1, false, "lost"), answer(3, 2, true, "a\0b")];
    store.keep_answers(&answers).await.unwrap();
    store.keep_answers(&[answer(2, 1, false, "two")]).await.unwrap();
    let keys = store.answered(&run, BatchNum(1), 10).await.unwrap();
    assert_eq!(keys.iter().map(|key| (key.batch.0, key.ordinal)).collect::<Vec<_>>(), [(2, 1), (3, 2)]);
    for (batch, text) in [(2, "two"), (3, "a\0b")] {
        let found = store.kept_answer(&run, BatchNum(batch)).await.unwrap();
        assert_eq!(kept(found), Some(Some(text.to_owned())));
    }
    assert_eq!(store.jobs_with_answers().await.unwrap(), [run.job]);
    store.forget_answers(run.job).await.unwrap();
    assert_eq!(store.answered(&run, BatchNum(0), 10).await.unwrap().len(), 1);
}
