//! The plan of a run: the job as it was when the run began, for whoever runs its batches elsewhere.
//!
//! What a run renders comes from these bytes, never from a file or an object that the job once named.

use std::{path::Path, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    items::{PinnedItems, hash_of, text_of},
    load::{Loaded, Overrides, Rehearsal, load_text},
    model::{Backend, Job},
    problem::Problems,
    sources::{Mode, SourceError, Sources},
};
use crate::api::batch::ItemsFrom;

/// The format that this Mozart writes and reads.
pub const VERSION: u32 = 1;

/// What of a spec is the run's for its whole length, and what an attempt needs of the rest.
const KEPT: [&str; 6] = ["backend", "batch", "budget", "prompt", "rateLimit", "validations"];

/// A job, pinned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    version: u32,
    /// A manifest that names nothing outside of itself, but for its items.
    manifest: Value,
    /// The items, where the job does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<Vec<Value>>,
}

/// Why bytes are no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// They are not the ones that the run began with.
    #[error(
        "the plan is not the one that the run began with: its hash is {found}, and {expected} was expected"
    )]
    Tampered {
        /// The hash of the run.
        expected: String,
        /// The hash of the bytes.
        found: String,
    },
    /// They cannot be read.
    #[error("the plan cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// They are of a newer Mozart.
    #[error("the plan has format {found}, this Mozart reads up to {VERSION}: use a newer Mozart")]
    Newer {
        /// What was found.
        found: u32,
    },
}

/// What an installation adds to a job where its batches run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// How its key is given to it.
    pub key: Option<SettledKey>,
    /// The address that the key is for.
    pub base_url: Option<String>,
}

/// A key of the installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettledKey {
    /// A key of the API, in the environment variable of this name.
    Api(String),
    /// The token of a subscription, where Claude Code itself looks for it.
    Subscription,
}

impl Plan {
    /// The plan of a run of `job`, which was loaded from `manifest`.
    pub fn new(manifest: &Value, job: &Job, settled: &Settled) -> Self {
        let mut spec = Map::new();
        for name in KEPT {
            if let Some(value) = manifest["spec"].get(name) {
                spec.insert(name.to_owned(), value.clone());
            }
        }
        if let Some(batch) = spec.get_mut("batch").and_then(Value::as_object_mut) {
            for name in ["parallelism", "pauseSeconds"] {
                batch.remove(name);
            }
        }
        if let Some(prompt) = spec.get_mut("prompt").and_then(Value::as_object_mut) {
            for name in ["templateFrom", "templateFile"] {
                prompt.remove(name);
            }
            prompt.insert("template".to_owned(), job.prompt.template.as_str().into());
        }
        if job.workspace.shared {
            spec.insert("workspace".to_owned(), json!({"shared": true}));
        }
        let backend = spec.entry("backend").or_insert_with(|| json!({}));
        settle(backend, &job.backend, settled);
        let pinned = job.batches.items.as_ref().filter(|items| items.pinned.is_some());
        Self {
            version: VERSION,
            manifest: json!({
                "apiVersion": crate::api::API_VERSION,
                "kind": crate::api::KIND,
                "metadata": {"name": job.name.as_str()},
                "spec": spec,
            }),
            items: pinned.map(|items| items.values.to_vec()),
        }
    }

    /// As text: JSON. Its hash is the run's plan hash.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("JSON values are JSON")
    }

    /// From the text that has this hash.
    ///
    /// # Errors
    /// It is another text, or one of a newer Mozart.
    pub fn read(text: &str, hash: &str) -> Result<Self, PlanError> {
        let found = hash_of(text);
        if found != hash {
            return Err(PlanError::Tampered { expected: hash.to_owned(), found });
        }
        let value: Value = serde_json::from_str(text).map_err(PlanError::Unreadable)?;
        let version = value["version"].as_u64().and_then(|version| u32::try_from(version).ok());
        match version {
            Some(found) if found > VERSION => Err(PlanError::Newer { found }),
            _ => serde_json::from_value(value).map_err(PlanError::Unreadable),
        }
    }

    /// The manifest with what may change while the run is active taken from `live`, the job's spec as it is now.
    pub fn with_live(&self, live: &Value) -> Self {
        let mut plan = self.clone();
        let spec = &mut plan.manifest["spec"];
        if let (Some(spec), Some(live)) = (spec.as_object_mut(), live.as_object()) {
            for (name, value) in live {
                if !matches!(
                    name.as_str(),
                    "backend" | "batch" | "prompt" | "validations" | "workspace" | "execution" | "pod"
                ) {
                    spec.insert(name.clone(), value.clone());
                }
            }
            for name in ["budget", "rateLimit"] {
                if !live.contains_key(name) {
                    spec.remove(name);
                }
            }
        }
        for name in ["parallelism", "pauseSeconds"] {
            if let Some(value) = live["batch"].get(name) {
                spec["batch"][name] = value.clone();
            }
        }
        plan
    }

    /// The job, for attempts whose workspace is `workspace`. Every prompt was rendered when the plan was made, and is
    /// not again.
    ///
    /// # Errors
    /// It was made by a Mozart that knows what this one does not.
    pub fn load(&self, workspace: &Path, mode: Mode) -> Result<Loaded, Problems> {
        let from: Option<ItemsFrom> =
            serde_json::from_value(self.manifest["spec"]["batch"]["itemsFrom"].clone()).ok();
        let name = self.manifest["metadata"]["name"].as_str().unwrap_or_default();
        let items = self.items.as_ref().zip(from).map(|(items, from)| PinnedItems {
            job: name.to_owned(),
            from,
            values: Arc::from(items.as_slice()),
            hash: hash_of(text_of(items)),
        });
        let overrides = Overrides {
            workspace: Some(workspace.to_owned()),
            items: items.into_iter().collect(),
            rehearsal: Rehearsal::None,
            ..Overrides::default()
        };
        // What the job names by a relative path lies in the workspace: there is no folder of a job file here.
        load_text(&self.manifest.to_string(), &workspace.join("job"), &overrides, &Nothing(mode))
    }
}

/// What a laptop's defaults would decide otherwise.
fn settle(backend: &mut Value, job: &Backend, settled: &Settled) {
    let Some(backend) = backend.as_object_mut() else { return };
    for name in ["auth", "apiKeyEnv", "baseUrl", "credential"] {
        backend.remove(name);
    }
    let claude = match job {
        Backend::ClaudeCli(_) => true,
        Backend::Anthropic(_) => false,
        Backend::Command(_) => return,
    };
    if claude {
        backend.entry("permissionMode").or_insert_with(|| "bypassPermissions".into());
    }
    match &settled.key {
        Some(SettledKey::Api(name)) => {
            backend.insert("apiKeyEnv".to_owned(), name.as_str().into());
            if claude {
                backend.insert("auth".to_owned(), "APIKey".into());
            }
        }
        Some(SettledKey::Subscription) if claude => {
            backend.insert("auth".to_owned(), "Subscription".into());
        }
        Some(SettledKey::Subscription) | None => {}
    }
    if let Some(url) = settled.base_url.as_deref().filter(|_| !claude) {
        backend.insert("baseUrl".to_owned(), url.into());
    }
}

/// No sources at all.
struct Nothing(Mode);

impl Sources for Nothing {
    fn mode(&self) -> Mode {
        self.0
    }

    fn file(&self, _: &str) -> Result<String, SourceError> {
        Err(SourceError::NotHere("files"))
    }

    fn config_map(&self, _: &str, _: &str) -> Result<String, SourceError> {
        Err(SourceError::NotHere("ConfigMaps"))
    }

    fn command(&self, _: &str) -> Result<String, SourceError> {
        Err(SourceError::NotHere("commands"))
    }
}

#[cfg(test)]
mod tests;
