//! Behind `mozart manifest` and `mozart schema`: a plain file as a manifest, and the JSON Schema of either form.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{
    plain::{Base, CHANGED, MOVES, Unit},
    report::Form,
    schema::{manifest_document, snake},
};
use crate::job::{problem::Problems, yaml_text};

/// The manifest of a job file as YAML. What a plain file's field means otherwise here stands as a comment above it.
/// With it comes what there is to say about the file.
///
/// # Errors
/// Everything in the file that does not fit its form; what it names is not read.
pub fn manifest_yaml(path: &Path) -> Result<(String, Problems), Problems> {
    let document = super::parse(&super::read(path)?, path, &[])?;
    let json = document.tree.to_json();
    let plain = document.report.form == Form::Plain;
    let comment = |path: &str| {
        let moved = MOVES.iter().find(|row| manifest_path(row) == path).and_then(|row| row.note);
        let changed = CHANGED.iter().find(|(changed, _)| *changed == path).map(|(_, note)| *note);
        moved.or(changed).filter(|_| plain).map(str::to_owned)
    };
    Ok((yaml_text::write(&json, &comment), document.report.problems.sorted()))
}

/// The file as a manifest, with what is set on top of it.
///
/// # Errors
/// As [`manifest_yaml`].
pub fn manifest_json(path: &Path, set: &[(String, String)]) -> Result<(Value, Problems), Problems> {
    let document = super::parse(&super::read(path)?, path, set)?;
    Ok((document.tree.to_json(), document.report.problems.sorted()))
}

/// The same of a text that is in no file; `path` is what its problems call it.
///
/// # Errors
/// As [`manifest_yaml`].
pub fn manifest_json_of(text: &str, path: &Path) -> Result<(Value, Problems), Problems> {
    let document = super::parse(text, path, &[])?;
    Ok((document.tree.to_json(), document.report.problems.sorted()))
}

/// The manifest's path of a moved field: `spec.notifications[].urlFrom.env`.
fn manifest_path(row: &super::plain::Move) -> String {
    let camel = |part: &str| {
        let mut words = part.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| {
            let (head, tail) = word.split_at(word.len().min(1));
            name + &head.to_ascii_uppercase() + tail
        })
    };
    let target = row.manifest.join(".");
    match row.base {
        Base::Root => target,
        Base::Here => format!("spec.{}.{target}", camel(row.within)),
    }
}

/// The JSON Schema (2020-12) of a form, as indented JSON.
pub fn schema_json(form: Form) -> String {
    let manifest = manifest_document();
    let schema = match form {
        Form::Manifest => manifest,
        Form::Plain => plain(manifest),
    };
    format!("{schema:#}\n")
}

/// The plain form's schema: the manifest's under `spec`, its fields in `snake_case`, with every move undone.
fn plain(mut schema: Value) -> Value {
    let defs = schema["$defs"].take();
    let Value::Object(defs) = defs else { return schema };
    let mut defs: Map<String, Value> =
        defs.into_iter().map(|(name, schema)| (name, snake_fields(schema))).collect();
    let mut root = defs.shift_remove("MozartJobSpec").unwrap_or_default();
    let name = defs.shift_remove("Metadata").unwrap_or_default()["properties"]["name"].take();
    for unused in ["ApiVersion", "Kind"] {
        defs.shift_remove(unused);
    }
    let properties =
        |schema: &mut Value| schema["properties"].as_object_mut().map(std::mem::take).unwrap_or_default();
    let mut fields = Map::new();
    fields.insert("name".to_owned(), name);
    fields.append(&mut properties(&mut root));
    root["properties"] = Value::Object(fields);
    for row in MOVES {
        undo(row, &mut root, &mut defs);
    }
    if let Some(required) = root["required"].as_array_mut() {
        required.insert(0, Value::from("name"));
    }
    root["$schema"] = schema["$schema"].take();
    root["title"] = Value::from("Mozart job file, plain form");
    root["$defs"] = Value::Object(defs);
    root
}

fn snake_fields(mut schema: Value) -> Value {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        *properties =
            std::mem::take(properties).into_iter().map(|(name, field)| (snake(&name), field)).collect();
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        for name in required {
            *name = Value::from(snake(name.as_str().unwrap_or_default()));
        }
    }
    schema
}

/// Puts a moved field where the plain form has it.
fn undo(row: &super::plain::Move, root: &mut Value, defs: &mut Map<String, Value>) {
    let within = match row.within {
        "" => None,
        "backend" => Some("Backend"),
        "rate_limit" => Some("RateLimit"),
        _ => Some("Notification"),
    };
    let target: Vec<String> = row.manifest.iter().map(|part| snake(part)).collect();
    let leaf = target.last().map(String::as_str).unwrap_or_default();
    // The name, which is the root's already, and the map that a bare workspace stands for.
    let field = match (row.plain, leaf) {
        (["name"], _) => return,
        (["workspace"], _) => {
            let map = root["properties"]["workspace"].take();
            json!({
                "description": "The folder that batches read and write, relative to the job file; or a map with `path` and `shared`.",
                "anyOf": [{"type": "string", "minLength": 1, "maxLength": 4096}, map],
            })
        }
        (_, "pause_seconds") => take(&mut defs["Batch"], leaf),
        (_, "env") => {
            json!({"type": "string", "description": "The environment variable with the address.", "minLength": 1})
        }
        _ => {
            let from = within.map_or(Value::Null, |name| {
                if row.only { take(&mut defs[name], leaf) } else { defs[name]["properties"][leaf].clone() }
            });
            match row.unit {
                Unit::Same => from,
                Unit::Minutes => json!({
                    "type": "number", "exclusiveMinimum": 0, "maximum": 11_520,
                    "description": "How long to wait, in minutes, after a trusted text that names no reset. Default 60.",
                }),
                Unit::Permissions => json!({
                    "type": "boolean",
                    "description": "Whether everything is allowed without asking (refused as root); false allows edits in the workspace. Default false.",
                }),
            }
        }
    };
    let holder = match within {
        None => root,
        Some(name) => &mut defs[name],
    };
    match row.plain {
        [outer, inner] => {
            let config = &mut holder["properties"][*outer];
            if config.is_null() {
                *config = json!({"type": "object", "additionalProperties": false, "description": "The original's place for these settings."});
            }
            config["properties"][*inner] = field;
        }
        [name, ..] => holder["properties"][*name] = field,
        [] => {}
    }
}

fn take(schema: &mut Value, field: &str) -> Value {
    schema["properties"].as_object_mut().and_then(|fields| fields.shift_remove(field)).unwrap_or_default()
}
