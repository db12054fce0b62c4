//! What the operator rarely does: with the other tests, everything that its Role lets it do.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{ACCOUNT, Work, audit, edit, kubelet::Played, make, on_the_node, submit, uid5, until};
use crate::attempts::eventually;

fn at_once(_: u32, _: u32) -> Played {
    Played { takes: Duration::ZERO, fails: false }
}

fn credential() -> Value {
    json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartCredential", "metadata": {"name": "default"},
        "spec": {"type": "APIKey", "secretRef": {"name": "anthropic", "key": "api-key"}},
    })
}

fn ended(status: &Value, run: u32, outcome: &str) -> bool {
    status["lastRun"]["number"] == run && status["lastRun"]["outcome"] == outcome
}

#[tokio::test]
async fn a_job_runs_twice_keeps_the_plan_of_its_last_run_and_is_deleted_when_its_time_has_passed() {
    let work = Work::new(at_once).await;
    let (namespace, _operator) = (&work.namespace, work.place.start(ACCOUNT));
    make(namespace, &credential()).await;
    let spec = json!({
        "backend": {"type": "claude_cli"}, "batch": {"size": 1, "totalItems": 3}, "history": {"keepRuns": 1},
    });
    submit(namespace, "twice", &on_the_node(namespace, &spec)).await;
    until(namespace, "twice", "completes", |status| ended(status, 1, "Complete")).await;
    edit(namespace, "twice", &json!({"rerun": {"id": "again", "select": "All"}})).await;
    until(namespace, "twice", "completes again", |status| ended(status, 2, "Complete")).await;
    let plans: Api<ConfigMap> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let plans = || async {
        let found = plans.list(&ListParams::default().labels("mozart.dev/job=twice")).await.unwrap();
        found
            .items
            .into_iter()
            .map(|plan| plan.metadata.labels.unwrap()["mozart.dev/run"].clone())
            .collect::<Vec<String>>()
    };
    eventually("the plan of the first run is gone", || async { plans().await == vec!["2".to_owned()] }).await;
    edit(namespace, "twice", &json!({"ttlSecondsAfterFinished": 0})).await;
    eventually("the job is gone", || async { namespace.jobs().get_opt("twice").await.unwrap().is_none() })
        .await;
    assert_eq!(work.kubelet.lives().len(), 6);
    work.end().await;
}

#[tokio::test]
async fn the_attempt_that_tries_whether_a_limit_is_over_is_listened_to() {
    fn slowly(_: u32, _: u32) -> Played {
        Played { takes: Duration::from_secs(5), fails: false }
    }
    let work = Work::new(slowly).await;
    let namespace = &work.namespace;
    make(namespace, &credential()).await;
    let over = Timestamp::now() - SignedDuration::from_secs(1);
    let gate = json!({"state": "Closed", "until": over.to_string(), "cause": "it was played so", "waits": 1});
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("mozart.dev", "v1alpha1", "MozartCredential"));
    let credentials: Api<DynamicObject> =
        Api::namespaced_with(namespace.client.clone(), &namespace.name, &kind);
    let closed = Patch::Merge(json!({"status": {"gate": gate}}));
    credentials.patch_status("default", &PatchParams::default(), &closed).await.unwrap();
    let _operator = work.place.start(ACCOUNT);
    let spec = json!({"backend": {"type": "claude_cli"}, "batch": {"size": 1, "totalItems": 1}});
    submit(namespace, "tries", &on_the_node(namespace, &spec)).await;
    eventually("its log is asked for", || async {
        audit::operators_in(&namespace.name).iter().any(|asked| asked.what == "pods/log")
    })
    .await;
    until(namespace, "tries", "completes", |status| ended(status, 1, "Complete")).await;
    work.end().await;
}

#[tokio::test]
async fn a_job_makes_its_claim_waits_for_it_and_is_stopped() {
    let work = Work::new(at_once).await;
    let (namespace, _operator) = (&work.namespace, work.place.start(ACCOUNT));
    let spec = json!({
        "workspace": {"volumeClaimTemplate": {"resources": {"requests": {"storage": "1Gi"}}}},
        "batch": {"size": 1, "totalItems": 3},
    });
    submit(namespace, "waits", &on_the_node(namespace, &spec)).await;
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    eventually("its Pod is there", || async {
        pods.list(&ListParams::default()).await.unwrap().items.len() == 1
    })
    .await;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(namespace.client.clone(), &namespace.name);
    assert!(claims.get_opt("waits-workspace").await.unwrap().is_some());
    edit(namespace, "waits", &json!({"stop": {"run": 1, "mode": "Now"}})).await;
    until(namespace, "waits", "is stopped", |status| ended(status, 1, "Failed")).await;
    eventually("its Pod is gone", || async {
        pods.list(&ListParams::default()).await.unwrap().items.is_empty()
    })
    .await;
    work.end().await;
}

#[tokio::test]
async fn a_pod_of_an_attempts_name_that_is_not_ours_is_looked_at_and_left() {
    let work = Work::new(at_once).await;
    let (namespace, _operator) = (&work.namespace, work.place.start(ACCOUNT));
    let spec = json!({
        "suspend": true, "batch": {"size": 1, "totalItems": 1}, "retry": {"baseDelaySeconds": 0},
    });
    let job = submit(namespace, "taken", &on_the_node(namespace, &spec)).await;
    let name = format!("taken-{}-r1-b1-a1", uid5(&job));
    let elsewhere = json!({
        "containers": [{"name": "attempt", "image": "localhost/other:1"}],
        "nodeSelector": {"mozart.dev/nowhere": "true"},
    });
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": elsewhere});
    make(namespace, &pod).await;
    edit(namespace, "taken", &json!({"suspend": false})).await;
    until(namespace, "taken", "completes", |status| ended(status, 1, "Complete")).await;
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    assert!(pods.get_opt(&name).await.unwrap().is_some(), "it is not ours to delete");
    let ran: Vec<String> = work.kubelet.lives().into_iter().map(|life| life.pod).collect();
    assert_eq!(ran, [format!("taken-{}-r1-b1-a2", uid5(&job))]);
    work.end().await;
}
