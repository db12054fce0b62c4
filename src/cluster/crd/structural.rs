//! JSON Schema made what Kubernetes calls structural: every node has one type, nothing is written that it refuses.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The longest value of a map with free keys that says nothing else: what an environment variable may hold on Linux.
const FREE_VALUE: u64 = 131_072;

/// Sets a keyword of the schema at a path (`spec.pod.env`; `[]` steps into the items of a list).
pub(super) struct Setting {
    path: &'static str,
    keyword: &'static str,
    value: SettingValue,
}

enum SettingValue {
    Number(u64),
    /// The fields that name an entry of a list.
    Keys(&'static [&'static str]),
}

/// Bounds that are narrower in a cluster, where the whole object is written with every save. `parallelism` has its
/// default in the schema so that `/scale` can read it.
pub(super) const CLUSTER_BOUNDS: &[Setting] = &[
    number("spec.prompt.template", "maxLength", 65_536),
    number("spec.prompt.stakes", "maxLength", 16_384),
    number("spec.prompt.thinkingMethod", "maxLength", 16_384),
    number("spec.backend.system", "maxLength", 65_536),
    number("spec.backend.appendSystemPrompt", "maxLength", 65_536),
    number("spec.batch.parallelism", "default", 1),
];

/// Lists whose entries have a name; all others are replaced as a whole.
pub(super) const JOB_LISTS: &[Setting] = &[
    keys("spec.pod.env", &["name"]),
    keys("spec.pod.secretEnv", &["name"]),
    keys("spec.pod.volumes", &["name"]),
    keys("spec.pod.imagePullSecrets", &["name"]),
    keys("status.conditions", &["type"]),
];

/// The same of a credential.
pub(super) const CREDENTIAL_LISTS: &[Setting] = &[keys("status.conditions", &["type"])];

const fn number(path: &'static str, keyword: &'static str, value: u64) -> Setting {
    Setting { path, keyword, value: SettingValue::Number(value) }
}

const fn keys(path: &'static str, keys: &'static [&'static str]) -> Setting {
    Setting { path, keyword: "x-kubernetes-list-map-keys", value: SettingValue::Keys(keys) }
}

impl Setting {
    pub(super) fn apply(&self, schema: &mut Value) {
        let node = at(schema, self.path);
        node[self.keyword] = match self.value {
            SettingValue::Number(number) => number.into(),
            SettingValue::Keys(keys) => {
                node["x-kubernetes-list-type"] = "map".into();
                json!(keys)
            }
        };
    }
}

/// The schema at a path of fields.
///
/// # Panics
/// When a path of these tables names a field that is not there: a field was renamed and the table was not.
pub(super) fn at<'a>(schema: &'a mut Value, path: &str) -> &'a mut Value {
    let mut node = schema;
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (name, list) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
        node = node["properties"].get_mut(name).unwrap_or_else(|| panic!("the schema has no `{path}`"));
        if list {
            node = &mut node["items"];
        }
    }
    node
}

/// The structural schema of `T`.
pub(super) fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = Value::from(settings.into_generator().into_root_schema_for::<T>());
    rewrite(&mut schema);
    schema
}

fn rewrite(schema: &mut Value) {
    if schema.as_bool() == Some(true) {
        *schema = json!({});
    }
    let Some(map) = schema.as_object_mut() else { return };
    for dropped in ["$schema", "title", "nullable", "default"] {
        map.shift_remove(dropped);
    }
    join_optional(map);
    join_words(map);
    one_type(map);
    numbers(map);
    if let Some(description) = map.get_mut("description") {
        // A line break in a doc comment is none in what it says.
        *description = description.as_str().unwrap_or_default().replace('\n', " ").into();
    }
    match map.get_mut("additionalProperties") {
        Some(Value::Bool(true)) => {
            map.shift_remove("additionalProperties");
            map.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
        }
        Some(Value::Bool(false)) => {
            map.shift_remove("additionalProperties");
        }
        Some(values) => {
            rewrite(values);
            if values["x-kubernetes-preserve-unknown-fields"] == true {
                // A map of whatever is an object of whatever: only so it can be compared by a rule.
                map.shift_remove("additionalProperties");
                map.shift_remove("maxProperties");
                map.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
            } else if values["type"] == "string" && values.get("maxLength").is_none() {
                values["maxLength"] = FREE_VALUE.into();
            }
        }
        None => {}
    }
    if let Some(items) = map.get_mut("items") {
        rewrite(items);
        map.insert("x-kubernetes-list-type".to_owned(), "atomic".into());
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(rewrite);
    }
    let says_what_it_is =
        ["type", "enum", "x-kubernetes-int-or-string"].iter().any(|key| map.contains_key(*key));
    if !says_what_it_is {
        map.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
    }
}

/// `anyOf: [what it is, null]` is what it is: a field that may be left out may not be null.
fn join_optional(map: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = map.get("anyOf") else { return };
    let is_null = |choice: &Value| choice["type"] == "null" || choice["enum"] == json!([null]);
    let mut left = choices.iter().filter(|choice| !is_null(choice));
    let (Some(Value::Object(choice)), None) = (left.next(), left.next()) else { return };
    let choice = choice.clone();
    map.shift_remove("anyOf");
    for (key, value) in choice {
        map.entry(key).or_insert(value);
    }
}

/// Words that are described one by one are one enumeration, which says what each means.
fn join_words(map: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = map.get("oneOf") else { return };
    let mut words = Vec::new();
    let mut meanings = Vec::new();
    for choice in choices {
        let said = choice.get("const").into_iter().chain(choice["enum"].as_array().into_iter().flatten());
        for word in said {
            let meaning = choice["description"].as_str().unwrap_or_default();
            meanings.push(format!("`{}`: {meaning}", word.as_str().unwrap_or_default()));
            words.push(word.clone());
        }
    }
    map.shift_remove("oneOf");
    let description = map.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{description} {}", meanings.join(" ")).replace('\n', " ");
    map.insert("description".to_owned(), description.trim().into());
    map.insert("type".to_owned(), "string".into());
    map.insert("enum".to_owned(), words.into());
}

/// One type, or none where Kubernetes has another way to say several.
fn one_type(map: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = map.get("type") else { return };
    let types: Vec<Value> = types.iter().filter(|kind| *kind != "null").cloned().collect();
    map.shift_remove("type");
    if let [only] = types.as_slice() {
        map.insert("type".to_owned(), only.clone());
    }
}

/// Kubernetes warns of formats that it does not know; what they say about the range is said as bounds.
fn numbers(map: &mut Map<String, Value>) {
    let format = map.get("format").and_then(Value::as_str).map(str::to_owned);
    let (least, greatest): (i64, i64) = match format.as_deref() {
        Some("uint32") => (0, i64::from(u32::MAX)),
        Some("uint64") => (0, 9_007_199_254_740_991),
        Some("int64") => (-9_007_199_254_740_991, 9_007_199_254_740_991),
        _ => return,
    };
    map.insert("format".to_owned(), "int64".into());
    map.entry("minimum").or_insert(least.into());
    map.entry("maximum").or_insert(greatest.into());
}
