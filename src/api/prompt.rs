//! What Claude is asked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::KeyReference;

/// What Claude is asked. One of `template`, `templateFile` and `templateFrom` is written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prompt {
    /// The prompt as a Jinja2 template. It may use `batch_num`, `total_batches`, `start_item`, `end_item`, `items`, `workspace`, `job_name`, `attempt`, `stakes`, `thinking_method`, `previous_failures` and every key of `variables`.
    #[schemars(length(min = 1, max = 1_048_576))]
    pub template: Option<String>,
    /// Local: a file with the template, relative to the job file.
    #[schemars(length(min = 1, max = 4096))]
    pub template_file: Option<String>,
    /// Cluster: a `ConfigMap` with the template.
    pub template_from: Option<TemplateFrom>,
    /// Values of your own for the template.
    #[schemars(extend("maxProperties" = 1000))]
    pub variables: Option<BTreeMap<String, serde_json::Value>>,
    /// What depends on it. A manifest's prompt ends with it where the template does not name `stakes`.
    #[schemars(length(min = 1, max = 65_536))]
    pub stakes: Option<String>,
    /// How to think. A manifest's prompt ends with it where the template does not name `thinking_method`.
    #[schemars(length(min = 1, max = 65_536))]
    pub thinking_method: Option<String>,
}

/// Where a template comes from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateFrom {
    /// A key of a `ConfigMap`.
    pub config_map_key_ref: KeyReference,
}
