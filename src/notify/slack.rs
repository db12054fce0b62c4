//! Slack's incoming webhooks: one text, escaped.

use reqwest::header::HeaderMap;
use serde_json::json;

use super::{
    endpoint::Endpoint,
    markup::{entity, escape},
    message::Message,
    sink::Delivery,
};

/// The most characters that Slack takes in a text.
const MAX_CHARACTERS: usize = 40_000;

/// One incoming webhook.
pub(super) struct Slack {
    pub(super) endpoint: Endpoint,
}

impl Slack {
    pub(super) async fn deliver(&self, message: Message<'_>) -> Delivery {
        let text = text(&message.title(), &message.notice.text);
        self.endpoint.post(json!({ "text": text }).to_string().into_bytes(), HeaderMap::new()).await
    }
}

/// The title in bold and the text below, within Slack's limit; nothing in it is a mention, a link or a command.
pub(super) fn text(title: &str, text: &str) -> String {
    let mut whole = format!("*{}*\n", escape(title));
    let mut room = MAX_CHARACTERS - 1 - whole.chars().count().min(MAX_CHARACTERS - 1);
    for character in text.chars() {
        let escaped = entity(character);
        let length = escaped.map_or(1, str::len);
        if length > room {
            whole.push('…');
            break;
        }
        room -= length;
        match escaped {
            Some(escaped) => whole.push_str(escaped),
            None => whole.push(character),
        }
    }
    whole
}
