//! Batches in the operator's own process, against an API of our own on loopback: in real time, since sockets know no
//! other.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kube::Client;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt as _, net::TcpListener};

use super::{JOB, UID, condition, job, status, until_within};
use crate::{
    cluster::{
        outputs::{self, KeptAnswer},
        testing::{
            ApiServer, Operator,
            fake_api::{FakeApi, MODEL, Reply},
            wire::Wire,
        },
    },
    job::identity::{BatchNum, RunId},
};

const CREDENTIAL: &str = "/apis/mozart.dev/v1alpha1/namespaces/team/mozartcredentials/default";
const SECRET: &str = "/api/v1/namespaces/team/secrets/anthropic";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/mozart/leases/mozart";
const KEY: &str = "sk-canary-9f2b71";

/// A job of so many API batches, and what it needs.
pub(super) fn put_all(server: &ApiServer, url: &str, batches: u32, parallelism: u32) {
    server.put(
        SECRET,
        json!({"apiVersion": "v1", "kind": "Secret", "type": "mozart.dev/credential",
            "metadata": {"name": "anthropic", "namespace": "team"}, "data": {"api-key": STANDARD.encode(KEY)}}),
    );
    server.put(
        CREDENTIAL,
        json!({"apiVersion": "mozart.dev/v1alpha1", "kind": "MozartCredential",
            "metadata": {"name": "default", "namespace": "team", "generation": 1, "uid": "3c6c4bfc"},
            "spec": {"type": "APIKey", "secretRef": {"name": "anthropic", "key": "api-key"}, "baseURL": url}}),
    );
    let mut night = job(batches, parallelism);
    night["spec"].as_object_mut().unwrap().remove("workspace");
    night["spec"]["backend"] = json!({"type": "anthropic_api", "model": MODEL});
    night["spec"]["output"] = json!({"store": "ConfigMaps"});
    server.put(JOB, night);
}

/// Waits, a minute at most, until that is so.
pub(super) async fn until(server: &ApiServer, what: &str, so: impl FnMut(&ApiServer) -> bool) {
    until_within(Duration::from_mins(1), server, what, so).await;
}

pub(super) async fn until_phase(server: &ApiServer, phase: &str) {
    until(server, phase, |server| status(server)["phase"] == phase).await;
}

async fn answers(server: &ApiServer) -> Vec<(u32, String)> {
    let client = Client::new(Wire::new(server, "reader", 1), "team");
    let run = RunId { job: UID.parse().unwrap(), run: 1 };
    let kept = outputs::read(&client, "team", &run).await.unwrap();
    kept.into_iter().map(|(BatchNum(number), KeptAnswer { answer, .. })| (number, answer)).collect()
}

#[tokio::test]
async fn batches_in_process_run_to_their_end_and_their_answers_are_kept() {
    let api = FakeApi::start(|request| Reply::text(&format!("heard {}", request.said()))).await;
    let server = ApiServer::default();
    put_all(&server, api.url(), 12, 4);
    let operator = Operator::start(&server);
    until_phase(&server, "Complete").await;
    let kept = answers(&server).await;
    assert_eq!(kept.len(), 12);
    assert!(kept.iter().all(|(number, answer)| answer.contains(&format!("do {number}\""))), "{kept:?}");
    assert_eq!(api.requests().len(), 12);
    assert!(api.requests().iter().all(|request| request.header("x-api-key") == KEY));
    assert!(api.most_at_once() <= 4);
    assert_eq!(status(&server)["usage"]["inputTokens"], 12_000);
    operator.stop().await;
}

#[tokio::test]
async fn the_key_is_in_no_object_but_its_secret() {
    let api = FakeApi::playing([Reply::error(401, "authentication_error", "invalid x-api-key")]).await;
    let server = ApiServer::default();
    put_all(&server, api.url(), 2, 1);
    let _operator = Operator::start(&server);
    until_phase(&server, "Failed").await;
    let reason = condition(&server, "Failed");
    assert_eq!(reason["reason"], "Unauthorized");
    assert!(reason["message"].as_str().unwrap().contains("the MozartCredential default"), "{reason}");
    server.vanish(SECRET);
    let all: String = server.all("/").iter().map(Value::to_string).collect();
    assert!(!all.contains(KEY) && !all.contains(&STANDARD.encode(KEY)));
}

#[tokio::test]
async fn a_job_waits_for_the_right_on_its_secret_and_says_which_command_grants_it() {
    let api = FakeApi::playing([Reply::text("well")]).await;
    let server = ApiServer::default();
    put_all(&server, api.url(), 2, 1);
    server.forbid(SECRET, true);
    let _operator = Operator::start(&server);
    until(&server, "the condition", |server| condition(server, "Valid")["reason"] == "CredentialForbidden")
        .await;
    let message = condition(&server, "Valid")["message"].to_string();
    assert!(message.contains("mozart grant -n team anthropic"), "{message}");
    assert!(api.requests().is_empty());
    server.forbid(SECRET, false);
    until_phase(&server, "Complete").await;
}

#[tokio::test]
async fn no_secret_is_read_that_was_made_for_something_else() {
    let api = FakeApi::playing([Reply::text("well")]).await;
    let server = ApiServer::default();
    put_all(&server, api.url(), 2, 1);
    server.edit(SECRET, |secret| secret["type"] = "Opaque".into());
    let _operator = Operator::start(&server);
    until(&server, "the condition", |server| condition(server, "Valid")["reason"] == "CredentialForbidden")
        .await;
    assert!(condition(&server, "Valid")["message"].to_string().contains("mozart.dev/credential"));
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn a_credential_leads_to_no_address_of_the_inside() {
    for url in ["http://169.254.169.254/", "http://10.96.0.1/", "http://[::1]:80/"] {
        let server = ApiServer::default();
        put_all(&server, url, 1, 1);
        let _operator = Operator::start(&server);
        until(&server, "the condition", |server| {
            condition(server, "Valid")["reason"] == "CredentialForbidden"
        })
        .await;
    }
}

#[tokio::test]
async fn a_deleted_job_asks_nothing_more() {
    let api = FakeApi::playing([Reply::text("slow").after(Duration::from_secs(2))]).await;
    let server = ApiServer::default();
    put_all(&server, api.url(), 50, 3);
    let _operator = Operator::start(&server);
    while api.requests().len() < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.delete(JOB);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(api.requests().len(), 3);
}

#[tokio::test]
async fn what_the_ledger_calls_done_is_kept_whenever_the_operator_is_killed() {
    const BATCHES: u32 = 200;
    const PARALLELISM: u32 = 5;
    let api = FakeApi::playing([Reply::text("well").after(Duration::from_millis(5))]).await;
    let server = ApiServer::default();
    put_all(&server, api.url(), BATCHES, PARALLELISM);
    let mut chance = fastrand::Rng::with_seed(11);
    let mut operator = Operator::start(&server);
    let mut crashes = 0;
    while status(&server)["phase"] != "Complete" && crashes < 12 {
        tokio::time::sleep(Duration::from_millis(chance.u64(50..700))).await;
        drop(operator);
        crashes += 1;
        let done: crate::engine::ranges::Ranges =
            status(&server)["checkpoint"]["succeeded"].as_str().unwrap_or_default().parse().unwrap();
        let kept: Vec<u32> = answers(&server).await.into_iter().map(|(number, _)| number).collect();
        assert!(done.iter().all(|batch| kept.contains(&batch.0)), "{done} but {kept:?}");
        operator = Operator::start(&server);
    }
    until_phase(&server, "Complete").await;
    assert_eq!(answers(&server).await.len(), BATCHES as usize);
    let extra = api.requests().len() - BATCHES as usize;
    assert!(extra <= (crashes * 2 * PARALLELISM) as usize, "{extra} more starts in {crashes} deaths");
    drop(operator);
}

/// Its request would cost money beside that of whoever leads now.
#[tokio::test]
async fn who_no_longer_leads_breaks_its_requests_off() {
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = ApiServer::default();
    put_all(&server, &format!("http://{}", service.local_addr().unwrap()), 1, 1);
    let _operator = Operator::start(&server);
    let (mut asked, _) = service.accept().await.unwrap();
    asked.read_u8().await.unwrap();
    server.edit(LEASE, |lease| lease["spec"]["holderIdentity"] = "another".into());
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_mins(1), asked.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "it still waits for its answer");
}

/// What runs of it ends with it: nobody pays for an answer that nobody wants.
#[tokio::test]
async fn a_deleted_job_breaks_its_requests_off_within_a_second() {
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = ApiServer::default();
    put_all(&server, &format!("http://{}", service.local_addr().unwrap()), 1, 1);
    let _operator = Operator::start(&server);
    let (mut asked, _) = service.accept().await.unwrap();
    asked.read_u8().await.unwrap();
    server.delete(JOB);
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(1), asked.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "it still waits for its answer");
}

#[tokio::test]
async fn an_operator_that_is_asked_to_end_waits_for_the_answers_on_their_way_and_asks_nothing_more() {
    let api = FakeApi::playing([Reply::text("slow").after(Duration::from_secs(2))]).await;
    let server = ApiServer::default();
    put_all(&server, api.url(), 50, 3);
    let operator = Operator::start(&server);
    while api.requests().len() < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    operator.stop().await;
    assert_eq!(api.requests().len(), 3);
    assert_eq!(status(&server)["checkpoint"]["succeeded"], "1-3");
    assert_eq!(answers(&server).await.len(), 3);
    let lease = server.get(LEASE).unwrap();
    assert!(lease["spec"]["holderIdentity"].is_null(), "whoever is next goes on at once: {lease}");
    let _next = Operator::named(&server, "next", |_| {});
    until(&server, "the rest", |server| status(server)["batches"]["succeeded"].as_u64() > Some(3)).await;
}

/// H21: each would pay for it.
#[tokio::test]
async fn of_two_operators_that_both_believe_a_job_to_be_theirs_one_asks() {
    let api = FakeApi::playing([Reply::text("well").after(Duration::from_millis(100))]).await;
    let server = ApiServer::default();
    put_all(&server, api.url(), 40, 4);
    let _one = Operator::start(&server);
    let _other = Operator::named(&server, "another", |settings| {
        settings.lease.name = "another".to_owned();
        settings.writer = "mozart/another".to_owned();
    });
    until_phase(&server, "Complete").await;
    assert_eq!(api.requests().len(), 40, "each batch is paid once");
}
