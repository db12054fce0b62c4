//! The items, and how they are cut into batches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The items, and how they are cut into batches. Exactly one of `totalItems`, `items` and `itemsFrom` is written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    /// How many items go in a batch; the last one may be shorter.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub size: u32,
    /// The last item's number. With `startItem` 11, a `totalItems` of 552 makes 542 items.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub total_items: Option<u32>,
    /// How a batch is called in lists and logs: a template with the prompt's variables, such as `{{ items[0] }}`.
    #[schemars(length(min = 1, max = 4096))]
    pub label: Option<String>,
    /// The first item's number. Default 1.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub start_item: Option<u32>,
    /// The items themselves, instead of `totalItems`: texts or maps, at most 1,000.
    #[schemars(length(min = 1, max = 1000))]
    pub items: Option<Vec<Item>>,
    /// Where the items come from, instead of `totalItems`. Read once, and pinned by their hash.
    pub items_from: Option<ItemsFrom>,
    /// How many batches run at once. Default 1.
    #[schemars(range(min = 1, max = 1000))]
    pub parallelism: Option<u32>,
    /// The pause in seconds between the end of an attempt and the next start. Default 0.
    #[schemars(range(min = 0, max = 86_400))]
    pub pause_seconds: Option<f64>,
}

/// One item: a text, or a map of values for the template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Item(
    #[schemars(with = "String", extend("type" = ["string", "object"], "x-kubernetes-preserve-unknown-fields" = true))]
    pub serde_json::Value,
);

/// Where items come from: a JSON array, or one a line, each line JSON or text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ItemsFrom {
    /// Cluster: a key of a `ConfigMap`.
    pub config_map_key_ref: Option<KeyReference>,
    /// Local: a file, relative to the job file.
    #[schemars(length(min = 1, max = 4096))]
    pub file: Option<String>,
    /// Local: a command that bash runs in the job file's folder, at most 60 seconds.
    #[schemars(length(min = 1, max = 65_536))]
    pub command: Option<String>,
}

/// A key of a `ConfigMap` or a `Secret` of the job's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyReference {
    /// The object's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}
