use std::time::Duration;

use serde_json::json;

use super::*;

const JOB: &str = "00000000-0000-0000-0000-000000000001";

fn pod(batch: u32, uid: &str, version: u64, phase: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": format!("job-00000-r1-b{batch}-a1"), "uid": uid, "resourceVersion": version.to_string(),
            "labels": {"mozart.dev/job-uid": JOB, "mozart.dev/run": "1", "mozart.dev/batch": batch.to_string(),
                "mozart.dev/attempt": "1"}},
        "status": {"phase": phase},
    }))
    .unwrap()
}

fn job() -> Uuid {
    JOB.parse().unwrap()
}

fn uids(store: &Store) -> Vec<String> {
    store.of_job(job()).iter().map(|pod| pod.uid.clone()).collect()
}

fn list(store: &mut Store, pods: &[Pod], now: Instant) {
    store.take(Event::<Pod>::Init, now);
    for pod in pods {
        store.take(Event::InitApply(pod.clone()), now);
    }
    store.take(Event::<Pod>::InitDone, now);
}

#[test]
fn what_was_just_made_is_there_before_the_watch_tells_of_it() {
    let mut store = Store::default();
    store.made(&pod(1, "a", 5, "Pending"), Instant::now());
    assert_eq!(uids(&store), ["a"]);
    store.take(Event::Apply(pod(1, "a", 5, "Pending")), Instant::now());
    store.take(Event::Delete(pod(1, "a", 6, "Pending")), Instant::now());
    assert!(uids(&store).is_empty() && store.jobs().is_empty());
}

#[test]
fn an_older_word_about_a_pod_changes_nothing() {
    let mut store = Store::default();
    store.take(Event::Apply(pod(1, "a", 9, "Failed")), Instant::now());
    assert!(store.take(Event::Apply(pod(1, "a", 8, "Pending")), Instant::now()).is_empty());
    assert!(store.of_job(job())[0].facts.is_over());
}

#[test]
fn a_listing_forgets_what_it_does_not_show_but_for_what_was_made_since_it_began() {
    let mut store = Store::default();
    let began = Instant::now();
    store.made(&pod(1, "old", 3, "Pending"), began - Duration::from_secs(1));
    store.take(Event::<Pod>::Init, began);
    store.made(&pod(2, "new", 9, "Pending"), began + Duration::from_secs(1));
    store.take(Event::InitApply(pod(3, "listed", 4, "Pending")), began);
    store.take(Event::<Pod>::InitDone, began);
    assert_eq!(uids(&store), ["new", "listed"]);
}

#[test]
fn a_released_pod_is_not_shown_though_the_watch_lags() {
    let mut store = Store::default();
    list(&mut store, &[pod(1, "a", 3, "Succeeded")], Instant::now());
    let seen = Arc::clone(&store.of_job(job())[0]);
    store.hide(&seen, true);
    store.take(Event::Apply(pod(1, "a", 4, "Succeeded")), Instant::now());
    list(&mut store, &[pod(1, "a", 4, "Succeeded")], Instant::now());
    assert!(uids(&store).is_empty());
    store.hide(&seen, false);
    assert_eq!(uids(&store), ["a"]);
}

#[test]
fn a_pod_of_the_same_name_made_anew_is_another() {
    let mut store = Store::default();
    list(&mut store, &[pod(1, "a", 3, "Succeeded")], Instant::now());
    let first = Arc::clone(&store.of_job(job())[0]);
    store.hide(&first, true);
    store.take(Event::Apply(pod(1, "b", 5, "Pending")), Instant::now());
    assert_eq!(uids(&store), ["b"]);
    store.take(Event::Delete(pod(1, "a", 6, "Succeeded")), Instant::now());
    assert_eq!(uids(&store), ["b"]);
}

#[test]
fn what_the_watch_is_silent_about_is_gone_when_the_api_server_says_so() {
    let mut store = Store::default();
    let now = Instant::now();
    store.made(&pod(1, "a", 5, "Pending"), now);
    store.made(&pod(2, "b", 6, "Pending"), now);
    let later = now + Duration::from_secs(31);
    let old = store.made_before(later);
    assert_eq!(old.len(), 2);
    store.looked_at(&old[0], None, later);
    store.looked_at(&old[1], Some(&pod(2, "b", 7, "Running")), later);
    assert_eq!(uids(&store), ["b"]);
    assert!(store.made_before(later).is_empty());
}

#[test]
fn only_what_is_seen_otherwise_is_news() {
    let mut store = Store::default();
    store.made(&pod(1, "a", 5, "Pending"), Instant::now());
    assert!(store.take(Event::Apply(pod(1, "a", 5, "Pending")), Instant::now()).is_empty());
    let mut bound = pod(1, "a", 6, "Pending");
    bound.spec.get_or_insert_default().node_name = Some("node".to_owned());
    assert!(store.take(Event::Apply(bound), Instant::now()).is_empty());
    let ended = pod(1, "a", 7, "Failed");
    assert!(store.take(Event::Apply(ended.clone()), Instant::now()).contains(&job()));
    let seen = store.named(job(), "job-00000-r1-b1-a1").unwrap();
    store.hide(&seen, true);
    assert!(store.take(Event::Delete(ended), Instant::now()).is_empty(), "it was released");
}

#[test]
fn a_pod_that_was_seen_to_have_ended_has_whatever_is_told_of_it_later() {
    let mut store = Store::default();
    let seen = |store: &Store| store.of_job(job())[0].sight(Timestamp::UNIX_EPOCH);
    store.take(Event::Apply(pod(1, "a", 3, "Failed")), Instant::now());
    let ended = seen(&store);
    assert!(matches!(ended, Sight::Ended(_)));
    store.take(Event::Apply(pod(1, "a", 4, "Running")), Instant::now());
    assert_eq!(seen(&store), ended);
    store.take(Event::Apply(pod(1, "b", 5, "Running")), Instant::now());
    assert!(matches!(seen(&store), Sight::Live { .. }));
}
