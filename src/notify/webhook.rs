//! Webhooks: a POST of JSON, signed as the Standard Webhooks specification has it, so that receivers find a library.
//!
//! `webhook-id` is the idempotency key, `webhook-timestamp` the second it was sent, `webhook-signature` is `v1,` and the
//! base64 of HMAC-SHA-256 over `<id>.<timestamp>.<body>`.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::Sha256;

use super::{
    NotifyError,
    answer::{Answer, Answers, MAX_ANSWER_BYTES},
    endpoint::Endpoint,
    message::{Message, Subject},
    sink::Delivery,
};
use crate::job::{
    identity::{BatchNum, RunId},
    model::Occasion,
};

/// The longest body.
const MAX_BODY_BYTES: usize = 1 << 20;
/// The most bytes that JSON makes of one.
const JSON_GROWTH: usize = 6;

/// One webhook.
pub(super) struct Webhook<A> {
    pub(super) endpoint: Endpoint,
    pub(super) signer: Option<Signer>,
    /// Where answers are read, if they are wanted.
    pub(super) answers: Option<A>,
}

/// What is posted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: &'a str,
    event: Occasion,
    at: Timestamp,
    job: BodyJob<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<BodyBatch>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    output_truncated: bool,
}

#[derive(Debug, Serialize)]
struct BodyJob<'a> {
    name: &'a str,
    uid: String,
    run: u32,
}

#[derive(Debug, Serialize)]
struct BodyBatch {
    number: BatchNum,
    attempt: u32,
}

impl<A: Answers> Webhook<A> {
    pub(super) async fn deliver(&self, message: Message<'_>) -> Delivery {
        let id = message.id();
        let answer = self.answer(message).await;
        let body = body(message, &id, answer);
        let headers = headers(self.signer.as_ref(), &id, Timestamp::now().as_second(), &body);
        self.endpoint.post(body, headers).await
    }

    async fn answer(&self, message: Message<'_>) -> Option<Answer> {
        let (answers, key) = (self.answers.as_ref()?, message.notice.attempt?);
        // The answers are those of this run.
        if message.notice.occasion != Occasion::BatchComplete || message.notice.run.is_some() {
            return None;
        }
        answers.read(key, MAX_ANSWER_BYTES).await.unwrap_or_else(|error| {
            tracing::warn!(batch = %key.batch, error, "the answer cannot be read, the webhook goes without it");
            None
        })
    }
}

/// At most [`MAX_BODY_BYTES`]: an answer of characters that JSON writes as six is cut the shorter.
fn body(message: Message<'_>, id: &str, answer: Option<Answer>) -> Vec<u8> {
    let whole = json(message, id, answer.as_ref());
    match answer {
        Some(mut answer) if whole.len() > MAX_BODY_BYTES => {
            let most = answer.text.floor_char_boundary(answer.text.len() / JSON_GROWTH);
            answer.text.truncate(most);
            answer.truncated = true;
            json(message, id, Some(&answer))
        }
        _ => whole,
    }
}

fn json(message: Message<'_>, id: &str, answer: Option<&Answer>) -> Vec<u8> {
    let Message { subject: Subject { job, run: RunId { job: uid, .. } }, notice } = message;
    let (output, output_truncated) =
        answer.map_or((None, false), |Answer { text, truncated }| (Some(text.as_str()), *truncated));
    let body = Body {
        id,
        event: notice.occasion,
        at: notice.at,
        job: BodyJob { name: job.as_str(), uid: uid.to_string(), run: message.run() },
        batch: notice.attempt.map(|key| BodyBatch { number: key.batch, attempt: key.ordinal }),
        text: &notice.text,
        output,
        output_truncated,
    };
    serde_json::to_vec(&body).expect("text, numbers and times are always JSON")
}

fn headers(signer: Option<&Signer>, id: &str, timestamp: i64, body: &[u8]) -> HeaderMap {
    let value =
        |text: String| HeaderValue::try_from(text).expect("ids, numbers and base64 are visible ASCII");
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", value(id.to_owned()));
    headers.insert("webhook-timestamp", value(timestamp.to_string()));
    if let Some(signer) = signer {
        headers.insert("webhook-signature", value(signer.sign(id, timestamp, body)));
    }
    headers
}

/// Signs what is sent.
pub(super) struct Signer {
    keyed: Hmac<Sha256>,
}

impl Signer {
    /// `whsec_` and base64 is a key in the specification's form; anything else is the key itself.
    pub(super) fn new(sink: &str, secret: &SecretString) -> Result<Self, NotifyError> {
        let secret = secret.expose_secret();
        let key = match secret.strip_prefix("whsec_") {
            Some(encoded) => {
                STANDARD.decode(encoded).map_err(|_| NotifyError::Secret { sink: sink.to_owned() })?
            }
            None => secret.as_bytes().to_owned(),
        };
        Ok(Self { keyed: Hmac::new_from_slice(&key).expect("HMAC takes a key of any length") })
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = self.keyed.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}
