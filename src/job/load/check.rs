//! Walks the schema over the tree and reports everything that does not fit.

use super::{
    plain,
    report::{Form, Report, join, nearest},
    schema::{Field, Scalar, Schema, Shape},
    tree::{At, Entry, Node, Value},
};

/// Reports everything in `node` that does not fit `schema`. `path` is the node's in the user's spelling.
pub fn check(node: &Node, schema: &Schema, path: &str, report: &mut Report) {
    if report.problems.is_full() {
        return;
    }
    match (&schema.shape, &node.value) {
        (Shape::Any, _) => {}
        (Shape::Object(fields), Value::Map(entries)) => object(node, entries, fields, path, report),
        (Shape::Map { values, max }, Value::Map(entries)) => {
            if max.is_some_and(|max| entries.len() > max) {
                let message =
                    format!("`{path}` has {} keys, and may have {}", entries.len(), max.unwrap_or(0));
                report.error(node.at, path, message, "take some out");
            }
            for entry in entries {
                check(&entry.value, values, &join(path, &entry.key.name), report);
            }
        }
        (Shape::List { items, min, max }, Value::List(nodes)) => {
            if nodes.len() < *min {
                report.error(
                    node.at,
                    path,
                    format!("`{path}` is an empty list"),
                    "write at least one, or leave it out",
                );
            }
            if max.is_some_and(|max| nodes.len() > max) {
                let message =
                    format!("`{path}` has {} entries, and may have {}", nodes.len(), max.unwrap_or(0));
                let help = match path.rsplit('.').next() {
                    Some("items") => "put them in a file, one a line, and name it under batch.itemsFrom.file",
                    _ => "take some out",
                };
                report.error(node.at, path, message, help);
                return;
            }
            for (index, child) in nodes.iter().enumerate() {
                check(child, items, &format!("{path}[{index}]"), report);
            }
        }
        (Shape::Words(words), Value::String(word)) => one_of(node.at, word, words, path, report),
        (Shape::Scalar(scalar), value) if scalar.takes(value) => bounds(node, scalar, path, report),
        (shape, value) => {
            let message = format!("`{path}` is {}, and must be {}", value.kind(), shape.wanted());
            let path_or_file = if path.is_empty() { "the job file" } else { path };
            let message = message.replace("``", path_or_file);
            report.error(node.at, path, message, shape.way_out(value));
        }
    }
}

fn object(node: &Node, entries: &[Entry], fields: &[Field], path: &str, report: &mut Report) {
    for entry in entries {
        let key = &entry.key;
        let here = key.written.clone().unwrap_or_else(|| join(path, &key.name));
        match fields.iter().find(|field| field.name == key.name && !key.foreign) {
            Some(field) => check(&entry.value, &field.schema, &here, report),
            None => unknown(key.at, &key.name, &here, fields, path, report),
        }
    }
    for field in fields.iter().filter(|field| field.required) {
        if node.get(&field.name).is_none() {
            let name = report.spell(&field.name, &field.plain).to_owned();
            let of = if path.is_empty() { "the job file".to_owned() } else { format!("`{path}`") };
            let example = field.schema.shape.example(&name);
            report.error(
                node.at,
                &join(path, &name),
                format!("{of} lacks `{name}`"),
                format!("add `{example}`"),
            );
        }
    }
}

fn unknown(at: At, name: &str, here: &str, fields: &[Field], path: &str, report: &mut Report) {
    if report.problems.is_full() {
        return;
    }
    let form = report.form;
    let exact = fields.iter().find(|field| match form {
        Form::Plain => field.name == name,
        Form::Manifest => field.plain == name,
    });
    let known: Vec<String> = match form {
        Form::Manifest => fields.iter().map(|field| field.name.clone()).collect(),
        Form::Plain => plain::names(path, fields),
    };
    let help = match (form, exact) {
        (Form::Plain, Some(field)) if known.contains(&field.plain) => {
            format!("that is the manifest's spelling; a plain job file says `{}`", field.plain)
        }
        (Form::Manifest, Some(field)) => {
            format!("that is the plain form's spelling; a manifest says `{}`", field.name)
        }
        _ => match plain::elsewhere(form, path, name) {
            Some(help) => help,
            None => match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            },
        },
    };
    report.error(at, here, format!("`{here}` is not a field"), help);
}

fn one_of(at: At, word: &str, words: &[String], path: &str, report: &mut Report) {
    if words.iter().any(|known| known == word) {
        return;
    }
    let list = words.join(", ");
    let help = match plain::retired_word(path, word) {
        Some(help) => help.to_owned(),
        None => match nearest(word, words.iter().map(String::as_str)) {
            Some(near) if words.len() == 1 => format!("write `{near}`"),
            Some(near) => format!("did you mean `{near}`? One of: {list}"),
            None => format!("one of: {list}"),
        },
    };
    report.error(at, path, format!("`{path}` cannot be `{word}`"), help);
}

fn bounds(node: &Node, scalar: &Scalar, path: &str, report: &mut Report) {
    let number = match &node.value {
        Value::String(text) => {
            let length = text.chars().count();
            if length < scalar.min_length {
                let help = "write something, or leave the field out";
                report.error(node.at, path, format!("`{path}` is empty"), help);
            } else if let Some(max) = scalar.max_length.filter(|max| length > *max) {
                let message = format!("`{path}` has {length} characters, and may have {max}");
                report.error(node.at, path, message, "shorten it");
            } else if let Some(pattern) = &scalar.pattern
                && !pattern.is_match(text)
            {
                let help = "dollars with at most six places and no sign, such as \"2\" or \"0.50\"";
                report.error(node.at, path, format!("`{path}` cannot be `{text}`"), help);
            }
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "only compared with bounds far below 2^53")]
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        _ => return,
    };
    let (least, most) = (scalar.minimum, scalar.maximum);
    if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
        let (name, factor) = plain::unit(path);
        let show = |bound: f64| bound / factor;
        let range = match (least.map(show), most.map(show)) {
            (Some(least), Some(most)) if least > 0.0 && least < 1.0 => format!("above 0 and up to {most}"),
            (Some(least), Some(most)) => format!("from {least} to {most}"),
            (Some(least), None) => format!("of at least {least}"),
            (None, most) => format!("of at most {}", most.unwrap_or(0.0)),
        };
        let message = format!("`{path}` is {}, out of its bounds", show(number));
        report.error(node.at, path, message, format!("write a number{name} {range}"));
    }
}

impl Scalar {
    fn takes(&self, value: &Value) -> bool {
        match value {
            Value::String(_) => self.text,
            Value::Int(_) => self.integer || self.number,
            Value::Float(_) => self.number,
            Value::Bool(_) => self.boolean,
            Value::Map(_) => self.map,
            Value::List(_) | Value::Null => false,
        }
    }
}

impl Shape {
    fn wanted(&self) -> String {
        let scalar = match self {
            Self::Object(_) | Self::Map { .. } => return "a map".to_owned(),
            Self::List { .. } => return "a list".to_owned(),
            Self::Words(words) => return format!("one of: {}", words.join(", ")),
            Self::Any => return "anything".to_owned(),
            Self::Scalar(scalar) => scalar,
        };
        let kinds = [
            (scalar.text, "text"),
            (scalar.integer && !scalar.number, "a whole number"),
            (scalar.number, "a number"),
            (scalar.boolean, "true or false"),
            (scalar.map, "a map"),
        ];
        let kinds: Vec<&str> = kinds.into_iter().filter(|(may, _)| *may).map(|(_, kind)| kind).collect();
        kinds.join(" or ")
    }

    fn way_out(&self, value: &Value) -> String {
        match (self, value) {
            (Self::Scalar(scalar), Value::String(text))
                if scalar.integer || scalar.number || scalar.boolean =>
            {
                match super::scalar::resolve(text) {
                    Ok(plain) if scalar.takes(&plain) => format!("write {text} without quotes"),
                    _ if scalar.boolean => "write true or false".to_owned(),
                    _ => "write a number".to_owned(),
                }
            }
            (Self::Scalar(scalar), Value::Int(_) | Value::Float(_) | Value::Bool(_)) if scalar.text => {
                "put it in quotes".to_owned()
            }
            (Self::Scalar(scalar), Value::Float(_)) if scalar.integer => {
                "write it without a fraction".to_owned()
            }
            (Self::List { .. }, _) => "write a list: `- one` a line, or [one, two]".to_owned(),
            (Self::Object(fields), _) => {
                let names: Vec<&str> = fields.iter().take(4).map(|field| field.plain.as_str()).collect();
                format!("write `key: value` lines under it, such as {}", names.join(", "))
            }
            (Self::Map { .. }, _) => "write `key: value` lines under it".to_owned(),
            (Self::Scalar(_), Value::Map(_) | Value::List(_)) => {
                "write one value; text that begins with { or [ needs quotes".to_owned()
            }
            (Self::Words(words), _) => format!("write one of: {}", words.join(", ")),
            _ => format!("write {}", self.wanted()),
        }
    }

    fn example(&self, name: &str) -> String {
        match self {
            Self::Words(words) => format!("{name}: {}", words.first().map_or("…", String::as_str)),
            Self::Scalar(_) if name == "name" => "name: my-job".to_owned(),
            Self::Object(fields) => {
                let inner: Vec<String> = fields
                    .iter()
                    .filter(|field| field.required)
                    .map(|field| field.schema.shape.example(&field.name))
                    .collect();
                format!("{name}: {{{}}}", if inner.is_empty() { "…".to_owned() } else { inner.join(", ") })
            }
            Self::Scalar(scalar) if scalar.integer || scalar.number => format!("{name}: 10"),
            _ => format!("{name}: …"),
        }
    }
}
