//! The JSON Schema of the manifest, made from the types in `api`, and the same in a shape that is quick to walk.

use std::sync::LazyLock;

use schemars::{Schema as JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::api::MozartJob;

/// What may stand in one place.
#[derive(Clone, Debug)]
pub struct Schema {
    /// What kind of value.
    pub shape: Shape,
}

/// What kind of value may stand in one place, with its bounds.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A map with known fields.
    Object(Vec<Field>),
    /// A map with free keys.
    Map { values: Box<Schema>, max: Option<usize> },
    /// A list.
    List { items: Box<Schema>, min: usize, max: Option<usize> },
    /// One of these words.
    Words(Vec<String>),
    /// One of several simple kinds.
    Scalar(Scalar),
    /// Whatever YAML can say.
    Any,
}

/// A simple value: which kinds it may be, and the bounds of each.
#[derive(Clone, Debug, Default)]
pub struct Scalar {
    /// May be text.
    pub text: bool,
    /// May be a whole number.
    pub integer: bool,
    /// May be any number.
    pub number: bool,
    /// May be true or false.
    pub boolean: bool,
    /// May be a map of whatever.
    pub map: bool,
    /// The shortest text, in characters.
    pub min_length: usize,
    /// The longest text, in characters.
    pub max_length: Option<usize>,
    /// What a text matches.
    pub pattern: Option<regex::Regex>,
    /// The least number.
    pub minimum: Option<f64>,
    /// The greatest number.
    pub maximum: Option<f64>,
}

/// A field of a map with known fields.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in the manifest: `totalItems`.
    pub name: String,
    /// Its name in the plain form, if that does not say it elsewhere: `total_items`.
    pub plain: String,
    /// Whether it must be there.
    pub required: bool,
    /// What may stand in it.
    pub schema: Schema,
}

/// The schema of the manifest.
pub static MANIFEST: LazyLock<Schema> = LazyLock::new(|| {
    let root = generate(true);
    Schema::compile(&Value::from(root))
});

/// The JSON Schema of the manifest as a document.
pub fn manifest_document() -> Value {
    Value::from(generate(false))
}

fn generate(inline: bool) -> JsonSchema {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = inline);
    let mut schema = settings.into_generator().into_root_schema_for::<MozartJob>();
    if let Some(map) = schema.as_object_mut() {
        for value in map.values_mut() {
            drop_null(value);
        }
    }
    schema
}

/// A field that may be left out is not the same as one that may be null: nulls are dropped before anything is read.
fn drop_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = map.get("anyOf")
                && let [Value::Object(choice), null] = choices.as_slice()
                && null.get("type").is_some_and(|kind| kind == "null")
            {
                let mut choice = choice.clone();
                map.shift_remove("anyOf");
                choice.append(map);
                *map = choice;
            }
            map.values_mut().for_each(drop_null);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_null),
        _ => {}
    }
}

/// `totalItems` as `total_items`, `perRunUSD` as `per_run_usd`, `maxFailedInARow` as `max_failed_in_a_row`.
pub fn snake(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 4);
    let mut before = None;
    let mut characters = camel.chars().peekable();
    while let Some(character) = characters.next() {
        let ends_a_word = before.is_some_and(|before: char| !before.is_ascii_uppercase());
        let begins_a_word = before.is_some() && characters.peek().is_some_and(char::is_ascii_lowercase);
        if character.is_ascii_uppercase() && (ends_a_word || begins_a_word) {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
        before = Some(character);
    }
    out
}

impl Schema {
    /// The field of a map with known fields, by its name in the manifest.
    pub fn field(&self, name: &str) -> Option<&Schema> {
        match &self.shape {
            Shape::Object(fields) => {
                fields.iter().find(|field| field.name == name).map(|field| &field.schema)
            }
            _ => None,
        }
    }

    fn compile(json: &Value) -> Self {
        Self { shape: shape(json) }
    }
}

fn shape(json: &Value) -> Shape {
    let size =
        |key: &str| json.get(key).and_then(Value::as_u64).and_then(|value| usize::try_from(value).ok());
    let words = words(json);
    if !words.is_empty() {
        return Shape::Words(words);
    }
    let kinds: Vec<&str> = match json.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return Shape::Any,
    };
    match kinds.as_slice() {
        ["object"] => match json.get("properties") {
            Some(Value::Object(properties)) => {
                let required: Vec<&str> = json
                    .get("required")
                    .and_then(Value::as_array)
                    .map(|names| names.iter().filter_map(Value::as_str).collect())
                    .unwrap_or_default();
                let field = |(name, schema): (&String, &Value)| Field {
                    name: name.clone(),
                    plain: snake(name),
                    required: required.contains(&name.as_str()),
                    schema: Schema::compile(schema),
                };
                Shape::Object(properties.iter().map(field).collect())
            }
            _ => Shape::Map {
                values: Box::new(Schema::compile(json.get("additionalProperties").unwrap_or(&Value::Null))),
                max: size("maxProperties"),
            },
        },
        ["array"] => Shape::List {
            items: Box::new(Schema::compile(json.get("items").unwrap_or(&Value::Null))),
            min: size("minItems").unwrap_or(0),
            max: size("maxItems"),
        },
        kinds => Shape::Scalar(Scalar {
            text: kinds.contains(&"string"),
            integer: kinds.contains(&"integer"),
            number: kinds.contains(&"number"),
            boolean: kinds.contains(&"boolean"),
            map: kinds.contains(&"object"),
            min_length: size("minLength").unwrap_or(0),
            max_length: size("maxLength"),
            pattern: json
                .get("pattern")
                .and_then(Value::as_str)
                .map(|pattern| regex::Regex::new(pattern).expect("the patterns of the schema are constants")),
            minimum: json.get("minimum").and_then(Value::as_f64),
            maximum: json.get("maximum").and_then(Value::as_f64),
        }),
    }
}

/// The words of an enumeration, which are under `oneOf` when each has a description.
fn words(json: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(only) = json.get("const") {
        return text(only).into_iter().collect();
    }
    let listed = json.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(text);
    let described = json.get("oneOf").and_then(Value::as_array).into_iter().flatten().flat_map(words);
    listed.chain(described).collect()
}
