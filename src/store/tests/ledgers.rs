use super::*;

#[tokio::test]
async fn a_saved_ledger_is_loaded_by_the_next_process() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let (store, first) = fixture.with_run(kind).await;
        let second = after_success(&first, 1);
        store.save(&second, &success(1)).await.unwrap();
        drop(store);

        let store = fixture.open(kind).await;
        assert_eq!(store.last_run(first.run.job).await.unwrap(), Some(second.clone()), "{kind:?}");
        assert_eq!(store.load(&first.run).await.unwrap(), Some(second), "{kind:?}");
        assert_eq!(store.plan_text(&first.run).await.unwrap().as_deref(), Some("the plan"), "{kind:?}");
    }
}

#[tokio::test]
async fn a_save_over_somebody_elses_is_a_conflict_and_stores_nothing() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let (store, first) = fixture.with_run(kind).await;
        let ours = after_success(&first, 1);
        store.save(&ours, &success(1)).await.unwrap();
        for seq in [0, 1, 3] {
            let mut stale = after_success(&first, 2);
            stale.seq = seq;
            let refused = store.save(&stale, &success(2)).await;
            assert!(
                matches!(refused, Err(StoreError::Conflict { expected, found: 1 }) if expected == stale.seq.saturating_sub(1)),
                "{kind:?} {seq}: {refused:?}"
            );
        }
        assert_eq!(store.load(&first.run).await.unwrap(), Some(ours.clone()), "{kind:?}");
        store.save(&after_success(&ours, 2), &success(2)).await.unwrap();
    }
}

#[tokio::test]
async fn a_job_keeps_its_uid_and_another_file_of_that_name_gets_its_own() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let store = fixture.open(kind).await;
        let here = Path::new("/here");
        let name: JobName = "review".parse().unwrap();
        let one = store.register_job(&name, Path::new("/a/job.yaml"), here).await.unwrap();
        let two = store.register_job(&name, Path::new("/b/job.yaml"), here).await.unwrap();
        assert_ne!(one, two, "{kind:?}");
        let store = fixture.open(kind).await;
        assert_eq!(store.register_job(&name, Path::new("/a/job.yaml"), here).await.unwrap(), one, "{kind:?}");
        assert_eq!(store.last_run(one).await.unwrap(), None, "{kind:?}");
    }
}

#[tokio::test]
async fn the_next_run_leaves_the_ones_before_as_they_ended() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let (store, first) = fixture.with_run(kind).await;
        let mut ended = after_success(&first, 1);
        (ended.phase, ended.ended) = (RunPhase::Complete, Some(at(9)));
        store.save(&ended, &success(1)).await.unwrap();
        let second = ledger(first.run.job, 2);
        store.begin_run(&second, "another plan").await.unwrap();

        assert!(store.begin_run(&second, "another plan").await.is_err(), "{kind:?}: a run begins once");
        assert_eq!(store.load(&first.run).await.unwrap(), Some(ended), "{kind:?}");
        assert_eq!(store.last_run(first.run.job).await.unwrap(), Some(second), "{kind:?}");
    }
}

#[tokio::test]
async fn a_run_that_is_not_there_is_not_saved() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let (store, first) = fixture.with_run(kind).await;
        let mut other = after_success(&first, 1);
        other.run.run = 7;
        let refused = store.save(&other, &[]).await.unwrap_err().to_string();
        assert!(refused.contains("no longer knows this run"), "{kind:?}: {refused}");
        assert!(store.save(&other, &success(1)).await.is_err(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_ledger_of_a_newer_mozart_is_left_alone() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let store = fixture.open(kind).await;
        let mut newer = ledger(register(&store, "review").await, 1);
        newer.version = ledger::VERSION + 1;
        store.begin_run(&newer, "").await.unwrap();
        let refused = store.load(&newer.run).await;
        assert!(matches!(refused, Err(StoreError::Newer { found: 2, known: 1 })), "{kind:?}: {refused:?}");
    }
}

#[tokio::test]
async fn a_save_that_was_given_up_midway_does_not_hinder_the_next() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let (store, first) = fixture.with_run(kind).await;
        let second = after_success(&first, 1);
        let journal = success(1);
        {
            let save = std::pin::pin!(store.save(&second, &journal));
            // Polled once: it is on its way, and then nobody waits for it.
            let _ = futures::poll!(save);
        }
        let stored = store.load(&first.run).await.unwrap().unwrap();
        assert!(stored == first || stored == second, "{kind:?}: {stored:?}");
        let next = after_success(&stored, 2);
        match store.save(&next, &success(2)).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{kind:?}: {error:?}"),
        }
    }
}
