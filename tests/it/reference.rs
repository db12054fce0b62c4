//! The table of fields in the job file's reference, made from the schema.

use std::{fmt::Write, fs, path::Path};

use mozart::job::load::{Form, schema_json};
use serde_json::Value;

use crate::examples::check_generated;

const PAGE: &str = "docs/job-file.md";
const BEGIN: &str = "## Fields\n";

/// Fields of a cluster that are Kubernetes' own, and explained there.
const ELSEWHERE: [&str; 1] = ["pod"];

struct Schema(Value);

impl Schema {
    /// The schema that a reference leads to.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let target = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        target.and_then(|path| self.0.pointer(path)).unwrap_or(schema)
    }

    /// What may stand in a field, in a word or two.
    fn kind(&self, schema: &Value) -> String {
        let schema = self.resolve(schema);
        if let Some(words) = words(schema) {
            return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ");
        }
        match &schema["type"] {
            Value::String(kind) if kind == "array" => format!("list of {}", self.kind(&schema["items"])),
            Value::String(kind) if kind == "object" => "map".to_owned(),
            Value::String(kind) if kind == "string" => "text".to_owned(),
            Value::String(kind) => kind.clone(),
            Value::Array(kinds) => {
                let kinds = kinds.iter().filter_map(Value::as_str);
                kinds
                    .map(|kind| if kind == "string" { "text" } else { kind })
                    .collect::<Vec<_>>()
                    .join(" or ")
            }
            _ => "any".to_owned(),
        }
    }

    /// A row for each field of `schema`, those of its maps and lists of maps included.
    fn rows(&self, prefix: &str, schema: &Value, table: &mut String) {
        let required: Vec<_> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{prefix}{name}");
            let target = self.resolve(field);
            let prose = field["description"].as_str().or(target["description"].as_str()).unwrap_or_default();
            let must = if required.contains(&name.as_str()) { " **Required.**" } else { "" };
            writeln!(table, "| `{path}` | {} | {prose}{must} |", self.kind(field)).unwrap();
            if ELSEWHERE.contains(&path.as_str()) {
                continue;
            }
            self.rows(&format!("{path}."), target, table);
            self.rows(&format!("{path}[]."), self.resolve(&target["items"]), table);
        }
    }
}

/// The words of an enumeration.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(words) = schema["enum"].as_array() {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    let choices = schema["oneOf"].as_array()?;
    Some(choices.iter().filter_map(|choice| choice["const"].as_str()).collect())
}

#[test]
fn the_reference_of_the_job_file_has_every_field_of_its_schema() {
    let schema = Schema(serde_json::from_str(&schema_json(Form::Plain)).unwrap());
    let mut fields = String::from("\nIn the plain form's spelling.\n\n| field | | |\n| --- | --- | --- |\n");
    schema.rows("", &schema.0, &mut fields);
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
    let (written, _) = page.split_once(BEGIN).expect("the page has a heading for its fields");
    check_generated(PAGE, &format!("{written}{BEGIN}{fields}"));
}
