//! Sinks against real receivers on loopback.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use super::{Answer, Answers, Here, NoAnswers, Notifications, NotifyError, Subject, slack, worker::Patience};
use crate::{
    driver::ports::Notifier,
    engine::{ledger::Notice, world::SettledNotice},
    job::{
        identity::{AttemptKey, BatchNum, RunId},
        model::{Notification, Occasion, Setting, Sink},
    },
};

/// A receiver that answers with the statuses it is given, then with 200, and keeps what it got.
#[derive(Clone, Default)]
struct Receiver {
    statuses: Arc<Mutex<VecDeque<StatusCode>>>,
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Receiver {
    async fn start(statuses: &[u16]) -> (Self, Setting) {
        let statuses = statuses.iter().map(|status| StatusCode::from_u16(*status).unwrap()).collect();
        let receiver = Self { statuses: Arc::new(Mutex::new(statuses)), ..Self::default() };
        let state = receiver.clone();
        let take = move |headers: HeaderMap, body: Bytes| async move {
            state.got.lock().unwrap().push((headers, body));
            state.statuses.lock().unwrap().pop_front().unwrap_or(StatusCode::OK)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/secret-path", listener.local_addr().unwrap());
        tokio::spawn(
            async move { axum::serve(listener, Router::new().route("/secret-path", post(take))).await },
        );
        (receiver, Setting::Literal(url))
    }

    fn got(&self) -> Vec<(HeaderMap, Bytes)> {
        self.got.lock().unwrap().clone()
    }
}

/// A loopback address that accepts connections and never answers.
async fn black_hole() -> (tokio::net::TcpListener, Setting) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, Setting::Literal(url))
}

fn quick() -> Patience {
    Patience {
        timeout: Duration::from_millis(200),
        first_delay: Duration::from_millis(5),
        longest_delay: Duration::from_millis(20),
        give_up_after: Duration::from_secs(20),
    }
}

fn webhook(url: Setting, secret: Option<&str>, include_output: bool) -> Notification {
    let secret = secret.map(|secret| Setting::Literal(secret.to_owned()));
    let sink = Sink::Webhook { url, headers: BTreeMap::new(), secret, include_output };
    Notification { sink, on: vec![Occasion::BatchComplete, Occasion::JobComplete] }
}

fn open(notifications: &[Notification], patience: Patience) -> Result<Notifications, NotifyError> {
    open_with(notifications, &NoAnswers, patience)
}

fn open_with(
    notifications: &[Notification],
    answers: &impl Answers,
    patience: Patience,
) -> Result<Notifications, NotifyError> {
    let run = RunId { job: Uuid::from_u128(7), run: 3 };
    let subject = Subject { job: "commit-batch-review".parse().unwrap(), run };
    let (opened, unusable) = Notifications::start(notifications, subject, answers, &Here, patience);
    unusable.into_iter().next().map_or(Ok(opened), Err)
}

fn notice(id: u64, occasion: Occasion) -> Notice {
    let batch = matches!(occasion, Occasion::BatchComplete | Occasion::BatchFailed);
    Notice {
        id,
        occasion,
        at: "2026-11-22T20:00:00Z".parse().unwrap(),
        attempt: batch.then_some(AttemptKey { batch: BatchNum(12), ordinal: 2 }),
        run: None,
        text: "56 of 56 batches succeeded in <1 h> & cost 12.34 USD.".to_owned(),
    }
}

/// What is settled once `count` notices are.
async fn settled(notifications: &Notifications, count: usize) -> Vec<SettledNotice> {
    let mut settled = Vec::new();
    while settled.len() < count {
        notifications.changed().await;
        settled.extend(notifications.settled().await);
    }
    settled.sort_by_key(|notice| notice.id);
    settled
}

fn delivered(id: u64) -> SettledNotice {
    SettledNotice { id, dropped: false }
}

fn dropped(id: u64) -> SettledNotice {
    SettledNotice { id, dropped: true }
}

#[tokio::test]
async fn a_webhook_gets_json_with_an_id_and_a_signature_that_verifies() {
    let (receiver, url) = Receiver::start(&[]).await;
    let key = STANDARD.encode(b"thirty-two bytes of key material");
    let secret = format!("whsec_{key}");
    let notifications = open(&[webhook(url, Some(&secret), false)], quick()).unwrap();
    notifications.deliver(&notice(5, Occasion::JobComplete)).await;
    assert_eq!(settled(&notifications, 1).await, [delivered(5)]);

    let (headers, body) = receiver.got().remove(0);
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let signature = header("webhook-signature");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"thirty-two bytes of key material").unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&body);
    mac.verify_slice(&STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap()).unwrap();
    assert_eq!(header("content-type"), "application/json");
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["id"], id.as_str());
    insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
}

#[tokio::test]
async fn a_retry_carries_the_same_id_and_body() {
    let (receiver, url) = Receiver::start(&[500, 429, 503]).await;
    let notifications = open(&[webhook(url, None, false)], quick()).unwrap();
    notifications.deliver(&notice(1, Occasion::JobComplete)).await;
    assert_eq!(settled(&notifications, 1).await, [delivered(1)]);

    let got = receiver.got();
    assert_eq!(got.len(), 4);
    for (headers, body) in &got {
        assert_eq!(headers["webhook-id"], got[0].0["webhook-id"]);
        assert_eq!(body, &got[0].1);
    }
}

#[tokio::test]
async fn an_answer_of_403_or_404_switches_the_sink_off_for_the_run() {
    for status in [403, 404] {
        let (receiver, url) = Receiver::start(&[status]).await;
        let notifications = open(&[webhook(url, None, false)], quick()).unwrap();
        notifications.deliver(&notice(1, Occasion::JobComplete)).await;
        notifications.deliver(&notice(2, Occasion::JobComplete)).await;
        assert_eq!(settled(&notifications, 2).await, [dropped(1), dropped(2)]);
        assert_eq!(receiver.got().len(), 1);
        let trouble = notifications.trouble().unwrap();
        assert!(trouble.contains("switched off") && trouble.contains(&status.to_string()), "{trouble}");
        assert!(!trouble.contains("secret-path"), "{trouble}");
    }
}

#[tokio::test]
async fn a_refused_notice_is_dropped_and_the_next_one_goes_out() {
    let (receiver, url) = Receiver::start(&[400]).await;
    let notifications = open(&[webhook(url, None, false)], quick()).unwrap();
    notifications.deliver(&notice(1, Occasion::JobComplete)).await;
    notifications.deliver(&notice(2, Occasion::JobComplete)).await;
    assert_eq!(settled(&notifications, 2).await, [dropped(1), delivered(2)]);
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (receiver, url) = Receiver::start(&[307]).await;
    let notifications = open(&[webhook(url, None, false)], quick()).unwrap();
    notifications.deliver(&notice(1, Occasion::JobComplete)).await;
    assert_eq!(settled(&notifications, 1).await, [dropped(1)]);
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn a_dead_sink_delays_no_other_and_its_notice_stays_open() {
    let (_hole, dead) = black_hole().await;
    let (receiver, url) = Receiver::start(&[]).await;
    let sinks = [webhook(dead, None, false), webhook(url, None, false)];
    let notifications = open(&sinks, quick()).unwrap();
    for id in 1..=20 {
        notifications.deliver(&notice(id, Occasion::JobComplete)).await;
    }
    while receiver.got().len() < 20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(notifications.settled().await, []);
    assert!(!notifications.settle(Duration::ZERO).await);
}

#[tokio::test]
async fn a_dead_sink_is_given_up_and_what_ran_out_behind_it_is_not_tried() {
    let (hole, dead) = black_hole().await;
    let patience = Patience { give_up_after: Duration::from_millis(300), ..quick() };
    let notifications = open(&[webhook(dead, None, false)], patience).unwrap();
    for id in 1..=5 {
        notifications.deliver(&notice(id, Occasion::JobComplete)).await;
    }
    assert_eq!(settled(&notifications, 5).await, [1, 2, 3, 4, 5].map(dropped));
    drop(hole);
}

#[tokio::test]
async fn a_notice_that_is_handed_over_again_goes_out_once_and_is_settled_again() {
    let (receiver, url) = Receiver::start(&[]).await;
    let notifications = open(&[webhook(url, None, false)], quick()).unwrap();
    for _turn in 0..3 {
        notifications.deliver(&notice(1, Occasion::JobComplete)).await;
    }
    assert_eq!(settled(&notifications, 1).await, [delivered(1)]);
    notifications.deliver(&notice(1, Occasion::JobComplete)).await;
    assert_eq!(settled(&notifications, 1).await, [delivered(1)]);
    notifications.deliver(&notice(2, Occasion::JobComplete)).await;
    assert_eq!(settled(&notifications, 1).await, [delivered(2)]);
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn what_no_sink_wants_is_settled_at_once() {
    let (receiver, url) = Receiver::start(&[]).await;
    let notifications = open(&[webhook(url, None, false)], quick()).unwrap();
    notifications.deliver(&notice(1, Occasion::JobPaused)).await;
    assert_eq!(settled(&notifications, 1).await, [delivered(1)]);
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn slack_gets_one_escaped_text() {
    let (receiver, url) = Receiver::start(&[]).await;
    let sink = Notification { sink: Sink::Slack { url }, on: vec![Occasion::JobComplete] };
    let notifications = open(&[sink], quick()).unwrap();
    notifications.deliver(&notice(1, Occasion::JobComplete)).await;
    assert_eq!(settled(&notifications, 1).await, [delivered(1)]);
    let body: serde_json::Value = serde_json::from_slice(&receiver.got()[0].1).unwrap();
    insta::assert_snapshot!(body["text"].as_str().unwrap());
}

#[test]
fn a_text_for_slack_is_cut_at_its_limit_and_never_inside_an_entity() {
    let text = slack::text("title", &"<".repeat(40_000));
    assert!(text.chars().count() <= 40_000);
    assert!(text.ends_with("&lt;…"));
    let whole = slack::text("title", "short");
    assert_eq!(whole, "*title*\nshort");
}

/// An answer that JSON makes six times as long.
#[derive(Clone, Copy)]
struct Controls;

impl Answers for Controls {
    async fn read(
        &self,
        _: AttemptKey,
        limit: usize,
    ) -> Result<Option<Answer>, Box<dyn Error + Send + Sync>> {
        Ok(Some(Answer { text: "\u{1}".repeat(limit), truncated: false }))
    }
}

#[tokio::test]
async fn no_body_is_longer_than_a_mebibyte() {
    let (receiver, url) = Receiver::start(&[]).await;
    let notifications = open_with(&[webhook(url, None, true)], &Controls, quick()).unwrap();
    notifications.deliver(&notice(1, Occasion::BatchComplete)).await;
    assert_eq!(settled(&notifications, 1).await, [delivered(1)]);
    let body = &receiver.got()[0].1;
    assert!(body.len() <= 1 << 20, "{}", body.len());
    assert_eq!(serde_json::from_slice::<serde_json::Value>(body).unwrap()["outputTruncated"], true);
}

/// Answers of a known size.
#[derive(Clone, Copy)]
struct LongAnswers;

impl Answers for LongAnswers {
    async fn read(
        &self,
        key: AttemptKey,
        limit: usize,
    ) -> Result<Option<Answer>, Box<dyn Error + Send + Sync>> {
        Ok(Some(Answer { text: format!("{key} {limit}"), truncated: true }))
    }
}

#[tokio::test]
async fn a_batch_carries_its_answer_only_where_it_is_asked_for() {
    let (with, with_url) = Receiver::start(&[]).await;
    let (without, without_url) = Receiver::start(&[]).await;
    let sinks = [webhook(with_url, None, true), webhook(without_url, None, false)];
    let notifications = open_with(&sinks, &LongAnswers, quick()).unwrap();
    notifications.deliver(&notice(1, Occasion::BatchComplete)).await;
    assert_eq!(settled(&notifications, 1).await, [delivered(1)]);
    let body: serde_json::Value = serde_json::from_slice(&with.got()[0].1).unwrap();
    assert_eq!(body["output"], "b12-a2 262144");
    assert_eq!(body["outputTruncated"], true);
    assert_eq!(body["batch"], serde_json::json!({"number": 12, "attempt": 2}));
    let body: serde_json::Value = serde_json::from_slice(&without.got()[0].1).unwrap();
    assert!(body.get("output").is_none());
}

#[tokio::test]
async fn what_cannot_be_used_is_said_before_anything_is_sent_and_without_the_secret() {
    let literal = |text: &str| Setting::Literal(text.to_owned());
    let good = literal("https://hooks.example.com/T000/secret");
    let with_header = |name: &str, value: &str| Notification {
        sink: Sink::Webhook {
            url: good.clone(),
            headers: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            secret: None,
            include_output: false,
        },
        on: vec![Occasion::JobComplete],
    };
    let cases = [
        webhook(Setting::Env("MOZART_TEST_NEVER_SET".to_owned()), None, false),
        webhook(literal("ftp://example.com/secret"), None, false),
        webhook(literal("hooks.example.com/secret"), None, false),
        webhook(good.clone(), Some("whsec_not base64"), false),
        with_header("X Y", "1"),
        with_header("Webhook-Id", "1"),
        with_header("X-Token", "secret\nsecond line"),
    ];
    let mut messages = Vec::new();
    for case in cases {
        let error = open(&[case], quick()).unwrap_err().to_string();
        assert!(!error.contains("secret\n") && !error.contains("/secret"), "{error}");
        messages.push(error);
    }
    insta::assert_snapshot!(messages.join("\n"));
}
