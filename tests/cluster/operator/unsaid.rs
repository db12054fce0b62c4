//! S-06: what is secret is said nowhere, however talkative the operator is and whatever goes wrong with it.

use axum::{Router, http::StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::{core::v1::ConfigMap, events::v1::Event};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    ACCOUNT, Place, account,
    in_process::{LOOPBACK, asking, credential, grant},
    make, submit, until,
};
use crate::{
    attempts::eventually,
    fake_api::{FakeApi, Reply},
    support::Namespace,
};

const KEY: &str = "sk-ant-canary-5d1f20";
const HOOK: &str = "canary-hook-81c3";
const SIGNS: &str = "canary-signs-77ab";
const SLACK: &str = "canary-slack-0e9d";

/// A Secret for who is told, which the operator may read.
async fn secret(namespace: &Namespace, name: &str, value: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "mozart.dev/webhook",
        "metadata": {"name": name}, "stringData": {"value": value},
    });
    make(namespace, &secret).await;
    grant(namespace, name, namespace).await;
}

/// Everything in the namespace that is not a Secret and that Mozart writes, as text.
async fn written(namespace: &Namespace) -> String {
    let (client, name) = (&namespace.client, namespace.name.as_str());
    let all = ListParams::default();
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("mozart.dev", "v1alpha1", "MozartCredential"));
    let credentials: Api<DynamicObject> = Api::namespaced_with(client.clone(), name, &kind);
    let events: Api<Event> = Api::namespaced(client.clone(), name);
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), name);
    let events = events.list(&all).await.unwrap().items;
    assert!(!events.is_empty());
    let maps = maps.list(&all).await.unwrap().items;
    let plans =
        maps.iter().filter(|map| map.metadata.name.as_ref().is_some_and(|name| name.contains("plan")));
    assert!(plans.count() > 0);
    let jobs = namespace.jobs().list(&all).await.unwrap().items;
    json!([jobs, credentials.list(&all).await.unwrap().items, events, maps]).to_string()
}

#[tokio::test]
async fn canary_values_of_all_secrets_are_in_no_log_no_event_no_status_and_no_config_map() {
    // One job is answered, the other refused.
    let api = FakeApi::start(|request| {
        if request.said().contains("refused") {
            Reply::error(401, "authentication_error", "invalid x-api-key")
        } else {
            Reply::text("well")
        }
    })
    .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}/{HOOK}?token={HOOK}", listener.local_addr().unwrap());
    let router = Router::new().fallback(async || StatusCode::NOT_FOUND);
    tokio::spawn(async move { axum::serve(listener, router).await });

    let namespace = Namespace::new().await;
    account(&namespace, ACCOUNT).await;
    credential(&namespace, KEY, api.url(), &namespace).await;
    secret(&namespace, "hook", &hook).await;
    secret(&namespace, "signs", SIGNS).await;
    // Nobody listens there.
    secret(&namespace, "slack", &format!("http://127.0.0.1:1/services/{SLACK}")).await;
    let place = Place::new(&namespace).logging("debug");
    place.login(&namespace, ACCOUNT, None).await;
    let _operator = place.start_with(ACCOUNT, &LOOPBACK);
    let from = |name: &str| json!({"secretKeyRef": {"name": name, "key": "value"}});
    let notifications = json!([
        {"type": "webhook", "urlFrom": from("hook"), "secretFrom": from("signs"), "onEvents": ["job_start"]},
        {"type": "slack", "urlFrom": from("slack")},
    ]);
    let batch = json!({"size": 1, "totalItems": 3});
    submit(&namespace, "asks", &asking(&json!({"batch": batch, "notifications": notifications}))).await;
    until(&namespace, "asks", "completes and says which sink takes nothing", |status| {
        let mut conditions = status["conditions"].as_array().into_iter().flatten();
        status["phase"] == "Complete"
            && conditions.any(|one| one["type"] == "NotificationsFailing" && one["status"] == "True")
    })
    .await;
    let refused = json!({"batch": batch, "prompt": {"template": "This is batch 1. It is refused."}});
    submit(&namespace, "refused", &asking(&refused)).await;
    until(&namespace, "refused", "fails", |status| status["phase"] == "Failed").await;
    eventually("Slack was tried again", || async { place.said(ACCOUNT).contains("delivery is tried again") })
        .await;

    let (said, written) = (place.said(ACCOUNT), written(&namespace).await);
    let talks = |line: &Value| {
        line["level"] == "DEBUG" && line["target"].as_str().is_some_and(|of| !of.starts_with("mozart"))
    };
    assert!(place.log(ACCOUNT).iter().any(talks), "the parts that Mozart is made of are at debug too");
    for canary in [KEY, HOOK, SIGNS, SLACK] {
        for canary in [canary.to_owned(), STANDARD.encode(canary)] {
            assert!(!said.contains(&canary), "{canary} is in the log");
            assert!(!written.contains(&canary), "{canary} is in an object");
        }
    }
    namespace.delete().await;
}
