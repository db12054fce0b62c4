//! Every write fails once, and then all after it, until the disk is well again.

use std::io;

use super::*;

const FAULTS: [io::ErrorKind; 2] = [io::ErrorKind::StorageFull, io::ErrorKind::Other];

#[tokio::test]
async fn json_whichever_write_of_a_save_fails_the_ledger_is_the_old_or_the_new_one_and_goes_on() {
    for kind in FAULTS {
        for nth in 1.. {
            let fixture = Fixture::new();
            let (store, first) = fixture.with_run(StateKind::Json).await;
            let before = after_success(&first, 1);
            store.save(&before, &success(1)).await.unwrap();
            let Local::Json(json) = &store else { unreachable!("it was opened as JSON") };

            let after = after_success(&before, 2);
            json.faults().fail_from(nth, kind);
            let saved = store.save(&after, &success(2)).await;
            if !json.faults().heal() {
                saved.unwrap();
                assert!(nth > 6, "a save writes a journal and a file: {nth}");
                break;
            }
            assert_told(&saved.unwrap_err(), kind);

            let store = fixture.open(StateKind::Json).await;
            let stored = store.load(&first.run).await.unwrap().unwrap();
            assert!(stored == before || stored == after, "write {nth}: {stored:?}");
            let next = after_success(&stored, 3);
            store.save(&next, &success(3)).await.unwrap();
            assert_eq!(store.load(&first.run).await.unwrap(), Some(next.clone()));
            let Local::Json(json) = &store else { unreachable!("it was opened as JSON") };
            let told: Vec<u32> =
                json.changes(&first.run).await.unwrap().batches.keys().map(|batch| batch.0).collect();
            let saved: Vec<u32> = next.succeeded.iter().map(|batch| batch.0).collect();
            assert_eq!(told, saved, "write {nth}: the journal tells what was saved, no more");
        }
    }
}

#[tokio::test]
async fn json_whichever_write_of_a_beginning_fails_the_run_begins_when_the_disk_is_well() {
    for nth in 1.. {
        let fixture = Fixture::new();
        let (store, first) = fixture.with_run(StateKind::Json).await;
        let Local::Json(json) = &store else { unreachable!("it was opened as JSON") };
        let second = ledger(first.run.job, 2);
        json.faults().fail_from(nth, io::ErrorKind::StorageFull);
        let begun = store.begin_run(&second, "another plan").await;
        if !json.faults().heal() {
            begun.unwrap();
            assert!(nth > 10, "it writes a ledger, a plan, a journal and a file: {nth}");
            break;
        }
        assert_told(&begun.unwrap_err(), io::ErrorKind::StorageFull);
        match store.last_run(first.run.job).await.unwrap() {
            Some(stored) if stored == first => store.begin_run(&second, "another plan").await.unwrap(),
            stored => assert_eq!(stored.as_ref(), Some(&second), "write {nth}"),
        }
        assert_eq!(store.load(&first.run).await.unwrap(), Some(first), "write {nth}");
        assert_eq!(store.load(&second.run).await.unwrap().as_ref(), Some(&second), "write {nth}");
        let plan = store.plan_text(&second.run).await.unwrap();
        assert_eq!(plan.as_deref(), Some("another plan"), "write {nth}");
    }
}

#[tokio::test]
async fn sqlite_wherever_the_disk_is_full_the_ledger_is_the_last_saved_one_and_goes_on() {
    let fixture = Fixture::new();
    let (store, mut saved) = fixture.with_run(StateKind::Sqlite).await;
    let Local::Sqlite(sqlite) = &store else { unreachable!("it was opened as SQLite") };
    // No further page: saves go on inside the pages that there are, until one needs another.
    let (mut batch, mut refused) = (0, 0);
    while refused < 10 {
        sqlite.pragma("PRAGMA max_page_count = 1".to_owned()).await;
        loop {
            batch += 1;
            let next = after_success(&saved, batch);
            match store.save(&next, &success(batch)).await {
                Ok(()) => saved = next,
                Err(error) => {
                    assert_told(&error, io::ErrorKind::StorageFull);
                    break;
                }
            }
        }
        refused += 1;
        assert_eq!(store.load(&saved.run).await.unwrap().as_ref(), Some(&saved));
        sqlite.pragma("PRAGMA max_page_count = 1000000".to_owned()).await;
        let next = after_success(&saved, batch);
        store.save(&next, &success(batch)).await.unwrap();
        saved = next;
    }
    let all = store.batches(&saved.run, None, BatchNum(0), u32::MAX).await.unwrap();
    assert_eq!(all.len(), saved.succeeded.len() as usize, "history has what was saved, no more");
}

#[tokio::test]
async fn sqlite_that_cannot_be_written_says_so_and_goes_on_when_it_can() {
    let fixture = Fixture::new();
    let (store, first) = fixture.with_run(StateKind::Sqlite).await;
    let Local::Sqlite(sqlite) = &store else { unreachable!("it was opened as SQLite") };
    sqlite.pragma("PRAGMA query_only = 1".to_owned()).await;
    let next = after_success(&first, 1);
    let told = store.save(&next, &success(1)).await.unwrap_err().to_string();
    assert!(told.contains("mozart.db: it cannot be written"), "{told}");
    assert_eq!(store.load(&first.run).await.unwrap(), Some(first));
    sqlite.pragma("PRAGMA query_only = 0".to_owned()).await;
    store.save(&next, &success(1)).await.unwrap();
}

fn assert_told(error: &StoreError, kind: io::ErrorKind) {
    let told = error.to_string();
    let advice = match kind {
        io::ErrorKind::StorageFull => "the disk is full: make room, then run `mozart resume`",
        _ => "the disk or its file system reports an error: see the cause, then run `mozart resume`",
    };
    assert!(
        told.starts_with("cannot ")
            && (told.contains(".json: ") || told.contains("mozart.db: "))
            && told.ends_with(advice),
        "{told}"
    );
}
