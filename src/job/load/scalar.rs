//! What a scalar without quotes means. Prompts read the same locally and in a cluster, so untyped values become what
//! the API server would make of them, and words on which YAML 1.1 and 1.2 disagree are refused.

use std::sync::LazyLock;

use regex::Regex;

use super::tree::Value;

/// Why a scalar is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Unclear {
    /// What is wrong, after the quoted scalar: `means true in one YAML and text in another`.
    pub why: &'static str,
    /// What to write.
    pub help: String,
}

/// Words that YAML 1.1 reads as a truth value and YAML 1.2 as text.
const OLD_TRUE: [&str; 8] = ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON"];
const OLD_FALSE: [&str; 8] = ["n", "N", "no", "No", "NO", "off", "Off", "OFF"];

/// Numbers of YAML 1.1 alone: octal `0777` and `0o17`, binary, underscores, base 60 (`1:30`).
static OLD_NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[-+]?(0[0-9_]+|0o[0-7_]+|0b[01_]+|0x[0-9a-fA-F_]*_[0-9a-fA-F_]*|[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?|[0-9]+(:[0-5]?[0-9])+)$")
        .expect("a constant pattern")
});

/// What a scalar without quotes means.
///
/// # Errors
/// Says why it is refused: YAML 1.1 and 1.2 disagree on it, or JSON has no such number.
pub fn resolve(text: &str) -> Result<Value, Unclear> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let old = |truth: bool| Unclear {
        why: if truth {
            "is true in YAML 1.1 and text in YAML 1.2"
        } else {
            "is false in YAML 1.1 and text in YAML 1.2"
        },
        help: format!("write \"{text}\" for the text, {truth} for the truth value"),
    };
    if OLD_TRUE.contains(&text) {
        return Err(old(true));
    }
    if OLD_FALSE.contains(&text) {
        return Err(old(false));
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.')) {
        return Ok(Value::String(text.to_owned()));
    }
    if OLD_NUMBER.is_match(text) {
        return Err(Unclear {
            why: "is one number in YAML 1.1 and something else in YAML 1.2",
            help: format!("write \"{text}\" for the text, or the number in plain decimal digits"),
        });
    }
    number(text)
}

fn number(text: &str) -> Result<Value, Unclear> {
    let digits = text.trim_start_matches(['-', '+']);
    if text.len() - digits.len() > 1 {
        return Ok(Value::String(text.to_owned()));
    }
    let too_big = || Unclear {
        why: "is beyond the whole numbers of 64 bits, which a cluster would round",
        help: format!("write \"{text}\" if it is a name or an id"),
    };
    if let Some(hex) = digits.strip_prefix("0x")
        && !hex.is_empty()
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        let value = i64::from_str_radix(hex, 16).map_err(|_| too_big())?;
        return Ok(Value::Int(if text.starts_with('-') { -value } else { value }));
    }
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.trim_start_matches('+').parse().map(Value::Int).map_err(|_| too_big());
    }
    if matches!(digits, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Err(Unclear {
            why: "is no number that JSON knows",
            help: format!("write \"{text}\" for the text"),
        });
    }
    // Rust reads more as a float than YAML does (`inf`, `infinity`), but all of that begins with a letter.
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return Ok(Value::String(text.to_owned()));
    }
    match text.parse::<f64>() {
        Ok(value) if !value.is_finite() => Err(too_big()),
        Ok(value) => whole(value).ok_or_else(too_big),
        Err(_) => Ok(Value::String(text.to_owned())),
    }
}

/// A float as the API server keeps it: whole ones become integers.
fn whole(value: f64) -> Option<Value> {
    if value.fract() != 0.0 {
        return Some(Value::Float(value));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked, and there is no fraction")]
    (value.abs() < 9_223_372_036_854_775_807.0).then_some(Value::Int(value as i64))
}
