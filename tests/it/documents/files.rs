//! The YAML that documents show: a whole file is taken as it stands, a part of one with the rest around it.

use std::{fs, path::Path};

use mozart::{
    api::credential::MozartCredentialSpec,
    job::{
        load::{Overrides, load},
        sources::Sources,
    },
    sources::{ClusterSources, LocalSources},
};
use serde_json::{Map, Value, json};

use super::{blocks, root};

/// What a part of a plain job file is shown without.
fn plain() -> Value {
    json!({
        "name": "part",
        "workspace": {"path": ".", "shared": true},
        "backend": {"type": "command", "command": ["cat"]},
        "batch": {"size": 10, "total_items": 40},
        "prompt": {"template": "Items {{ start_item }} to {{ end_item }}"},
    })
}

/// What a part of a manifest is shown without.
fn manifest() -> Value {
    json!({
        "apiVersion": "mozart.dev/v1alpha1",
        "kind": "MozartJob",
        "metadata": {"name": "part"},
        "spec": {
            "workspace": {"emptyDir": {}},
            "backend": {"type": "command", "command": ["cat"]},
            "batch": {"size": 10, "totalItems": 40},
            "prompt": {"template": "Items {{ start_item }} to {{ end_item }}"},
        },
    })
}

/// `whole` with what `part` says in its place.
fn with(mut whole: Value, part: &Map<String, Value>) -> Value {
    for (name, value) in part {
        whole[name] = value.clone();
    }
    whole
}

/// Checks one document of a block.
fn check(place: &str, folder: &Path, value: &Value) {
    let fields = value.as_object().unwrap_or_else(|| panic!("{place} is no map"));
    let kind = value["kind"].as_str();
    let job = match kind {
        None if fields.contains_key("name") => value.clone(),
        None if fields.keys().eq(["spec"]) => {
            let mut whole = manifest();
            whole["spec"] = with(whole["spec"].take(), value["spec"].as_object().unwrap());
            whole
        }
        None => with(plain(), fields),
        Some("MozartJob") => value.clone(),
        Some("MozartCredential") => {
            assert_eq!(value["apiVersion"], "mozart.dev/v1alpha1", "{place}");
            let spec = serde_json::from_value::<MozartCredentialSpec>(value["spec"].clone());
            assert!(spec.is_ok(), "{place}: {spec:?}");
            return;
        }
        Some(_) => {
            assert!(value["apiVersion"].is_string() && value["metadata"]["name"].is_string(), "{place}");
            return;
        }
    };
    let file = folder.join("job.yaml");
    fs::write(&file, serde_saphyr::to_string(&job).unwrap()).unwrap();
    let (local, cluster) = (LocalSources::new(folder), ClusterSources::default());
    let sources: &dyn Sources = if job["kind"].is_string() { &cluster } else { &local };
    if let Err(problems) = load(&file, &Overrides::default(), sources) {
        panic!("{place}\n{problems}");
    }
}

#[test]
fn every_job_that_a_document_shows_is_one_that_mozart_takes() {
    let mut checked = 0;
    for block in blocks::all().into_iter().filter(|block| block.language == "yaml") {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("templates")).unwrap();
        fs::copy(root().join("examples/templates/review.j2"), folder.path().join("templates/review.j2"))
            .unwrap();
        for document in block.text.split("---\n") {
            let value: Value =
                serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{}: {error}", block.place));
            check(&block.place, folder.path(), &value);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} documents");
}
