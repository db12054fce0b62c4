//! Batches in the operator's own process, which is killed again and again: what the service was asked, and what of its
//! answers can be read.
//!
//! `MOZART_TEST_BATCHES` says of how many batches the job is (60 unless it is set), `MOZART_TEST_SEED` repeats a choice of
//! moments.

use std::{process::Stdio, time::Duration};

use kube::ResourceExt as _;
use mozart::{
    cluster::{operator::Scope, outputs, role::Installation},
    engine::ranges::Ranges,
    job::identity::{BatchNum, RunId},
};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{ACCOUNT, Place, account, make, setting, submit, until};
use crate::{
    attempts::eventually,
    fake_api::{FakeApi, MODEL, Reply, Request},
    support::Namespace,
};

/// How many ask at once.
const PARALLELISM: u32 = 4;
/// What lets the operator ask a service of the test's own.
pub const LOOPBACK: [&str; 2] = ["--allow-address", "127.0.0.0/8"];

/// Makes the credential `default` of a key of the namespace that is sent to `url`. An operator may read the key, if its
/// namespace is given.
pub async fn credential(namespace: &Namespace, key: &str, url: &str, operator_in: &Namespace) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "mozart.dev/credential",
        "metadata": {"name": "anthropic"}, "stringData": {"api-key": key},
    });
    make(namespace, &secret).await;
    grant(namespace, "anthropic", operator_in).await;
    let credential = json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartCredential", "metadata": {"name": "default"},
        "spec": {"type": "APIKey", "secretRef": {"name": "anthropic", "key": "api-key"}, "baseURL": url},
    });
    make(namespace, &credential).await;
}

/// Does what `mozart grant` prints.
pub async fn grant(namespace: &Namespace, secret: &str, operator_in: &Namespace) {
    let installation = Installation {
        name: ACCOUNT.to_owned(),
        namespace: operator_in.name.clone(),
        scope: Scope::Namespaces(vec![namespace.name.clone()]),
        visitors: false,
    };
    print_and_make(namespace, &installation, secret).await;
}

async fn print_and_make(namespace: &Namespace, installation: &Installation, secret: &str) {
    let printed = installation.grant(&namespace.name, secret).unwrap();
    for document in printed.split("---\n").filter(|document| !document.is_empty()) {
        make(namespace, &serde_saphyr::from_str(document).unwrap()).await;
    }
}

/// A spec whose batches ask the service from the operator's process.
pub fn asking(more: &Value) -> Value {
    let mut spec = json!({
        "backend": {"type": "anthropic_api", "model": MODEL},
        "output": {"store": "ConfigMaps"},
        "prompt": {"template": "This is batch {{ batch_num }}."},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

/// The batch that a request is of.
fn batch_of(request: &Request) -> String {
    let said = request.said();
    said.split("This is batch ").nth(1).and_then(|rest| rest.split('.').next()).unwrap().to_owned()
}

/// Every answer that counts can be read, and is the one that its batch got. Returns how many count.
async fn check(namespace: &Namespace, run: &RunId) -> u32 {
    let job = namespace.jobs().get("asks").await.unwrap();
    let done = job.data["status"]["checkpoint"]["succeeded"].as_str().unwrap_or_default().to_owned();
    let done: Ranges = done.parse().unwrap();
    // Read after the ledger was.
    let kept = outputs::read(&namespace.client, &namespace.name, run).await.unwrap();
    for BatchNum(batch) in done.iter() {
        let answer = &kept.get(&BatchNum(batch)).unwrap_or_else(|| panic!("no answer of {batch}")).answer;
        assert_eq!(*answer, format!("the answer of {batch}"));
    }
    done.len()
}

/// I3 of reliability, in process: what a crash costs is bounded.
#[tokio::test]
async fn every_answer_that_counts_is_kept_and_few_are_asked_again_however_often_the_operator_is_killed() {
    let batches = u32::try_from(setting("MOZART_TEST_BATCHES").unwrap_or(60)).unwrap();
    let seed = setting("MOZART_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("MOZART_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let api = FakeApi::start(|request| {
        Reply::text(&format!("the answer of {}", batch_of(request))).after(Duration::from_millis(500))
    })
    .await;
    let namespace = Namespace::new().await;
    account(&namespace, ACCOUNT).await;
    credential(&namespace, "sk-ant-canary-asks", api.url(), &namespace).await;
    let place = Place::new(&namespace);
    place.login(&namespace, ACCOUNT, None).await;
    let batch = json!({"batch": {"size": 1, "totalItems": batches, "parallelism": PARALLELISM}});
    let job = submit(&namespace, "asks", &asking(&batch)).await;
    let run = RunId { job: job.uid().unwrap().parse().unwrap(), run: 1 };
    let mut kills = 0;
    {
        let complete =
            until(&namespace, "asks", "completes", |status| status["lastRun"]["outcome"] == "Complete");
        let mut complete = std::pin::pin!(complete);
        loop {
            let mut operator = place.start_with(ACCOUNT, &LOOPBACK);
            tokio::select! {
                () = &mut complete => break,
                ended = operator.wait() => panic!("it ended by itself: {ended:?}"),
                () = tokio::time::sleep(Duration::from_millis(random.u64(700..2000))) => {}
            }
            operator.kill().await.unwrap();
            kills += 1;
            check(&namespace, &run).await;
        }
    }
    assert_eq!(check(&namespace, &run).await, batches);
    let extra = api.requests().len() - batches as usize;
    let bound = kills * 2 * PARALLELISM as usize;
    println!(
        "{batches} batches in process, {kills} kills: every answer that counted was there, {extra} asked again, \
         {bound} at most wanted"
    );
    assert!(kills > 0 && extra <= bound, "{extra} more requests in {kills} deaths");
    namespace.delete().await;
}

/// What `mozart doctor` says of a Secret.
async fn doctor(namespace: &Namespace, secret: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_mozart"))
        .args(["doctor", "--namespace", &namespace.name, "-o", "json"])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut checks = said["checks"].as_array().unwrap().iter();
    checks.find(|one| one["name"] == format!("Secret {secret}")).cloned().unwrap_or_default()
}

#[tokio::test]
async fn the_doctor_says_which_secret_the_operator_may_not_read_and_what_grants_it() {
    let namespace = Namespace::new().await;
    let credential = json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartCredential", "metadata": {"name": "default"},
        "spec": {"type": "APIKey", "secretRef": {"name": "anthropic", "key": "api-key"}},
    });
    make(&namespace, &credential).await;
    submit(&namespace, "asks", &asking(&json!({"batch": {"size": 1, "totalItems": 1}}))).await;
    let found = doctor(&namespace, "anthropic").await;
    let grants = format!("mozart grant -n {} anthropic", namespace.name);
    assert!(found["advice"].as_str().is_some_and(|advice| advice.contains(&grants)), "{found}");
    // As the advice has it: the account of an installation that nobody sees is called mozart, in mozart.
    let installation = Installation {
        name: ACCOUNT.to_owned(),
        namespace: "mozart".to_owned(),
        scope: Scope::Namespaces(vec![namespace.name.clone()]),
        visitors: false,
    };
    print_and_make(&namespace, &installation, "anthropic").await;
    eventually("it may be read", || async {
        doctor(&namespace, "anthropic").await["found"] == "the operator may read it"
    })
    .await;
    namespace.delete().await;
}
