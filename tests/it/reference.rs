//! The tables of fields in the references of the job file and of the resources, made from their schemas.

use std::{fmt::Write, fs, path::Path};

use mozart::job::load::{Form, schema_json};
use serde_json::Value;

use crate::examples::check_generated;

const PAGE: &str = "docs/job-file.md";
const BEGIN: &str = "## Fields\n";

struct Schema {
    root: Value,
    /// Fields whose own fields stand on another page.
    elsewhere: &'static [&'static str],
}

impl Schema {
    /// The schema that a reference leads to.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let target = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        target.and_then(|path| self.root.pointer(path)).unwrap_or(schema)
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
            if self.elsewhere.contains(&path.as_str()) {
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

/// The messages of the rules in a schema, in order, each once.
#[cfg(feature = "cluster")]
fn rules(schema: &Value, found: &mut Vec<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        // An expression puts the number of the run into its text.
        let computed = rule["messageExpression"].as_str().and_then(|text| text.split('\'').nth(1));
        let message = rule["message"].as_str().or(computed).expect("a rule says what is wrong");
        let message = message.replace("%d", "N");
        if !found.contains(&message) {
            found.push(message);
        }
    }
    for inner in schema["properties"].as_object().into_iter().flatten().map(|(_, inner)| inner) {
        rules(inner, found);
    }
    if schema["items"].is_object() {
        rules(&schema["items"], found);
    }
}

#[cfg(feature = "cluster")]
#[test]
fn the_reference_of_the_resources_has_every_field_and_rule_of_their_definitions() {
    let mut page = String::from(
        "# The resources of a cluster\n\nMade from the definitions that `mozart crd` prints. \
         `kubectl explain mozartjob.spec` says the same.\n\
         A field says **Required.** where what it stands in makes no sense without it.\n",
    );
    for definition in mozart::cluster::crd::definitions() {
        let spec = &definition.object["spec"];
        let (names, version) = (&spec["names"], &spec["versions"][0]);
        let root = version["schema"]["openAPIV3Schema"].clone();
        let mut refused = Vec::new();
        rules(&root, &mut refused);
        let kind = names["kind"].as_str().unwrap();
        let short = names["shortNames"][0].as_str().unwrap();
        let about = root["description"].as_str().unwrap();
        writeln!(page, "\n## {kind}\n\n{about}\nShort name `{short}`.\n").unwrap();
        let schema = Schema { root, elsewhere: &[] };
        for part in ["spec", "status"] {
            writeln!(page, "### {part} of a {kind}\n\n| field | | |\n| --- | --- | --- |").unwrap();
            schema.rows("", &schema.root["properties"][part], &mut page);
            page.push('\n');
        }
        if !refused.is_empty() {
            writeln!(page, "### What the API server refuses of a {kind}\n").unwrap();
            for message in refused {
                writeln!(page, "- {message}").unwrap();
            }
        }
    }
    check_generated("docs/reference/resources.md", &format!("{}\n", page.trim_end()));
}

#[test]
fn the_reference_of_the_job_file_has_every_field_of_its_schema() {
    let root = serde_json::from_str(&schema_json(Form::Plain)).unwrap();
    // What a Pod may have is for a cluster: the page of the resources has it.
    let schema = Schema { root, elsewhere: &["pod"] };
    let mut fields = String::from("\nIn the plain form's spelling.\n\n| field | | |\n| --- | --- | --- |\n");
    schema.rows("", &schema.root, &mut fields);
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
    let (written, _) = page.split_once(BEGIN).expect("the page has a heading for its fields");
    check_generated(PAGE, &format!("{written}{BEGIN}{fields}"));
}
