//! Who is told of a job: against receivers on loopback, in real time, since sockets know no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header::LOCATION},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{StreamExt as _, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use super::{JOB, condition, failed, job, pods, status, until_within, well};
use crate::cluster::{
    outgoing::Outgoing,
    testing::{ApiServer, Kubelet, Operator, Played},
};

const SECRETS: &str = "/api/v1/namespaces/team/secrets/";
const SIGNED_WITH: &str = "a secret of the receiver";

/// What was told to a path.
#[derive(Clone, Debug)]
pub(super) struct Told {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Told {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn id(&self) -> String {
        self.headers["webhook-id"].to_str().unwrap().to_owned()
    }
}

/// A receiver that takes what is told, each path in its way.
#[derive(Clone, Default)]
pub(super) struct Receiver {
    told: Arc<Mutex<Vec<Told>>>,
    port: u16,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        let router = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn told(&self, path: &str) -> Vec<Told> {
        self.told.lock().unwrap().iter().filter(|told| told.path == path).cloned().collect()
    }
}

async fn take(State(receiver): State<Receiver>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    receiver.told.lock().unwrap().push(Told { path: path.clone(), headers, body });
    match path.as_str() {
        "/hangs" => std::future::pending().await,
        "/fails" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "/gone" => StatusCode::NOT_FOUND.into_response(),
        "/forbids" => StatusCode::FORBIDDEN.into_response(),
        "/turns" => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, receiver.url("/turns"))]).into_response(),
        "/inside" => {
            (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, receiver.url("/elsewhere"))]).into_response()
        }
        "/drips" => Body::from_stream(stream::repeat("x").then(async |drop| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(drop)
        }))
        .into_response(),
        "/floods" => vec![b'x'; 10 << 20].into_response(),
        _ => StatusCode::OK.into_response(),
    }
}

/// A Secret that was made for what is told.
fn put_secret(server: &ApiServer, name: &str, kind: &str, value: &str) {
    server.put(
        &format!("{SECRETS}{name}"),
        json!({"apiVersion": "v1", "kind": "Secret", "type": kind,
            "metadata": {"name": name, "namespace": "team"}, "data": {"value": STANDARD.encode(value)}}),
    );
}

fn from(secret: &str) -> Value {
    json!({"secretKeyRef": {"name": secret, "key": "value"}})
}

/// A job of so many batches that tells these.
fn telling(batches: u32, notifications: Value) -> Value {
    let mut job = job(batches, batches);
    job["spec"]["notifications"] = notifications;
    job
}

/// Waits, a minute at most, until that is so.
async fn until(server: &ApiServer, what: &str, so: impl FnMut(&ApiServer) -> bool) {
    until_within(Duration::from_mins(1), server, what, so).await;
}

async fn until_phase(server: &ApiServer, phase: &str) {
    until(server, phase, |server| status(server)["phase"] == phase).await;
}

fn outbox(server: &ApiServer) -> Vec<Value> {
    status(server)["checkpoint"]["outbox"].as_array().cloned().unwrap_or_default()
}

async fn until_told(receiver: &Receiver, path: &str, count: usize) {
    let waited = tokio::time::timeout(Duration::from_mins(1), async {
        while receiver.told(path).len() < count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{path} was told {:?}", receiver.told(path));
}

fn hostile(batch: u32, ordinal: u32) -> Played {
    if batch == 2 {
        failed("batch_fatal", &json!({"message": "<!channel> <https://evil.example|read this> & more"}))
    } else {
        well(batch, ordinal)
    }
}

/// S-14 and S-15.
#[tokio::test]
async fn a_webhook_is_signed_and_slack_gets_no_mention_no_link_and_no_command() {
    let (receiver, server) = (Receiver::start().await, ApiServer::default());
    let _kubelet = Kubelet::start(&server, hostile);
    put_secret(&server, "hook", "mozart.dev/webhook", &receiver.url("/hook"));
    put_secret(&server, "signs", "mozart.dev/webhook", SIGNED_WITH);
    put_secret(&server, "slack", "mozart.dev/webhook", &receiver.url("/slack"));
    let events = json!(["job_start", "batch_complete", "batch_failed", "job_failed"]);
    let hook =
        json!({"type": "webhook", "urlFrom": from("hook"), "secretFrom": from("signs"), "onEvents": events});
    let slack = json!({"type": "slack", "urlFrom": from("slack"), "onEvents": events});
    server.put(JOB, telling(2, json!([hook, slack])));
    let operator = Operator::start(&server);
    until_phase(&server, "Failed").await;
    until(&server, "an empty outbox", |server| outbox(server).is_empty()).await;

    let told = receiver.told("/hook");
    let events: BTreeSet<String> =
        told.iter().map(|told| told.json()["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        events,
        ["batch_complete", "batch_failed", "job_failed", "job_start"].map(str::to_owned).into()
    );
    let ids: BTreeSet<String> = told.iter().map(Told::id).collect();
    assert_eq!(ids.len(), 4, "each has an id of its own");
    for one in &told {
        let header = |name: &str| one.headers[name].to_str().unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(SIGNED_WITH.as_bytes()).unwrap();
        mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
        mac.update(&one.body);
        let signature = header("webhook-signature").strip_prefix("v1,").unwrap();
        mac.verify_slice(&STANDARD.decode(signature).unwrap()).unwrap();
        assert_eq!(one.json()["job"]["name"], "night");
    }
    let texts: Vec<String> =
        receiver.told("/slack").iter().map(|told| told.json()["text"].as_str().unwrap().to_owned()).collect();
    assert!(texts.iter().any(|text| text.contains("&lt;!channel&gt;")), "{texts:?}");
    assert!(texts.iter().all(|text| !text.contains(['<', '>'])), "{texts:?}");
    let all: String = server.all("/apis/").iter().map(Value::to_string).collect();
    assert!(!all.contains("/hook") && !all.contains(SIGNED_WITH), "an address is a secret");
    operator.stop().await;
}

/// R-26 in the cluster.
#[tokio::test]
async fn sinks_that_hang_fail_turn_drip_or_flood_delay_no_batch_and_no_other_sink() {
    let (receiver, server) = (Receiver::start().await, ApiServer::default());
    let _kubelet = Kubelet::start(&server, well);
    let hook =
        |url: String| json!({"type": "webhook", "url": url, "onEvents": ["batch_start", "job_complete"]});
    let mut sinks: Vec<Value> = ["/hangs", "/fails", "/turns", "/drips", "/floods"]
        .iter()
        .map(|path| hook(receiver.url(path)))
        .collect();
    sinks.push(hook(format!("https://127.0.0.1:{}/no-tls", receiver.port)));
    sinks.push(hook("http://nothing.invalid/".to_owned()));
    sinks.push(hook(receiver.url("/takes")));
    server.put(JOB, telling(6, json!(sinks)));
    let _operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
    assert_eq!(status(&server)["batches"]["succeeded"], 6);
    until_told(&receiver, "/takes", 7).await;
    assert!(!outbox(&server).is_empty(), "those that hang are still tried");
    until(&server, "no Pods", |server| pods(server).is_empty()).await;
}

#[tokio::test]
async fn a_sink_that_is_gone_or_forbids_is_switched_off_for_the_run_and_the_job_says_so() {
    for path in ["/gone", "/forbids"] {
        let (receiver, server) = (Receiver::start().await, ApiServer::default());
        let _kubelet = Kubelet::start(&server, well);
        let hook = |path: &str| json!({"type": "webhook", "url": receiver.url(path), "onEvents": ["job_start", "job_complete"]});
        server.put(JOB, telling(2, json!([hook(path), hook("/takes")])));
        let _operator = Operator::start(&server);
        until_phase(&server, "Complete").await;
        until(&server, "an empty outbox", |server| outbox(server).is_empty()).await;
        assert_eq!((receiver.told(path).len(), receiver.told("/takes").len()), (1, 2));
        let failing = condition(&server, "NotificationsFailing");
        assert_eq!(failing["status"], "True", "{failing}");
        let message = failing["message"].as_str().unwrap();
        assert!(
            message.contains("notification 1 (webhook at 127.0.0.1)") && !message.contains(path),
            "{message}"
        );
    }
}

/// H19: across crashes of the operator too.
#[tokio::test]
async fn what_happens_to_a_job_is_told_at_least_once_with_one_id_however_often_the_operator_is_killed() {
    let (receiver, server) = (Receiver::start().await, ApiServer::default());
    let _kubelet = Kubelet::start(&server, well);
    let events = json!(["job_start", "batch_complete", "job_complete"]);
    let mut job = job(8, 2);
    job["spec"]["notifications"] =
        json!([{"type": "webhook", "url": receiver.url("/hook"), "onEvents": events}]);
    server.put(JOB, job);
    let mut chance = fastrand::Rng::with_seed(5);
    let mut crashes = 0;
    let mut operator = Operator::start(&server);
    while (status(&server)["phase"] != "Complete" || !outbox(&server).is_empty()) && crashes < 15 {
        tokio::time::sleep(Duration::from_millis(chance.u64(100..900))).await;
        drop(operator);
        crashes += 1;
        operator = Operator::start(&server);
    }
    until_phase(&server, "Complete").await;
    until(&server, "an empty outbox", |server| outbox(server).is_empty()).await;
    let mut bodies: BTreeMap<String, BTreeSet<Bytes>> = BTreeMap::new();
    let told = receiver.told("/hook");
    for one in &told {
        bodies.entry(one.id()).or_default().insert(one.body.clone());
    }
    assert!(bodies.values().all(|same| same.len() == 1), "an id is of one notice");
    let count = |event: &str| {
        bodies
            .values()
            .filter(|same| {
                let body: Value = serde_json::from_slice(same.first().unwrap()).unwrap();
                body["event"] == event
            })
            .count()
    };
    assert_eq!((count("job_start"), count("batch_complete"), count("job_complete")), (1, 8, 1));
    assert!(
        told.len() <= bodies.len() + crashes * 4,
        "{} for {} in {crashes} crashes",
        told.len(),
        bodies.len()
    );
    drop(operator);
}

#[tokio::test]
async fn a_run_that_is_asked_for_again_does_not_wait_until_a_dead_sink_is_given_up() {
    let (receiver, server) = (Receiver::start().await, ApiServer::default());
    let _kubelet = Kubelet::start(&server, well);
    server.put(JOB, telling(1, json!([{"type": "webhook", "url": receiver.url("/hangs")}])));
    let _operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
    server.edit(JOB, |job| job["spec"]["rerun"] = json!({"id": "again", "select": "All"}));
    until(&server, "the second run", |server| {
        let status = status(server);
        status["lastRun"]["number"] == 2 && status["lastRun"]["outcome"] == "Complete"
    })
    .await;
    let outbox = outbox(&server);
    assert_eq!(outbox.len(), 2, "{outbox:?}");
    assert_eq!((&outbox[0]["run"], &outbox[1]["run"]), (&json!(1), &Value::Null));
}

/// S-07, and the second and third way of C1.
#[tokio::test]
async fn a_notification_names_no_secret_that_was_not_made_and_granted_for_it_and_no_variable() {
    let hook = |from: Value| json!([{"type": "webhook", "urlFrom": from}]);
    let refused = async |notifications: Value, change: &dyn Fn(&ApiServer)| {
        let (receiver, server) = (Receiver::start().await, ApiServer::default());
        put_secret(&server, "hook", "mozart.dev/webhook", &receiver.url("/hook"));
        put_secret(&server, "db-password", "Opaque", "hunter2");
        change(&server);
        server.put(JOB, telling(1, notifications));
        let operator = Operator::start(&server);
        until(&server, "the refusal", |server| condition(server, "Valid")["status"] == "False").await;
        assert!(pods(&server).is_empty());
        let valid = condition(&server, "Valid");
        drop(operator);
        (valid["reason"].as_str().unwrap().to_owned(), valid["message"].as_str().unwrap().to_owned())
    };
    let nothing = |_: &ApiServer| {};
    let (reason, message) = refused(hook(from("db-password")), &nothing).await;
    assert_eq!(reason, "CredentialForbidden");
    assert!(message.contains("of the type Opaque") && !message.contains("hunter2"), "{message}");
    let forbid = |server: &ApiServer| server.forbid(&format!("{SECRETS}hook"), true);
    let (reason, message) = refused(hook(from("hook")), &forbid).await;
    assert_eq!(reason, "CredentialForbidden");
    assert!(message.contains("`mozart grant -n team hook`"), "{message}");
    let signs =
        json!([{"type": "webhook", "url": "https://hooks.example.com/", "secretFrom": from("db-password")}]);
    assert_eq!(refused(signs, &nothing).await.0, "CredentialForbidden");
    let answers = json!([{"type": "webhook", "url": "https://hooks.example.com/", "includeOutput": true}]);
    let (reason, message) = refused(answers, &nothing).await;
    assert_eq!(reason, "NoOutputStore");
    assert!(message.contains("notification 1") && message.contains("includeOutput"), "{message}");
    let (reason, message) = refused(hook(json!({"env": "PATH"})), &nothing).await;
    assert_eq!(reason, "InvalidSpec");
    assert!(message.contains("secretKeyRef") && !message.contains("/bin"), "{message}");
}

/// S-13.
#[tokio::test]
async fn what_is_told_reaches_no_address_of_the_inside_literal_resolved_or_redirected() {
    for url in ["http://169.254.169.254/latest", "http://10.96.0.1/", "http://0x7f000001/", "http://[::1]/"] {
        let server = ApiServer::default();
        server.put(JOB, telling(1, json!([{"type": "webhook", "url": url}])));
        let _operator = Operator::named(&server, "pod-uid", |settings| {
            settings.outgoing = Outgoing::new(Vec::new()).unwrap();
        });
        until(&server, url, |server| condition(server, "Valid")["reason"] == "CredentialForbidden").await;
    }
    // A name that leads inside, and an outside that sends there.
    let (receiver, server) = (Receiver::start().await, ApiServer::default());
    let _kubelet = Kubelet::start(&server, well);
    let resolved = format!("http://localhost:{}/resolved", receiver.port);
    server.put(JOB, telling(1, json!([{"type": "webhook", "url": resolved}])));
    let operator = Operator::named(&server, "pod-uid", |settings| {
        settings.outgoing = Outgoing::new(Vec::new()).unwrap();
    });
    until_phase(&server, "Complete").await;
    assert!(receiver.told("/resolved").is_empty());
    drop(operator);
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, well);
    server.put(JOB, telling(1, json!([{"type": "webhook", "url": receiver.url("/inside")}])));
    let _operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
    until(&server, "an empty outbox", |server| outbox(server).is_empty()).await;
    assert_eq!((receiver.told("/inside").len(), receiver.told("/elsewhere").len()), (1, 0));
}
