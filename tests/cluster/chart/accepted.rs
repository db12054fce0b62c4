//! Whatever is chosen, the API server takes every object as it is, and every Pod where the strictest level is enforced.

use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, TypeMeta},
};
use serde_json::{Value, json};

use super::{rendered, variants};
use crate::{
    attempts::eventually,
    support::{Namespace, object},
};

/// Asks the API server strictly; `keep` makes it.
async fn apply(namespace: &Namespace, manifest: &Value, keep: bool) -> Result<(), String> {
    let object = object(manifest);
    let kind = ApiResource::from_gvk(&object.types.as_ref().unwrap().try_into().unwrap());
    let client = namespace.client.clone();
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client, &namespace, &kind),
        None => Api::all_with(client, &kind),
    };
    let parameters = PatchParams::apply("mozart-tests").force().validation_strict();
    let parameters = if keep { parameters } else { parameters.dry_run() };
    let taken = api.patch(&object.name_any(), &parameters, &Patch::Apply(&object)).await;
    taken.map(drop).map_err(|error| error.to_string())
}

/// The Pod that a Deployment or a Job would make.
fn pod(namespace: &Namespace, manifest: &Value) -> Option<Value> {
    let template = manifest["spec"].get("template")?;
    Some(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "of-a-template", "namespace": namespace.name, "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"],
        },
        "spec": template["spec"],
    }))
}

/// Those of the Prometheus operator, of which the chart makes objects where that is chosen.
async fn install_definitions_of_monitoring(namespace: &Namespace) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/prometheus/crds");
    for entry in std::fs::read_dir(folder).expect("the definitions are there: run `make tools`") {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let definition: Value = serde_saphyr::from_str(&text).unwrap();
        apply(namespace, &definition, true).await.unwrap();
        let (group, names) = (&definition["spec"]["group"], &definition["spec"]["names"]);
        let kind = json!({"apiVersion": format!("{}/v1", group.as_str().unwrap()), "kind": names["kind"]});
        let kind =
            ApiResource::from_gvk(&(&serde_json::from_value::<TypeMeta>(kind).unwrap()).try_into().unwrap());
        eventually(&format!("{} can be listed", kind.plural), || async {
            let api: Api<DynamicObject> = Api::all_with(namespace.client.clone(), &kind);
            api.list(&ListParams::default()).await.is_ok()
        })
        .await;
    }
}

#[tokio::test]
async fn every_object_of_every_variant_is_taken_as_it_is_and_every_pod_is_restricted() {
    let namespace = Namespace::restricted().await;
    install_definitions_of_monitoring(&namespace).await;
    let account = |name: &str| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace.name}});
    // One of an administrator's, and the hook's: no Pod is taken without its account.
    for name in ["operators", "mozart"] {
        apply(&namespace, &account(name), true).await.unwrap();
    }
    for (name, values) in variants() {
        let manifests =
            rendered(&namespace.name, &values).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(manifests.len() >= 3, "{name}: {manifests:?}");
        for manifest in manifests {
            let is_account = manifest["kind"] == "ServiceAccount";
            let pods = pod(&namespace, &manifest);
            for one in std::iter::once(&manifest).chain(&pods) {
                let taken = apply(&namespace, one, is_account).await;
                assert_eq!(taken, Ok(()), "{name}: {one}");
            }
        }
    }
    namespace.delete().await;
}

#[tokio::test]
async fn two_replicas_are_kept_by_a_budget_and_one_is_not() {
    let kinds = async |replicas: u8| {
        let manifests = rendered("a", &json!({"replicas": replicas}).to_string()).await.unwrap();
        let deployment = manifests.iter().find(|one| one["kind"] == "Deployment").unwrap();
        let budget = manifests.iter().any(|one| one["kind"] == "PodDisruptionBudget");
        (deployment["spec"]["strategy"]["type"].as_str().unwrap().to_owned(), budget)
    };
    assert_eq!(kinds(1).await, ("Recreate".to_owned(), false));
    assert_eq!(kinds(2).await, ("RollingUpdate".to_owned(), true));
}

#[tokio::test]
async fn every_word_of_the_operators_arguments_is_one_that_it_takes() {
    for (name, values) in variants() {
        let manifests = rendered("a", &values).await.unwrap();
        for container in
            manifests.iter().filter_map(|one| one["spec"]["template"]["spec"]["containers"].as_array())
        {
            let arguments = container[0]["args"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
            // What does not reach the help was not understood.
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_mozart"))
                .args(arguments)
                .arg("--help")
                .output()
                .unwrap();
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
