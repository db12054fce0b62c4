//! What Claude Code writes (`--output-format stream-json`), as people read it: what it says and which tools it uses.

use serde_json::Value;

use super::{
    format,
    terminal::{Look, Tone},
};

/// The most of a tool's input or error that is shown, in characters.
const SHORT: usize = 120;

/// The lines for one line of a log: several for a text of several lines, none for what says nothing. A line that
/// Claude Code did not write is shown as it is.
pub fn lines(line: &str, look: &Look) -> Vec<String> {
    let Ok(Value::Object(event)) = serde_json::from_str(line) else { return vec![line.to_owned()] };
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("session_id").is_empty() && text("type") != "result" {
        return vec![line.to_owned()];
    }
    let quiet = |text: String| vec![look.paint(Tone::Quiet, text)];
    match (text("type"), text("subtype")) {
        ("system", "init") => quiet(format!("session {}, model {}", text("session_id"), text("model"))),
        ("system", "api_retry") => {
            let wait = event.get("retry_delay_ms").and_then(Value::as_u64).unwrap_or_default() / 1000;
            let why = shortened(text("error"), look);
            vec![look.paint(Tone::Warning, format!("asks again in {wait}s: {why}"))]
        }
        ("assistant", _) => blocks(&event).flat_map(|block| said(block, look)).collect(),
        ("user", _) => blocks(&event).filter_map(|block| tool_failed(block, look)).collect(),
        ("result", subtype) => vec![result(&event, subtype, look)],
        ("system" | "rate_limit_event" | "stream_event", _) => Vec::new(),
        _ => vec![line.to_owned()],
    }
}

type Event = serde_json::Map<String, Value>;

fn blocks(event: &Event) -> impl Iterator<Item = &Value> {
    let content = event.get("message").and_then(|message| message.get("content"));
    content.and_then(Value::as_array).into_iter().flatten()
}

fn said(block: &Value, look: &Look) -> Vec<String> {
    match block["type"].as_str() {
        Some("text") => {
            let text = block["text"].as_str().unwrap_or_default().trim_end();
            text.lines().map(ToOwned::to_owned).collect()
        }
        Some("tool_use") => {
            let name = look.paint(Tone::Name, block["name"].as_str().unwrap_or("?"));
            vec![format!("{} {name} {}", look.symbol("→", "->"), shortened(&input(&block["input"]), look))]
        }
        _ => Vec::new(),
    }
}

/// `command: cargo test, timeout: 60`
fn input(input: &Value) -> String {
    let Value::Object(fields) = input else { return String::new() };
    let field = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    };
    fields.iter().map(field).collect::<Vec<_>>().join(", ")
}

/// What a tool that failed told Claude; what others gave back is in `--raw`.
fn tool_failed(block: &Value, look: &Look) -> Option<String> {
    if block["type"] != "tool_result" || block["is_error"] != true {
        return None;
    }
    let text = match &block["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    };
    let mark = look.paint(Tone::Bad, look.symbol("✗", "FAILED"));
    Some(format!("  {mark} {}", shortened(&text, look)))
}

/// `ended: success, 12 turns, $0.4200`. What a success says has been said by Claude before.
fn result(event: &Event, subtype: &str, look: &Look) -> String {
    let failed = event.get("is_error").and_then(Value::as_bool).unwrap_or(false);
    let mut parts = vec![if subtype.is_empty() { "no word" } else { subtype }.to_owned()];
    if let Some(turns) = event.get("num_turns").and_then(Value::as_u64) {
        parts.push(format::plural(turns, "turn", "turns"));
    }
    if let Some(cost) = event.get("total_cost_usd").and_then(Value::as_f64) {
        parts.push(format!("${cost:.4}"));
    }
    let why = event.get("result").and_then(Value::as_str).filter(|_| failed);
    parts.extend(why.map(|why| shortened(why, look)));
    let tone = if failed { Tone::Bad } else { Tone::Quiet };
    look.paint(tone, format!("ended: {}", parts.join(", ")))
}

/// On one line, and not longer than people read.
fn shortened(text: &str, look: &Look) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    console::truncate_str(&line, SHORT, look.symbol("…", "~")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { terminal: false, color: false, unicode: true, moves: false, width: None };

    #[test]
    fn a_session_reads_as_what_was_said_and_which_tools_were_used() {
        let log = [
            r#"{"type":"system","subtype":"init","session_id":"5e55","model":"claude-opus-5-5","tools":["Bash"]}"#,
            r#"{"type":"rate_limit_event","session_id":"5e55","rate_limit_info":{"status":"allowed"}}"#,
            r#"{"type":"assistant","session_id":"5e55","message":{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"I look first.\nThen I write.\n"},{"type":"tool_use","name":"Bash","input":{"command":"git log\n  --oneline","timeout":60}}]}}"#,
            r#"{"type":"user","session_id":"5e55","message":{"content":[{"type":"tool_result","is_error":true,"content":[{"type":"text","text":"fatal: not a git\nrepository"}]}]}}"#,
            r#"{"type":"user","session_id":"5e55","message":{"content":[{"type":"tool_result","content":"fine"}]}}"#,
            r#"{"type":"system","subtype":"api_retry","session_id":"5e55","retry_delay_ms":2000,"error":"overloaded"}"#,
            r#"{"type":"result","subtype":"success","session_id":"5e55","is_error":false,"num_turns":2,"total_cost_usd":0.0125,"result":"Then I write."}"#,
            "a line of its own",
            r#"{"type":"assistant","of":"another program"}"#,
        ];
        let shown: Vec<String> = log.iter().flat_map(|line| lines(line, &LOOK)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        session 5e55, model claude-opus-5-5
        I look first.
        Then I write.
        → Bash command: git log --oneline, timeout: 60
          ✗ fatal: not a git repository
        asks again in 2s: overloaded
        ended: success, 2 turns, $0.0125
        a line of its own
        {"type":"assistant","of":"another program"}
        "#);
    }

    #[test]
    fn a_failed_session_says_why() {
        let line = r#"{"type":"result","subtype":"error_during_execution","session_id":"5e55","is_error":true,"num_turns":1,"result":"Credit balance is too low"}"#;
        insta::assert_snapshot!(lines(line, &LOOK).join("\n"), @"ended: error_during_execution, 1 turn, Credit balance is too low");
    }
}
