//! One account, used by Pods of one namespace and by the operator's process for another: what its service was asked
//! before, during and after a limit. The service's own log is the witness.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};

use super::{super::eventually, IMAGE, claude::reachable};
use crate::{
    fake_api::{FakeApi, MODEL, Reply, Request, unified_limit},
    operator::{ACCOUNT, Place, account_for, in_process, make, submit, until},
    support::Namespace,
};

/// From the question of a batch to its answer.
const ANSWERS_AFTER: Duration = Duration::from_secs(1);

/// A question, as the service saw it.
#[derive(Clone, Debug)]
struct Asked {
    at: Timestamp,
    /// `pods` or `process`: what asked.
    who: &'static str,
    answered: bool,
}

/// An account that may be limited until some time, and what it was asked.
#[derive(Clone, Default)]
struct Account {
    reset: Arc<Mutex<Option<Timestamp>>>,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Account {
    fn answer(&self, request: &Request) -> Reply {
        let at = Timestamp::now();
        let who = if request.header("x-api-key").is_empty() { "pods" } else { "process" };
        let limit = self.limit().filter(|reset| at < *reset);
        lock(&self.log).push(Asked { at, who, answered: limit.is_none() });
        match limit {
            Some(reset) => Reply::error(429, "rate_limit_error", "the plan's window")
                .headers(unified_limit("rejected", 1.0, reset)),
            None => Reply::text("done").after(ANSWERS_AFTER),
        }
    }

    fn limit(&self) -> Option<Timestamp> {
        *lock(&self.reset)
    }

    /// From now on everybody who asks is refused, until then.
    fn limit_until(&self, reset: Timestamp) {
        *lock(&self.reset) = Some(reset);
    }

    fn log(&self) -> Vec<Asked> {
        lock(&self.log).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn gate(namespace: &Namespace) -> Value {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("mozart.dev", "v1alpha1", "MozartCredential"));
    let api: Api<DynamicObject> = Api::namespaced_with(namespace.client.clone(), &namespace.name, &kind);
    api.get("default").await.unwrap().data["status"]["gate"].clone()
}

/// A namespace whose jobs run Claude Code in Pods, on a login of the account.
async fn with_pods(url: &str) -> Namespace {
    let namespace = Namespace::restricted().await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"},
        "stringData": {"token": "sk-ant-oat01-canary"},
    });
    make(&namespace, &secret).await;
    let credential = json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartCredential", "metadata": {"name": "default"},
        "spec": {"type": "OAuthToken", "secretRef": {"name": "login", "key": "token"}, "baseURL": url},
    });
    make(&namespace, &credential).await;
    namespace
}

/// So many batches, none of which may fail even once.
fn batches(count: u32) -> Value {
    json!({"batch": {"size": 1, "totalItems": count, "parallelism": 2}, "retry": {"maxRetries": 0}})
}

fn claude(more: &Value) -> Value {
    let mut spec = json!({
        "workspace": {"emptyDir": {}},
        "backend": {"type": "claude_cli", "model": MODEL},
        "prompt": {"template": "This is batch {{ batch_num }}."},
        "pod": {"image": IMAGE},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

/// R-23 in a cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_limit_stops_pods_and_process_until_its_reset_though_the_operator_is_killed_in_the_wait() {
    let account = Account::default();
    let home = Namespace::new().await;
    let listener = reachable(&home).await;
    let address = listener.local_addr().unwrap().ip().to_string();
    let api = FakeApi::start_on(listener, {
        let account = account.clone();
        move |request| account.answer(request)
    });
    let pods = with_pods(api.url()).await;
    account_for(&home, ACCOUNT, &[&home, &pods]).await;
    in_process::credential(&home, "sk-ant-canary-process", api.url(), &home).await;
    let place = Place::new(&home);
    place.login(&home, ACCOUNT, None).await;
    let arguments = ["--allow-address", &address, "--namespace", &home.name, "--namespace", &pods.name];
    let mut operator = place.start_with(ACCOUNT, &arguments);
    let answered = async |who: &'static str| {
        eventually(who, || async { account.log().iter().any(|asked| asked.who == who) }).await;
    };
    submit(&pods, "runs", &claude(&batches(6))).await;
    answered("pods").await;
    submit(&home, "asks", &in_process::asking(&batches(20))).await;
    answered("process").await;

    account.limit_until(Timestamp::now() + SignedDuration::from_secs(60));
    eventually("both gates are closed", || async {
        gate(&home).await["state"] == "Closed" && gate(&pods).await["state"] == "Closed"
    })
    .await;
    // What was in flight when the limit came still meets it.
    for (namespace, job) in [(&home, "asks"), (&pods, "runs")] {
        until(namespace, job, "rests", |status| status["batches"]["running"] == 0).await;
    }
    let quiet = Timestamp::now();
    operator.kill().await.unwrap();
    let operator = place.start_with(ACCOUNT, &arguments);
    for (namespace, job) in [(&home, "asks"), (&pods, "runs")] {
        until(namespace, job, "completes", |status| status["lastRun"]["outcome"] == "Complete").await;
        let status = namespace.jobs().get(job).await.unwrap().data["status"].clone();
        assert_eq!(status["checkpoint"]["failed"], "", "no try was counted: {status:#}");
    }
    drop(operator);

    let (log, reset) = (account.log(), account.limit().unwrap());
    assert!(quiet < reset, "the wait was over before the operator was killed");
    let waiting: Vec<&Asked> = log.iter().filter(|asked| asked.at >= quiet && asked.at < reset).collect();
    assert!(waiting.is_empty(), "asked before the reset: {waiting:#?}");
    let refused = log.iter().filter(|asked| !asked.answered).count();
    assert!(refused <= 4, "those in flight were refused, each once: {refused}");
    for who in ["pods", "process"] {
        let after: Vec<&Asked> = log.iter().filter(|asked| asked.who == who && asked.at >= reset).collect();
        let (canary, next) = (after[0], after[1]);
        let alone = next.at.duration_since(canary.at).unsigned_abs();
        assert!(canary.answered && alone >= ANSWERS_AFTER, "one tries it alone ({who}): {alone:?}");
    }
    for namespace in [home, pods] {
        namespace.delete().await;
    }
}
