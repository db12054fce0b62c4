use std::{io, time::Duration};

use axum::{
    Json,
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Billed, MODEL};

/// Between the content of an answer and its end.
const FLUSH: Duration = Duration::from_millis(20);

/// How an answer that has begun ends.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Whole,
    /// The connection breaks after the content.
    Dropped,
    /// Nothing comes after the content, and the connection stays.
    Stalled,
    /// An `error` event after the content.
    Error(Value),
}

/// What the fake answers to one request.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    /// An error's body, when `status` is not 200.
    error: Value,
    content: Vec<Value>,
    stop_reason: Option<&'static str>,
    input_tokens: u64,
    output_tokens: u64,
    delay: Duration,
    end: End,
    always_plain: bool,
    model: &'static str,
}

impl Reply {
    /// An answer of one text; 1,000 tokens in, 100 out.
    pub fn text(text: &str) -> Self {
        Self::content(vec![json!({ "type": "text", "text": text })])
    }

    /// A turn that calls a tool of Claude Code.
    pub fn tool(name: &str, input: &Value) -> Self {
        Self::content(vec![json!({ "type": "tool_use", "name": name, "input": input })])
    }

    /// A turn that calls a tool several times at once.
    pub fn tools(name: &str, inputs: &[Value]) -> Self {
        let call = |input| json!({ "type": "tool_use", "name": name, "input": input });
        Self::content(inputs.iter().map(call).collect())
    }

    /// A turn that writes a file with Claude Code's Write tool.
    pub fn write(path: &std::path::Path, content: &str) -> Self {
        Self::tool("Write", &json!({ "file_path": path, "content": content }))
    }

    /// An answer of no content at all.
    pub fn empty() -> Self {
        Self::content(Vec::new())
    }

    /// An error of the service.
    pub fn error(status: u16, kind: &str, message: &str) -> Self {
        let error = json!({ "type": "error", "error": { "type": kind, "message": message } });
        Self { status, error, ..Self::empty() }
    }

    fn content(content: Vec<Value>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            error: Value::Null,
            content,
            stop_reason: None,
            input_tokens: 1000,
            output_tokens: 100,
            delay: Duration::ZERO,
            end: End::Whole,
            always_plain: false,
            model: MODEL,
        }
    }

    /// With a header.
    pub fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name.to_owned(), format!("{value}")));
        self
    }

    /// With these headers.
    pub fn headers(mut self, headers: Vec<(String, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// With this `error.details.error_code`.
    pub fn error_code(mut self, code: &str) -> Self {
        self.error["error"]["details"] = json!({ "error_code": code });
        self
    }

    /// With these tokens.
    pub fn tokens(mut self, input: u64, output: u64) -> Self {
        (self.input_tokens, self.output_tokens) = (input, output);
        self
    }

    /// Ending for this reason.
    pub fn stop(mut self, reason: &'static str) -> Self {
        self.stop_reason = Some(reason);
        self
    }

    /// Said by this model.
    pub fn by(mut self, model: &'static str) -> Self {
        self.model = model;
        self
    }

    /// After so long.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The connection breaks in mid-answer.
    pub fn dropped(mut self) -> Self {
        self.end = End::Dropped;
        self
    }

    /// The answer never ends.
    pub fn stalled(mut self) -> Self {
        self.end = End::Stalled;
        self
    }

    /// An `error` event comes in mid-answer.
    pub fn error_event(mut self, kind: &str, message: &str) -> Self {
        self.end = End::Error(json!({ "type": "error", "error": { "type": kind, "message": message } }));
        self
    }

    /// As one JSON document, though a stream was asked for.
    pub fn plain(mut self) -> Self {
        self.always_plain = true;
        self
    }

    /// Whether it is an answer of the model, not an error of the service.
    pub fn is_answer(&self) -> bool {
        self.status == 200
    }

    /// What the caller is told to have used, if the answer comes whole.
    pub(super) fn billed(&self) -> Billed {
        if self.status == 200 && self.end == End::Whole {
            Billed { input_tokens: self.input_tokens, output_tokens: self.output_tokens }
        } else {
            Billed::default()
        }
    }

    pub(super) async fn send(self, number: usize, streamed: bool) -> Response {
        tokio::time::sleep(self.delay).await;
        let mut response = if self.status != 200 {
            Json(self.error.clone()).into_response()
        } else if streamed && !self.always_plain {
            let mut response = self.stream(number).into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            response
        } else {
            Json(self.whole(number)).into_response()
        };
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap();
        for (name, value) in &self.headers {
            response.headers_mut().insert(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        response.headers_mut().insert("request-id", format!("req_{number}").parse().unwrap());
        response
    }

    fn stop_reason(&self) -> &'static str {
        let calls = self.content.iter().any(|block| block["type"] == "tool_use");
        self.stop_reason.unwrap_or(if calls { "tool_use" } else { "end_turn" })
    }

    fn whole(&self, number: usize) -> Value {
        json!({
            "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": self.model,
            "content": self.blocks(number), "stop_reason": self.stop_reason(), "stop_sequence": null,
            "usage": { "input_tokens": self.input_tokens, "output_tokens": self.output_tokens },
        })
    }

    fn blocks(&self, number: usize) -> Vec<Value> {
        let with_id = |(index, block): (usize, &Value)| {
            let mut block = block.clone();
            if block["type"] == "tool_use" {
                block["id"] = json!(format!("toolu_{number}_{index}"));
            }
            block
        };
        self.content.iter().enumerate().map(with_id).collect()
    }

    fn stream(&self, number: usize) -> Body {
        let mut start = self.whole(number);
        start["content"] = json!([]);
        start["stop_reason"] = Value::Null;
        start["usage"]["output_tokens"] = json!(1);
        let mut events = vec![json!({ "type": "message_start", "message": start })];
        for (index, block) in self.blocks(number).into_iter().enumerate() {
            let mut begun = block.clone();
            let delta = if block["type"] == "tool_use" {
                begun["input"] = json!({});
                json!({ "type": "input_json_delta", "partial_json": block["input"].to_string() })
            } else {
                begun["text"] = json!("");
                json!({ "type": "text_delta", "text": block["text"] })
            };
            events.push(json!({ "type": "content_block_start", "index": index, "content_block": begun }));
            events.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
            events.push(json!({ "type": "content_block_stop", "index": index }));
        }
        let last: Vec<Result<String, io::Error>> = match &self.end {
            End::Whole => {
                let delta = json!({ "stop_reason": self.stop_reason(), "stop_sequence": null });
                let usage = json!({ "output_tokens": self.output_tokens });
                vec![
                    Ok(event(&json!({ "type": "message_delta", "delta": delta, "usage": usage }))),
                    Ok(event(&json!({ "type": "message_stop" }))),
                ]
            }
            End::Dropped => vec![Err(io::ErrorKind::ConnectionReset.into())],
            End::Stalled => Vec::new(),
            End::Error(error) => vec![Ok(event(error))],
        };
        let begun = stream::iter(events.iter().map(event).map(Ok).collect::<Vec<_>>());
        // What was said before a break has to be on its way, or the server drops it with the connection.
        let flushed = stream::once(tokio::time::sleep(FLUSH)).filter_map(async |()| None);
        let whole = begun.chain(flushed).chain(stream::iter(last));
        if self.end == End::Stalled {
            Body::from_stream(whole.chain(stream::pending()))
        } else {
            Body::from_stream(whole)
        }
    }
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())
}

/// The headers by which a subscription's requests are told where a window stands: `allowed`, `allowed_warning`,
/// `rejected`.
pub fn unified_limit(status: &str, share: f64, resets_at: Timestamp) -> Vec<(String, String)> {
    let reset = resets_at.as_second().to_string();
    [
        ("status", status),
        ("reset", &reset),
        ("representative-claim", "five_hour"),
        ("5h-status", status),
        ("5h-reset", &reset),
        ("5h-utilization", &share.to_string()),
    ]
    .map(|(name, value)| (format!("anthropic-ratelimit-unified-{name}"), value.to_owned()))
    .to_vec()
}
