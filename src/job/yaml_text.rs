//! Writes YAML for people: block style, long texts as literal blocks, quotes only where they are needed.

use std::fmt::Write as _;

use serde_json::Value;

use super::load::is_plain_text;

/// A value as YAML. `comment` is asked for each path of a map (`spec.retry.maxRetries`); what it says stands in a line
/// above the key.
pub fn write(value: &Value, comment: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => node(value, 0, "", comment, &mut out),
        Value::Array(list) if !list.is_empty() => node(value, 0, "", comment, &mut out),
        other => {
            scalar(other, 0, &mut out);
            out.push('\n');
        }
    }
    out
}

fn node(
    value: &Value,
    indent: usize,
    path: &str,
    comment: &dyn Fn(&str) -> Option<String>,
    out: &mut String,
) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) => {
            for (index, (key, entry)) in map.iter().enumerate() {
                let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                // The first key of a list's entry stands behind its dash.
                let pad = if index == 0 && out.ends_with("- ") { "" } else { &pad };
                if let Some(comment) = comment(&here) {
                    if pad.is_empty() && indent > 0 {
                        let _ = write!(out, "# {comment}\n{}", " ".repeat(indent));
                    } else {
                        let _ = writeln!(out, "{pad}# {comment}");
                    }
                }
                let _ = write!(out, "{pad}{}:", text(key));
                below(entry, indent, &here, comment, out);
            }
        }
        Value::Array(list) => {
            for entry in list {
                let _ = write!(out, "{pad}- ");
                match entry {
                    Value::Object(map) if !map.is_empty() => {
                        node(entry, indent + 2, &format!("{path}[]"), comment, out);
                    }
                    other => {
                        scalar(other, indent + 2, out);
                        out.push('\n');
                    }
                }
            }
        }
        other => scalar(other, indent, out),
    }
}

fn below(
    value: &Value,
    indent: usize,
    path: &str,
    comment: &dyn Fn(&str) -> Option<String>,
    out: &mut String,
) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            node(value, indent + 2, path, comment, out);
        }
        Value::Array(list) if !list.is_empty() => {
            out.push('\n');
            node(value, indent + 2, path, comment, out);
        }
        other => {
            out.push(' ');
            scalar(other, indent + 2, out);
            out.push('\n');
        }
    }
}

fn scalar(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(text) if literal(text) => {
            let keep = match text.len() - text.trim_end_matches('\n').len() {
                0 => "-",
                1 => "",
                _ => "+",
            };
            let _ = write!(out, "|{keep}");
            for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                out.push('\n');
                if !line.is_empty() {
                    let _ = write!(out, "{:indent$}{line}", "");
                }
            }
        }
        Value::String(words) => out.push_str(&text(words)),
        // Empty lists and maps, and lists in lists: JSON is YAML.
        other => out.push_str(&other.to_string()),
    }
}

/// Whether a text can stand as a literal block: several lines, the first not indented, nothing a block cannot hold.
fn literal(text: &str) -> bool {
    let first = text.split('\n').next().unwrap_or_default();
    let fit = |character: char| !character.is_control() || character == '\n' || character == '\t';
    let odd = ['\u{feff}', '\u{2028}', '\u{2029}', '\u{85}'];
    text.trim_end_matches('\n').contains('\n')
        && !first.is_empty()
        && !first.starts_with([' ', '\t'])
        && text.chars().all(|character| fit(character) && !odd.contains(&character))
}

/// A text on one line, in quotes if it would be read as something else without.
fn text(text: &str) -> String {
    let start = text.starts_with(|first: char| first.is_alphanumeric() || matches!(first, '/' | '.' | '_'));
    let inner = |character: char| character.is_alphanumeric() || " /._-+()=@".contains(character);
    if start && !text.ends_with(' ') && text.chars().all(inner) && is_plain_text(text) {
        return text.to_owned();
    }
    // A JSON string is a YAML string in double quotes.
    Value::from(text).to_string()
}
