//! The custom resource definitions, made from the types in `api`: what `mozart crd` prints and `crds/` holds.

mod rules;
mod structural;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::api::{
    self, MozartJobSpec,
    credential::{MozartCredentialSpec, MozartCredentialStatus},
    status::MozartJobStatus,
};

/// The API group.
pub const GROUP: &str = "mozart.dev";

/// A definition, and the file under `crds/` that holds it.
#[derive(Clone, Debug)]
pub struct Definition {
    /// `mozartjobs.yaml`.
    pub file: &'static str,
    /// The `CustomResourceDefinition`.
    pub object: Value,
}

impl Definition {
    /// The definition as a YAML document, as it stands in its file.
    ///
    /// # Errors
    /// Never for what [`definitions`] makes.
    pub fn yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        let text = serde_saphyr::to_string(&self.object)?;
        Ok(format!("# Made by `mozart crd` from the types in src/api: change those.\n{text}"))
    }
}

/// Every definition.
pub fn definitions() -> Vec<Definition> {
    vec![
        Definition { file: "mozartjobs.yaml", object: job() },
        Definition { file: "mozartcredentials.yaml", object: credential() },
    ]
}

fn job() -> Value {
    let mut schema = object_schema::<MozartJobSpec, MozartJobStatus>(
        "A long list of work that goes through Claude, a batch at a time.",
        &[structural::CLUSTER_BOUNDS, structural::JOB_LISTS],
        rules::JOB,
    );
    rules::transitions(&mut schema);
    rules::backend_fields(&mut schema);
    let columns = json!([
        column("Phase", "string", ".status.phase", 0, "Where the job stands"),
        column("Progress", "string", ".status.progress", 0, "Batches that succeeded, of those in the run"),
        column("Failed", "integer", ".status.batches.failed", 0, "Batches that failed for good"),
        column("Active", "integer", ".status.batches.running", 0, "Batches that run now"),
        column("Waiting", "string", ".status.waiting", 0, "Why nothing more is happening"),
        column("Age", "date", ".metadata.creationTimestamp", 0, "When the job was made"),
        column("Cost", "string", ".status.usage.costUSD", 1, "US dollars of the run"),
        column("Tokens", "string", ".status.tokens", 1, "Tokens of the run"),
        column("Duration", "string", ".status.duration", 1, "How long the run has been active"),
    ]);
    definition(
        &json!({"kind": api::KIND, "listKind": "MozartJobList", "plural": "mozartjobs", "singular": "mozartjob",
            "shortNames": ["mj"], "categories": ["mozart"]}),
        &json!({"name": "v1alpha1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {
                "status": {},
                "scale": {"specReplicasPath": ".spec.batch.parallelism", "statusReplicasPath": ".status.batches.running"},
            },
            "selectableFields": [{"jsonPath": ".status.phase"}],
            "additionalPrinterColumns": columns}),
    )
}

fn credential() -> Value {
    let schema = object_schema::<MozartCredentialSpec, MozartCredentialStatus>(
        "A key and the address that it is for, and whether its account is limited.",
        &[structural::CREDENTIAL_LISTS],
        rules::CREDENTIAL,
    );
    let ready = ".status.conditions[?(@.type==\"Ready\")].status";
    let columns = json!([
        column("Type", "string", ".spec.type", 0, "What kind of key"),
        column("Ready", "string", ready, 0, "Whether it can be used"),
        column("Limited until", "string", ".status.gate.until", 0, "When its account's limit ends"),
        column("In flight", "integer", ".status.inFlight", 0, "Attempts that use it now"),
        column("Age", "date", ".metadata.creationTimestamp", 0, "When it was made"),
    ]);
    definition(
        &json!({"kind": api::credential::KIND, "listKind": "MozartCredentialList", "plural": "mozartcredentials",
            "singular": "mozartcredential", "shortNames": ["mcred"], "categories": ["mozart"]}),
        &json!({"name": "v1alpha1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}},
            "additionalPrinterColumns": columns}),
    )
}

fn definition(names: &Value, version: &Value) -> Value {
    let plural = names["plural"].as_str().unwrap_or_default();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}"), "labels": {"app.kubernetes.io/name": "mozart"}},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    })
}

fn column(name: &str, kind: &str, path: &str, priority: u32, description: &str) -> Value {
    json!({"name": name, "type": kind, "jsonPath": path, "priority": priority, "description": description})
}

/// The schema of a whole object with the spec `S` and the status `T`.
fn object_schema<S: JsonSchema, T: JsonSchema>(
    description: &str,
    settings: &[&[structural::Setting]],
    rules: &[rules::Rule],
) -> Value {
    let mut schema = json!({
        "description": description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Always `mozart.dev/v1alpha1`."},
            "kind": {"type": "string", "description": "The kind of this object."},
            "metadata": {"type": "object"},
            "spec": structural::schema::<S>(),
            "status": structural::schema::<T>(),
        },
    });
    for setting in settings.iter().copied().flatten() {
        setting.apply(&mut schema);
    }
    for rule in rules {
        rule.add_to(&mut schema);
    }
    schema
}
