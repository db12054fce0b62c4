//! Items in a text: a JSON array, or one a line, each line JSON or text.

use serde_json::Value;

/// The items in `text`. Blank lines are left out. A line that begins like a JSON map or list, or is a quoted text, is
/// read as JSON; every other line is the item as it stands.
///
/// # Errors
/// The number of the line, from 1, and what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Value>, (usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('[')
        && let Ok(Value::Array(items)) = serde_json::from_str(text)
    {
        return items.into_iter().enumerate().map(|(index, item)| bounded(index + 1, item)).collect();
    }
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            let line = line.trim_end();
            let item = if line.starts_with(['{', '"']) {
                serde_json::from_str(line).map_err(|error| (index + 1, format!("it is no JSON: {error}")))?
            } else {
                Value::String(line.to_owned())
            };
            bounded(index + 1, item)
        })
        .collect()
}

/// What an untyped value of a job file would be, too: no nulls in maps, whole floats as integers.
fn bounded(line: usize, item: Value) -> Result<Value, (usize, String)> {
    match item {
        Value::Null => Err((line, "it is null; leave the line out".to_owned())),
        other => normal(other)
            .ok_or_else(|| (line, "it holds a number beyond 64 bits; put it in quotes".to_owned())),
    }
}

fn normal(value: Value) -> Option<Value> {
    Some(match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(_), _) => Value::Number(number),
            (None, Some(float)) if float.fract() != 0.0 => Value::Number(number),
            (None, Some(float)) if float.abs() < 9_223_372_036_854_775_807.0 =>
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the range was checked, and there is no fraction"
                )]
                Value::from(float as i64)
            }
            _ => return None,
        },
        Value::Array(list) => Value::Array(list.into_iter().map(normal).collect::<Option<_>>()?),
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(key, value)| normal(value).map(|value| (key, value))).collect::<Option<_>>()?,
            )
        }
        other => other,
    })
}
