//! The OpenAPI document: made from the table of addresses, with schemas made from the types that are sent.

use std::sync::OnceLock;

use axum::{
    body::Bytes,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::dashboard::{actions::Actions, error::PageError, routes, view::View};

/// Makes the schema of a type.
pub type Describe = fn(&mut SchemaGenerator) -> Schema;

/// The schema of `T`, by reference where it has a name.
pub fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The schema of `T` itself.
fn whole<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// A value.
    Json(Describe),
    /// A value on each line.
    Lines(Describe),
    /// Server-sent events with a value each.
    Events(Describe),
    /// Bytes.
    Text,
    /// A table.
    Csv,
}

/// What an address of the API does.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// A name that no other has.
    pub id: &'static str,
    /// What it is about.
    pub group: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// An object with the parameters after the question mark.
    pub query: Option<Describe>,
    /// What is sent.
    pub body: Option<Describe>,
    /// What comes back.
    pub answer: Answer,
}

impl Operation {
    /// The same with these parameters after the question mark.
    pub fn with_query<T: JsonSchema>(self) -> Self {
        Self { query: Some(whole::<T>), ..self }
    }

    /// The same with something that is sent.
    pub fn with_body<T: JsonSchema>(self) -> Self {
        Self { body: Some(schema::<T>), ..self }
    }

    fn document(&self, path: &str, generator: &mut SchemaGenerator) -> Value {
        let mut parameters: Vec<Value> = path.split('/').filter_map(parameter).collect();
        if let Some(query) = self.query {
            parameters.extend(fields(&query(generator)));
        }
        let problem = json!({
            "description": "Why not, and what to do.",
            "content": { "application/json": { "schema": generator.subschema_for::<PageError>() } },
        });
        let mut content = |media: &str, describe: Option<Describe>| {
            let schema =
                describe.map_or_else(|| json!({ "type": "string" }), |make| make(generator).to_value());
            json!({ media: { "schema": schema } })
        };
        let answer = match self.answer {
            Answer::Json(value) => content("application/json", Some(value)),
            Answer::Lines(line) => content("application/x-ndjson", Some(line)),
            Answer::Events(event) => content("text/event-stream", Some(event)),
            Answer::Text => content("text/plain", None),
            Answer::Csv => content("text/csv", None),
        };
        let mut responses = json!({ "200": { "description": self.summary, "content": answer } });
        if matches!(self.answer, Answer::Text) {
            responses["206"] = json!({ "description": "The range that was asked for", "content": answer });
            responses["416"] = json!({ "description": "The text does not reach so far" });
        }
        responses["default"] = problem;
        let mut operation = json!({
            "operationId": self.id, "summary": self.summary, "tags": [self.group], "parameters": parameters,
        });
        if let Some(body) = self.body {
            operation["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": body(generator) } } });
        }
        operation["responses"] = responses;
        operation
    }
}

/// A part of a path that is a parameter.
fn parameter(part: &str) -> Option<Value> {
    let name = part.strip_prefix('{')?.strip_suffix('}')?;
    let number = json!({ "type": "integer", "format": "uint32", "minimum": 1 });
    let (description, schema) = match name {
        "job" => ("The job's `key`", json!({ "type": "string" })),
        "run" => ("The run's number", number),
        "batch" => ("The batch's number", number),
        "attempt" => ("Which start of the batch", number),
        "text" => {
            ("Which text", json!({ "type": "string", "enum": ["output", "errors", "prompt", "answer"] }))
        }
        "action" => {
            ("What is to be done", json!({ "type": "string", "enum": crate::dashboard::actions::names() }))
        }
        other => unreachable!("the path's parameter {other} is not described"),
    };
    Some(
        json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema }),
    )
}

/// The fields of an object as parameters of a query.
fn fields(object: &Schema) -> Vec<Value> {
    let properties = object.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let field = |(name, mut schema): (String, Value)| {
        let description = schema.as_object_mut().and_then(|schema| schema.shift_remove("description"));
        // Left out rather than null: an address has no null.
        if let Some(kind) = schema["type"].as_array().and_then(|kinds| kinds.first()).cloned() {
            schema["type"] = kind;
        }
        if let Some(schema) = schema.as_object_mut() {
            schema.shift_remove("default");
        }
        let description = description.as_ref().and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        json!({ "name": name, "in": "query", "description": description, "schema": schema })
    };
    properties.into_iter().map(field).collect()
}

/// The document of the addresses in `table`.
pub fn make<'a>(table: impl Iterator<Item = (&'a str, &'a str, &'a Operation)>) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for (method, path, operation) in table {
        let operation = operation.document(path, &mut generator);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[method.to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Mozart",
            "version": "v1",
            "description": "Every job, run, batch and attempt, what they said, and what can be done to them.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "On a machine the token of the printed address; in a cluster one that the API server knows.",
                },
            },
        },
    })
}

/// `GET /api/v1/openapi.json`.
pub async fn show<V: View + Actions>() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let text = DOCUMENT.get_or_init(|| routes::document::<V>().to_string().into());
    let mut response = text.clone().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
