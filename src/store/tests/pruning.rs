use std::{fs, time::Duration};

use super::*;
use crate::store::prune::Keep;

/// Three ended runs and one that is active, each with a directory.
async fn four_runs(kind: StateKind) -> (Fixture, Local, Uuid) {
    let fixture = Fixture::new();
    let store = fixture.open(kind).await;
    let job = register(&store, "review").await;
    for number in 1..=4 {
        let mut run = ledger(job, number);
        store.begin_run(&run, "the plan").await.unwrap();
        run = after_success(&run, 1);
        if number < 4 {
            (run.phase, run.ended) = (RunPhase::Complete, Some(at(i64::from(number) * 100)));
        }
        store.save(&run, &success(1)).await.unwrap();
        fs::create_dir_all(fixture.home.attempt(&run.run, AttemptKey::first(BatchNum(1))).folder()).unwrap();
    }
    (fixture, store, job)
}

async fn pruned(fixture: &Fixture, store: &Local, job: Uuid, keep: Keep, now: i64) -> Vec<u32> {
    let mut pruned = Vec::new();
    while let Some(run) = store.prune(&fixture.home, job, keep, at(now)).await.unwrap() {
        assert!(!fixture.home.run(&run).exists());
        assert_eq!(store.batches(&run, None, BatchNum(0), 9).await.unwrap(), []);
        pruned.push(run.run);
    }
    pruned
}

#[tokio::test]
async fn so_many_runs_are_kept_and_the_active_one_always() {
    for kind in KINDS {
        let (fixture, store, job) = four_runs(kind).await;
        assert_eq!(
            pruned(&fixture, &store, job, Keep { runs: 3, after_end: None }, 1000).await,
            [1],
            "{kind:?}"
        );
        assert_eq!(
            pruned(&fixture, &store, job, Keep { runs: 0, after_end: None }, 1000).await,
            [2, 3],
            "{kind:?}"
        );
        let left: Vec<u32> = store.runs(job).await.unwrap().iter().map(|ledger| ledger.run.run).collect();
        assert_eq!(left, [4], "{kind:?}");
        let active = RunId { job, run: 4 };
        assert_eq!(store.batches(&active, None, BatchNum(0), 9).await.unwrap().len(), 1, "{kind:?}");
        assert!(fixture.home.run(&active).exists(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_run_is_forgotten_when_its_time_is_over_but_never_the_last_one() {
    for kind in KINDS {
        let (fixture, store, job) = four_runs(kind).await;
        let keep = Keep { runs: 10, after_end: Some(Duration::from_secs(500)) };
        assert_eq!(pruned(&fixture, &store, job, keep, 700).await, [1, 2], "{kind:?}");
        let mut last = after_success(&store.last_run(job).await.unwrap().unwrap(), 2);
        (last.phase, last.ended) = (RunPhase::Complete, Some(at(800)));
        store.save(&last, &success(2)).await.unwrap();
        assert_eq!(pruned(&fixture, &store, job, keep, 2000).await, [3], "{kind:?}");
        assert_eq!(store.last_run(job).await.unwrap(), Some(last.clone()), "{kind:?}");
        assert!(fixture.home.run(&last.run).exists(), "{kind:?}");
        assert_eq!(store.batches(&last.run, None, BatchNum(0), 9).await.unwrap().len(), 2, "{kind:?}");
    }
}
