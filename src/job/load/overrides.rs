//! `--set PATH=VALUE`: single values from the command line, put into the tree before it is checked.

use super::{
    plain::{Base, MOVES, Unit},
    report::{Form, Report, nearest},
    schema::{Scalar, Schema, Shape},
    tree::{At, Entry, Key, Node, Value},
    yaml,
};

/// Puts every value of `set` into the manifest's tree.
pub fn apply(tree: &mut Node, set: &[(String, String)], schema: &Schema, report: &mut Report) {
    for (path, text) in set {
        let name = format!("--set {path}=");
        let number = report.texts.add(name.clone() + text, &format!("{path}={text}"));
        let width = u32::try_from(path.chars().count()).unwrap_or(1);
        let at = At { text: number, line: 1, column: 1, width };
        let (segments, unit) = target(path, report.form);
        let (segments, leaf) = match resolve(&segments, schema) {
            Ok(found) => found,
            Err((wrong, known)) => {
                let help = match nearest(&wrong, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "that value has no fields".to_owned(),
                    None => format!("known here: {}", known.join(", ")),
                };
                report.error(at, path, format!("`{path}` is not a field: there is no `{wrong}`"), help);
                continue;
            }
        };
        if let Some(value) = value(text, leaf, unit, at, report) {
            put(tree, &segments, path, value);
        }
    }
}

/// Puts `--items FILE` in the place of what the job file says the items are.
pub fn replace_items(tree: &mut Node, file: &str, report: &mut Report) {
    let written = format!("--items {file}");
    let at = At { text: report.texts.add(written.clone(), &written), line: 1, column: 9, width: 1 };
    let batch = child(tree, "spec").and_then(|spec| child(spec, "batch"));
    if let Some(Node { value: Value::Map(entries), .. }) = batch {
        entries.retain(|entry| !matches!(entry.key.name.as_str(), "totalItems" | "items" | "itemsFrom"));
    }
    let path = ["spec", "batch", "itemsFrom", "file"].map(str::to_owned);
    put(tree, &path, "--items", Node { value: Value::String(file.to_owned()), at });
}

/// The manifest's path of a path on the command line.
fn target(path: &str, form: Form) -> (Vec<String>, Unit) {
    let flat = path.replace('[', ".").replace(']', "");
    let written: Vec<&str> = flat.split('.').collect();
    if form == Form::Plain {
        for row in MOVES.iter().filter(|row| !row.within.ends_with("[]")) {
            let within = row.within.split('.').filter(|part| !part.is_empty());
            if within.chain(row.plain.iter().copied()).eq(written.iter().copied()) {
                let base: &[&str] = if row.base == Base::Root { &[] } else { &["spec", row.within] };
                let whole = base.iter().chain(row.manifest).map(|part| super::schema::snake(part)).collect();
                return (whole, row.unit);
            }
        }
    }
    let mut segments: Vec<String> = written.into_iter().map(str::to_owned).collect();
    if !matches!(segments[0].as_str(), "spec" | "metadata" | "apiVersion" | "kind") {
        segments.insert(0, "spec".to_owned());
    }
    (segments, Unit::Same)
}

type Unknown = (String, Vec<String>);

/// The manifest's names of a path, and what may stand there.
fn resolve<'a>(segments: &[String], schema: &'a Schema) -> Result<(Vec<String>, &'a Shape), Unknown> {
    let mut names = Vec::new();
    let mut shape = &schema.shape;
    for segment in segments {
        match shape {
            Shape::Object(fields) => {
                let field = fields.iter().find(|field| field.name == *segment || field.plain == *segment);
                let Some(field) = field else {
                    let known = fields.iter().map(|field| field.name.clone()).collect();
                    return Err((segment.clone(), known));
                };
                names.push(field.name.clone());
                shape = &field.schema.shape;
            }
            Shape::Map { values, .. } => {
                names.push(segment.clone());
                shape = &values.shape;
            }
            Shape::List { items, .. } if segment.parse::<usize>().is_ok() => {
                names.push(segment.clone());
                shape = &items.shape;
            }
            Shape::Any => names.push(segment.clone()),
            _ => return Err((segment.clone(), Vec::new())),
        }
    }
    Ok((names, shape))
}

fn value(text: &str, shape: &Shape, unit: Unit, at: At, report: &mut Report) -> Option<Node> {
    let literal = match shape {
        Shape::Words(_) => unit != Unit::Permissions,
        Shape::Scalar(Scalar { text, integer, number, map, .. }) => *text && !*integer && !*number && !*map,
        _ => false,
    };
    if literal {
        return Some(Node { value: Value::String(text.to_owned()), at });
    }
    let mut node = match yaml::parse(text, at.text) {
        Ok(node) => node,
        Err(faults) => {
            for fault in faults {
                report.error(at, "", fault.message, fault.help.unwrap_or_default());
            }
            return None;
        }
    };
    place(&mut node, at);
    match (unit, &node.value) {
        (Unit::Minutes, Value::Int(minutes)) => node.value = Value::Int(minutes.saturating_mul(60)),
        (Unit::Permissions, Value::Bool(skip)) => {
            let word = if *skip { "bypassPermissions" } else { "acceptEdits" };
            node.value = Value::String(word.to_owned());
        }
        _ => {}
    }
    Some(node)
}

/// Gives every node the place of the whole flag.
fn place(node: &mut Node, at: At) {
    node.at = at;
    match &mut node.value {
        Value::List(nodes) => nodes.iter_mut().for_each(|node| place(node, at)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key.at = at;
                place(&mut entry.value, at);
            }
        }
        _ => {}
    }
}

fn child<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    let Value::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|entry| entry.key.name == name).map(|entry| &mut entry.value)
}

fn put(node: &mut Node, path: &[String], written: &str, value: Node) {
    let [name, rest @ ..] = path else {
        *node = value;
        return;
    };
    if let (Value::List(nodes), Ok(index)) = (&mut node.value, name.parse::<usize>()) {
        if index < nodes.len() {
            put(&mut nodes[index], rest, written, value);
        } else {
            let mut entry = Node { value: Value::Map(Vec::new()), at: value.at };
            put(&mut entry, rest, written, value);
            nodes.push(entry);
        }
        return;
    }
    if !matches!(node.value, Value::Map(_)) {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return };
    let at = value.at;
    let index = entries.iter().position(|entry| entry.key.name == *name && !entry.key.foreign);
    let index = index.unwrap_or_else(|| {
        let key = Key { name: name.clone(), written: None, foreign: false, at };
        entries.push(Entry { key, value: Node { value: Value::Map(Vec::new()), at } });
        entries.len() - 1
    });
    entries[index].key.written =
        rest.is_empty().then(|| written.to_owned()).or(entries[index].key.written.take());
    put(&mut entries[index].value, rest, written, value);
}
