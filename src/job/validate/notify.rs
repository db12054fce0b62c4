//! Who is told what.

use super::context::Context;
use crate::{
    api::notification::{self as api, Event, NotificationType},
    job::{
        model::{Notification, Occasion, Setting, Sink},
        sources::Mode,
    },
};

pub fn notifications(api: &[api::Notification], context: &mut Context<'_>) -> Vec<Notification> {
    let one = |(index, notification)| sink(notification, &format!("notifications.{index}"), context);
    api.iter().enumerate().filter_map(one).collect()
}

fn sink(api: &api::Notification, path: &str, context: &mut Context<'_>) -> Option<Notification> {
    let (is, kind) = match api.kind {
        NotificationType::Desktop => ("desktop", 0),
        NotificationType::Webhook => ("webhook", 1),
        NotificationType::Slack => ("slack", 2),
    };
    // Which types use a field, in the order above.
    for (field, may) in [
        ("url", [false, true, true]),
        ("urlFrom", [false, true, true]),
        ("headers", [false, true, false]),
        ("secretFrom", [false, true, false]),
        ("includeOutput", [false, true, false]),
    ] {
        let here = format!("{path}.{field}");
        if context.has(&here) && !may[kind] {
            let message = format!("`{}` does nothing for {is}", context.name(&here));
            context.error(&here, message, "take it out");
        }
    }
    let sink = match api.kind {
        // An operator has no desktop, and the same file may serve both.
        NotificationType::Desktop if context.sources.mode() == Mode::Cluster => return None,
        NotificationType::Desktop => Sink::Desktop,
        NotificationType::Webhook => {
            let headers = api.headers.clone().unwrap_or_default();
            for (name, value) in &headers {
                let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
                let text = |character: char| !character.is_control() || character == '\t';
                if name.is_empty() || !name.bytes().all(token) || !value.chars().all(text) {
                    let here = format!("{path}.headers");
                    context.error(
                        &here,
                        format!("`{name}` is no HTTP header"),
                        "a name of letters, digits and -, and one line of text",
                    );
                }
            }
            Sink::Webhook {
                url: address(api, path, context)?,
                headers,
                secret: match &api.secret_from {
                    None => None,
                    Some(from) => Some(setting(from, &format!("{path}.secretFrom"), context)?),
                },
                include_output: api.include_output.unwrap_or(false),
            }
        }
        NotificationType::Slack => Sink::Slack { url: address(api, path, context)? },
    };
    let mut on: Vec<Occasion> = match &api.on_events {
        None => vec![Occasion::JobComplete, Occasion::JobFailed],
        Some(events) => events.iter().map(|event| occasion(*event)).collect(),
    };
    on.sort();
    on.dedup();
    Some(Notification { sink, on })
}

fn address(api: &api::Notification, path: &str, context: &mut Context<'_>) -> Option<Setting> {
    match (&api.url, &api.url_from) {
        (Some(url), None) => {
            http_url(url, &format!("{path}.url"), context).map(|_| Setting::Literal(url.clone()))
        }
        (None, Some(from)) => setting(from, &format!("{path}.urlFrom"), context),
        (Some(_), Some(_)) => {
            let here = format!("{path}.urlFrom");
            let message = format!("`{}` and `url` both say where to", context.name(&here));
            context.error(&here, message, "keep one of them");
            None
        }
        (None, None) => {
            let message = format!("`{}` does not say where to", context.name(path));
            let from = match context.sources.mode() {
                Mode::Local => "{env: NAME}",
                Mode::Cluster => "{secretKeyRef: {name: …, key: …}}",
            };
            let help = format!("add `url: https://…`, or `{}: {from}`", context.spell("urlFrom"));
            context.error(path, message, help);
            None
        }
    }
}

fn setting(from: &api::ValueFrom, path: &str, context: &mut Context<'_>) -> Option<Setting> {
    match (&from.env, &from.secret_key_ref, context.sources.mode()) {
        (Some(name), _, Mode::Local) => Some(Setting::Env(name.clone())),
        (_, Some(key), Mode::Cluster) => {
            Some(Setting::Secret { name: key.name.clone(), key: key.key.clone() })
        }
        (_, _, mode) => {
            let (what, help) = match mode {
                Mode::Local => ("environment variable", "add `env: NAME`"),
                Mode::Cluster => ("key of a Secret", "add `secretKeyRef: {name: …, key: …}`"),
            };
            context.error(path, format!("`{}` names no {what}", context.name(path)), help);
            None
        }
    }
}

/// A URL of http or https with a host.
pub fn http_url(text: &str, path: &str, context: &mut Context<'_>) -> Option<url::Url> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
        _ => {
            let message = format!("`{}` is no http or https address", context.name(path));
            context.error(path, message, "write it whole: `https://host/path`");
            None
        }
    }
}

fn occasion(event: Event) -> Occasion {
    match event {
        Event::JobStart => Occasion::JobStart,
        Event::BatchStart => Occasion::BatchStart,
        Event::BatchComplete => Occasion::BatchComplete,
        Event::BatchFailed => Occasion::BatchFailed,
        Event::JobComplete => Occasion::JobComplete,
        Event::JobFailed => Occasion::JobFailed,
        Event::JobPaused => Occasion::JobPaused,
        Event::RateLimited => Occasion::RateLimited,
    }
}
