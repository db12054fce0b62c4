use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

use jiff::Timestamp;
use secrecy::SecretString;

use super::*;
use crate::engine::gate::GateState;

fn name(key: &str) -> GateName {
    GateName { key: key.to_owned(), credential: "claude.ai login".to_owned(), family: "opus".to_owned() }
}

fn close(holder: &str, at: Timestamp) -> GateReport {
    GateReport::Close { until: None, cause: "429".to_owned(), holder: holder.to_owned(), at }
}

fn now() -> Timestamp {
    "2026-11-22T20:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn what_one_process_tells_another_one_sees() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path().to_owned());
    let (ours, theirs) =
        (FileGates::open(&home, name("a")).unwrap(), FileGates::open(&home, name("a")).unwrap());
    assert!(ours.look().await.is_open());

    let told = theirs.report(close("x", now())).await.unwrap();
    ours.changed().await;
    assert_eq!(ours.look().await, told);
    assert!(!told.is_open());

    let told = theirs.report(GateReport::Accepted { holder: "x".to_owned(), at: now() }).await.unwrap();
    ours.changed().await;
    assert_eq!(ours.look().await, told);
    assert_eq!(told.state, GateState::Open);
}

#[tokio::test]
async fn a_gate_is_listed_with_its_name_and_no_other_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path().to_owned());
    assert_eq!(FileGates::list(&home).unwrap(), []);
    let (one, other) =
        (FileGates::open(&home, name("a")).unwrap(), FileGates::open(&home, name("b")).unwrap());
    let gate = one.report(close("x", now())).await.unwrap();
    assert_eq!(FileGates::list(&home).unwrap(), [NamedGate { name: name("a"), gate }]);
    assert!(other.look().await.is_open());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_want_to_be_the_canary_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let home = Arc::new(Home::new(folder.path().to_owned()));
    let closed = FileGates::open(&home, name("a")).unwrap().report(close("x", now())).await.unwrap();
    let GateState::Closed { until, .. } = closed.state else { panic!("{closed:?}") };
    let claims = (0..16).map(|number| {
        let home = Arc::clone(&home);
        tokio::spawn(async move {
            let gates = FileGates::open(&home, name("a")).unwrap();
            let holder = number.to_string();
            let gate =
                gates.report(GateReport::ClaimCanary { holder: holder.clone(), at: until }).await.unwrap();
            matches!(gate.state, GateState::Canary { holder: canary, .. } if canary == holder)
        })
    });
    let mut canaries = 0;
    for claim in claims.collect::<Vec<_>>() {
        canaries += u32::from(claim.await.unwrap());
    }
    assert_eq!(canaries, 1);
}

#[tokio::test]
async fn a_gate_that_makes_no_sense_counts_as_open_and_can_be_closed() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path().to_owned());
    let gates = FileGates::open(&home, name("a")).unwrap();
    fs::write(home.gates().join("a.json"), "{\"torn").unwrap();
    assert!(gates.look().await.is_open());
    assert!(!gates.report(close("x", now())).await.unwrap().is_open());
}

#[tokio::test]
async fn whichever_write_fails_the_gate_is_the_old_or_the_new_one() {
    for nth in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().to_owned());
        let gates = FileGates::open(&home, name("a")).unwrap();
        let before = gates.report(close("x", now())).await.unwrap();
        let hold = GateReport::Hold { cause: "credit balance".to_owned(), at: now() };
        let after = before.after(&hold);
        gates.files.faults.fail_from(nth, io::ErrorKind::StorageFull);
        let told = gates.report(hold.clone()).await;
        if !gates.files.faults.heal() {
            assert_eq!(told.unwrap(), after);
            assert!(nth > 4, "{nth}");
            break;
        }
        let error = told.unwrap_err().to_string();
        assert!(error.starts_with("cannot write the gate") && error.contains("the disk is full"), "{error}");
        let seen = gates.look().await;
        assert!(seen == before || seen == after, "write {nth}: {seen:?}");
        assert_eq!(gates.report(hold).await.unwrap(), after);
    }
}

#[test]
fn a_key_is_stable_for_its_user_and_tells_credentials_families_and_users_apart() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = Home::new(folder.path().to_owned());
    let secret = SecretString::from("sk-ant-1".to_owned());
    let api = |endpoint| Credential::ApiKey { key: &secret, endpoint };
    let key = |credential, family| gate_key(&home, credential, family).unwrap();
    let keys = [
        key(api("https://a"), "opus"),
        key(api("https://a"), "sonnet"),
        key(api("https://b"), "opus"),
        key(Credential::Login("sk-ant-1"), "opus"),
        key(Credential::Program("sk-ant-1"), "opus"),
        gate_key(&Home::new(other.path().to_owned()), api("https://a"), "opus").unwrap(),
    ];
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "{keys:?}");
    assert_eq!(keys[0], key(api("https://a"), "opus"));
    let mode = fs::metadata(home.gates().join("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
