//! Jobs for tests of what stands below the job file: every setting at its default, unless a test changes it.

use std::path::Path;

use mozart::{
    job::{
        load::{self, Overrides},
        model::{Anthropic, Backend, ClaudeCli, Job},
    },
    sources::LocalSources,
};
use serde_json::json;

use crate::fake_api::MODEL;

/// A job of one item in one batch, whose workspace is `folder`.
pub fn job(folder: &Path, backend: Backend) -> Job {
    Job { backend, ..load(folder, &json!({ "type": "claude_cli", "model": MODEL })) }
}

/// `claude_cli` in `folder`.
pub fn claude(folder: &Path) -> ClaudeCli {
    let job = load(folder, &json!({ "type": "claude_cli", "model": MODEL }));
    let Backend::ClaudeCli(settings) = job.backend else { panic!("another backend") };
    *settings
}

/// `anthropic_api` at `url`, with the key that `key_env` holds.
pub fn anthropic(url: &str, key_env: &str) -> Anthropic {
    let backend = json!({ "type": "anthropic_api", "model": MODEL, "baseUrl": url, "apiKeyEnv": key_env });
    let job = load(Path::new(env!("CARGO_MANIFEST_DIR")), &backend);
    let Backend::Anthropic(settings) = job.backend else { panic!("another backend") };
    *settings
}

fn load(folder: &Path, backend: &serde_json::Value) -> Job {
    let text = json!({
        "apiVersion": "mozart.dev/v1alpha1",
        "kind": "MozartJob",
        "metadata": { "name": "review" },
        "spec": {
            "workspace": { "path": folder },
            "backend": backend,
            "batch": { "size": 1, "totalItems": 1 },
            "prompt": { "template": "go" },
        },
    });
    let sources = LocalSources::new(folder);
    load::load_text(&text.to_string(), &folder.join("job.yaml"), &Overrides::default(), &sources).unwrap().job
}
