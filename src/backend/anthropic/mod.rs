//! The Messages API: one request an attempt, the answer streamed.

mod events;
mod failure;
mod health;
mod message;
mod service;
mod windows;

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use reqwest::{Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use self::{
    events::Events,
    failure::Refusal,
    message::Message,
    service::{Service, capped},
};
use super::{Answer, Judgement, Told, Way};
use crate::job::{
    model::{Anthropic, RateLimitPolicy},
    outcome::{Failure, FailureClass, GateSignal, Provenance},
};

pub(super) use self::health::health_check;

/// The longest answer that is read, in bytes: several times what a model can write.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// A failing server is asked again after these; it had not begun to answer, so nothing is paid twice.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1500)];

/// Sends `prompt` and reads the answer. Cancelled by dropping it.
pub(super) async fn ask(
    settings: &Anthropic,
    way: &Way,
    rate_limit: &RateLimitPolicy,
    prompt: &str,
    mut tell: impl FnMut(Told) + Send,
) -> Judgement {
    let service = match Service::open(settings, way) {
        Ok(service) => service,
        Err(failure) => return Judgement::failed(failure),
    };
    let response = match send(&service, settings, rate_limit, prompt).await {
        Ok(response) => response,
        Err(failure) => return Judgement::failed(failure),
    };
    tell(Told::Signal(GateSignal::Accepted));
    let signal = windows::signal(response.headers(), Timestamp::now());
    let mut message = Message::default();
    let interrupted = receive(response, &mut message, settings, &mut tell).await.err();
    Judgement { signal, ..judgement(message, interrupted, settings) }
}

/// The request's body. What is not written in the job is not sent: newer models refuse `temperature` at any value.
fn body(settings: &Anthropic, prompt: &str) -> Value {
    let mut body = json!({
        "model": settings.model,
        "max_tokens": settings.max_tokens,
        "stream": true,
        "messages": [{ "role": "user", "content": prompt }],
    });
    if let Some(system) = &settings.system {
        body["system"] = json!(system);
    }
    if let Some(temperature) = settings.temperature {
        body["temperature"] = json!(temperature);
    }
    body
}

async fn send(
    service: &Service,
    settings: &Anthropic,
    rate_limit: &RateLimitPolicy,
    prompt: &str,
) -> Result<Response, Failure> {
    let body = body(settings, prompt);
    let mut again = AGAIN_AFTER.into_iter();
    loop {
        let sent = service.post(&["v1", "messages"], &body).await;
        let response = sent.map_err(|error| failure::unreachable(settings, &error))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let refusal = Refusal::read(response).await;
        match again.next().filter(|_| refusal.may_be_asked_at_once()) {
            Some(delay) => tokio::time::sleep(delay).await,
            None => return Err(refusal.failure(settings, &service.key_from, rate_limit, Timestamp::now())),
        }
    }
}

/// Reads the answer into `message`, which keeps what had come when it breaks off.
async fn receive(
    response: Response,
    message: &mut Message,
    settings: &Anthropic,
    tell: &mut (impl FnMut(Told) + Send),
) -> Result<(), Failure> {
    let content_type =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !content_type.starts_with("text/event-stream") {
        let body = capped(response, MAX_ANSWER_BYTES).await.map_err(|error| failure::dropped(&error))?;
        return message.take_whole(&body).map_err(|error| failure::not_an_answer(settings, &error));
    }
    let mut events = Events::default();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| failure::dropped(&error))?;
        for event in events.take(&chunk).map_err(|error| failure::not_an_answer(settings, &error))? {
            let usage = message.usage;
            message.take(&event)?;
            if message.usage != usage {
                tell(Told::Spent(message.spent()));
            }
        }
        if message.text.len() > MAX_ANSWER_BYTES {
            return Err(failure::dropped(&"the answer is longer than 32 MiB"));
        }
    }
    if message.complete { Ok(()) } else { Err(failure::dropped(&"the connection was closed")) }
}

fn judgement(message: Message, interrupted: Option<Failure>, settings: &Anthropic) -> Judgement {
    let failure = interrupted.or_else(|| stopped(&message, settings));
    let mut usage = message.spent();
    usage.partial = !message.complete;
    let mut warnings = Vec::new();
    if usage.tokens() > 0 && !message.has_price() {
        warnings.push(format!("the price of {} is not known: its cost counts as 0", message.model));
    }
    Judgement {
        failure,
        accepted: true,
        usage,
        session: None,
        signal: None,
        warnings,
        if_not_valid: None,
        provenance: Some(Provenance {
            model: Some(message.model),
            stop_reason: message.stop_reason,
            ..Provenance::default()
        }),
        answer: if message.text.is_empty() { Answer::None } else { Answer::Text(message.text) },
    }
}

/// What is wrong with a whole answer.
fn stopped(message: &Message, settings: &Anthropic) -> Option<Failure> {
    let failure = |class, reason, message: String| {
        Some(Failure { fresh_session: true, ..Failure::new(class, reason, message) })
    };
    match message.stop_reason.as_deref() {
        Some("max_tokens") => failure(
            FailureClass::BatchFatal,
            "OutputCap",
            format!(
                "the answer reached backend.maxTokens ({}): raise it, or make the batches smaller",
                settings.max_tokens
            ),
        ),
        Some("refusal") => failure(
            FailureClass::BatchFatal,
            "Refused",
            "the model refused this prompt; the prompt has to change".to_owned(),
        ),
        Some("model_context_window_exceeded") => failure(
            FailureClass::BatchFatal,
            "PromptTooLong",
            "prompt and answer are longer than the model's context: make the batches smaller".to_owned(),
        ),
        Some("end_turn" | "stop_sequence") | None if message.text.trim().is_empty() => failure(
            FailureClass::Transient,
            "EmptyAnswer",
            "the model ended its turn without an answer".to_owned(),
        ),
        Some("end_turn" | "stop_sequence") | None => None,
        Some(other) => failure(
            FailureClass::Transient,
            "UnexpectedStop",
            format!("the model stopped for a reason that does not fit a batch: {other}"),
        ),
    }
}
