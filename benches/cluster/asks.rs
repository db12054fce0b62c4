//! Batches in the operator's own process, beside a bare loop of requests to the same service of the bench's own.

use std::time::{Duration, Instant};

use axum::{Json, Router, routing::post};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{ApiResource, DynamicObject},
};
use mozart::cluster::{operator::Scope, role::Installation};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    audit::{Mark, OPERATOR},
    jobs::{Job, batches},
    kubernetes::{HOME, Kubernetes, audit_log, make, within},
    operator::Operator,
    peak::megabytes,
    report::Report,
    sample::Sample,
};

const ROUNDS: u32 = 3;
const BATCHES: u32 = 5000;
const PARALLELISM: u32 = 50;
/// What an ordinary answer takes here.
const USUAL: Duration = Duration::from_millis(200);
/// Even a machine that does much else is done by then.
const LONGEST: Duration = Duration::from_mins(5);

/// 5,000 batches, 50 at a time, answered at once and after 200 ms.
pub async fn compare(report: &Report, kubernetes: &Kubernetes) {
    let (batches, parallelism) = (batches(BATCHES), PARALLELISM);
    let operator = Operator::start(kubernetes);
    let what = |delay: Duration| {
        format!(
            "{batches} batches in process, {parallelism} at a time, answers after {} ms",
            delay.as_millis()
        )
    };
    let (mut own, mut bare) = (Sample::default(), Sample::default());
    let at_once = service(Duration::ZERO).await;
    for _round in 0..ROUNDS {
        bare.push(loop_of_requests(&at_once, batches, parallelism).await);
        own.push(mozart(kubernetes, &at_once, batches, parallelism).await.took);
    }
    let beyond = own.median().as_secs_f64() - bare.median().as_secs_f64();
    let a_batch = beyond * 1000.0 / f64::from(batches);
    report.bound(
        &what(Duration::ZERO),
        &format!("{}, {a_batch:.2} ms a batch more", own.text()),
        &format!("bare loop of requests {}", bare.text()),
        "at most 1 ms a batch more",
        a_batch <= 1.0,
    );
    let slow = service(USUAL).await;
    let bare = loop_of_requests(&slow, batches, parallelism).await;
    let ran = mozart(kubernetes, &slow, batches, parallelism).await;
    let ideal = USUAL * batches / parallelism;
    let ratio = ideal.as_secs_f64() / ran.took.as_secs_f64();
    let took = format!("{:.2} s", ran.took.as_secs_f64());
    let wanted = format!(
        "nothing but the waits {:.2} s (bare loop of requests {:.2} s)",
        ideal.as_secs_f64(),
        bare.as_secs_f64()
    );
    report.at_least(&what(USUAL), &took, &wanted, ratio, 0.98);
    let most = u32::try_from(ran.took.as_secs()).unwrap_or(u32::MAX) + batches / parallelism + 5;
    let wanted = format!("at most {most}: its seconds, a {parallelism}th of its batches, and 5");
    report.bound("writes of its status", &ran.saves.to_string(), "", &wanted, ran.saves <= most);
    let memory = megabytes(operator.peak());
    report.bound("peak memory", &format!("{memory:.1} MB"), "", "less than 60 MB", memory < 60.0);
}

/// The address of a service that answers after `delay`.
async fn service(delay: Duration) -> String {
    let answer = move || async move {
        tokio::time::sleep(delay).await;
        Json(answer())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new().route("/v1/messages", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn answer() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5",
        "content": [{"type": "text", "text": "Nothing was found."}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 1000, "output_tokens": 100},
    })
}

/// The same requests without anything around them.
async fn loop_of_requests(address: &str, batches: u32, parallelism: u32) -> Duration {
    // An error says only that another was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let began = Instant::now();
    let ask = |batch: u32| {
        let content = format!("batch {batch}");
        let body = json!({"model": "claude-opus-5-5", "max_tokens": 8192, "stream": true,
            "messages": [{"role": "user", "content": content}]});
        let request = client.post(format!("{address}/v1/messages")).json(&body);
        async move {
            let response = request.send().await.expect("the service answers");
            response.bytes().await.expect("whole").len()
        }
    };
    let asked = stream::iter(1..=batches).map(ask).buffer_unordered(parallelism as usize);
    assert_eq!(asked.count().await, batches as usize);
    began.elapsed()
}

/// A run of one job.
struct Ran {
    took: Duration,
    /// Writes of the job's status.
    saves: u32,
}

/// Runs one job, from its making until it is complete.
async fn mozart(kubernetes: &Kubernetes, address: &str, batches: u32, parallelism: u32) -> Ran {
    let namespace = kubernetes.namespace().await;
    credential(kubernetes, &namespace, address).await;
    let job = Job { name: "asks", batches, parallelism, pretends: json!({}) };
    let mut manifest = job.manifest();
    let spec = manifest["spec"].as_object_mut().expect("a job has a spec");
    for name in ["workspace", "pod"] {
        spec.remove(name);
    }
    spec.insert("backend".to_owned(), json!({"type": "anthropic_api", "model": "claude-opus-5-5"}));
    spec.insert("output".to_owned(), json!({"store": "ConfigMaps"}));
    let jobs = kubernetes.jobs(&namespace);
    let (mark, began) = (Mark::end(audit_log()), Instant::now());
    make(&jobs, manifest).await;
    job.complete(&jobs, LONGEST).await;
    let took = began.elapsed();
    let saves = mark.since(OPERATOR).await.of("patch mozartjobs/status");
    kubernetes.delete(namespace).await;
    Ran { took, saves }
}

/// A key that the operator may read, for this address.
async fn credential(kubernetes: &Kubernetes, namespace: &str, address: &str) {
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Secret", "type": "mozart.dev/credential",
            "metadata": {"name": "anthropic"}, "stringData": {"api-key": "sk-bench"}}),
        json!({"apiVersion": "mozart.dev/v1alpha1", "kind": "MozartCredential", "metadata": {"name": "default"},
            "spec": {"type": "APIKey", "secretRef": {"name": "anthropic", "key": "api-key"}, "baseURL": address}}),
    ];
    let operator = Installation {
        name: "mozart".to_owned(),
        namespace: HOME.to_owned(),
        scope: Scope::Cluster,
        visitors: false,
    };
    let granted = operator.grant(namespace, "anthropic").expect("it is YAML");
    let documents = granted.split("---\n").filter(|document| !document.is_empty());
    objects.extend(documents.map(|document| serde_saphyr::from_str::<Value>(document).expect("it is YAML")));
    for object in objects {
        let read: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        let kind = read.types.as_ref().expect("its kind is written").try_into().expect("a kind");
        let kind = ApiResource::from_gvk(&kind);
        make(&Api::<DynamicObject>::namespaced_with(kubernetes.client.clone(), namespace, &kind), object)
            .await;
    }
    // A right is in force a moment after it is given; whoever is refused looks again after seconds.
    let secrets: Api<Secret> = Api::namespaced(kubernetes.account.clone(), namespace);
    within(LONGEST, "the right on the Secret", async {
        while secrets.get("anthropic").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
