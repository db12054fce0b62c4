//! Whether a value is what a schema says, of all that schemas of the API use.

use serde_json::{Map, Value};

/// What of `value` is other than `schema` of `document` says, with the place of each.
pub(crate) fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    look(document, schema, value, "$", &mut faults);
    faults
}

fn look(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else {
        assert_eq!(schema, &Value::Bool(true), "a schema is an object: {schema}");
        return;
    };
    if let Some(target) = rules.get("$ref").and_then(Value::as_str) {
        let target =
            document.pointer(target.strip_prefix('#').unwrap()).expect("a reference leads somewhere");
        look(document, target, value, at, faults);
    }
    for (name, rule) in rules {
        match name.as_str() {
            "type" if !kinds(rule).any(|kind| is(value, kind)) => {
                faults.push(format!("{at} is no {rule}: {value}"));
            }
            "enum" if !rule.as_array().unwrap().contains(value) => {
                faults.push(format!("{at} is none of {rule}: {value}"));
            }
            "const" if rule != value => faults.push(format!("{at} is not {rule}: {value}")),
            "anyOf" | "oneOf" => any_of(document, rule.as_array().unwrap(), value, at, faults),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    look(document, rule, item, &format!("{at}[{index}]"), faults);
                }
            }
            "type"
            | "enum"
            | "const"
            | "$ref"
            | "properties"
            | "required"
            | "additionalProperties"
            | "description"
            | "format"
            | "minimum"
            | "maximum"
            | "pattern"
            | "default"
            | "title" => {}
            other => panic!("this test does not know the rule {other} of {at}"),
        }
    }
    if let Some(object) = value.as_object() {
        fields(document, rules, object, at, faults);
    }
}

fn fields(
    document: &Value,
    rules: &Map<String, Value>,
    object: &Map<String, Value>,
    at: &str,
    faults: &mut Vec<String>,
) {
    for name in rules.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !object.contains_key(name.as_str().unwrap()) {
            faults.push(format!("{at} has no {name}"));
        }
    }
    let Some(known) = rules.get("properties").and_then(Value::as_object) else { return };
    for (name, value) in object {
        let at = format!("{at}.{name}");
        match known.get(name).or_else(|| rules.get("additionalProperties")) {
            Some(schema) => look(document, schema, value, &at, faults),
            None => faults.push(format!("{at} is not in the schema")),
        }
    }
}

fn any_of(document: &Value, choices: &[Value], value: &Value, at: &str, faults: &mut Vec<String>) {
    let mut of_all = Vec::new();
    for choice in choices {
        let mut own = Vec::new();
        look(document, choice, value, at, &mut own);
        if own.is_empty() {
            return;
        }
        of_all.extend(own);
    }
    faults.extend(of_all);
}

fn kinds(rule: &Value) -> impl Iterator<Item = &str> {
    let list = rule.as_array().map_or(std::slice::from_ref(rule), Vec::as_slice);
    list.iter().map(|kind| kind.as_str().unwrap())
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
}
