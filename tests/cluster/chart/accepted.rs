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

/// Those of others, of which the chart makes objects where that is chosen.
async fn install_definitions_of_others(namespace: &Namespace) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/definitions");
    for entry in std::fs::read_dir(folder).expect("the definitions are there: run `make tools`") {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let definition: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        apply(namespace, &definition, true).await.unwrap();
        let (group, names) = (&definition["spec"]["group"], &definition["spec"]["names"]);
        let version =
            definition["spec"]["versions"].as_array().unwrap().iter().find(|one| one["storage"] == true);
        let version = version.unwrap()["name"].as_str().unwrap();
        let kind =
            json!({"apiVersion": format!("{}/{version}", group.as_str().unwrap()), "kind": names["kind"]});
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
    install_definitions_of_others(&namespace).await;
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
async fn the_policy_of_batches_is_taken_as_it_is() {
    let namespace = Namespace::new().await;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mozart"))
        .args(["network-policy", "--namespace", &namespace.name])
        .args(["--allow", "10.20.0.9/16", "--allow", "fd00::1/128:3128"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let policy: Value = serde_saphyr::from_str(&String::from_utf8(output.stdout).unwrap()).unwrap();
    assert_eq!(apply(&namespace, &policy, false).await, Ok(()));
    namespace.delete().await;
}

#[tokio::test]
async fn who_comes_by_an_ingress_or_a_route_finds_the_dashboard_and_is_known_there() {
    for (values, kind, host) in [
        ("dashboard: {ingress: {enabled: true, hosts: [jobs.example.com]}}", "Ingress", "/spec/rules/0/host"),
        (
            "dashboard: {httpRoute: {enabled: true, parentRefs: [{name: public}], hostnames: [jobs.example.com]}}",
            "HTTPRoute",
            "/spec/hostnames/0",
        ),
    ] {
        let policy = "networkPolicy: {enabled: true, apiServer: {cidrs: [10.0.0.2/32]}}";
        let manifests = rendered("a", &format!("{values}\n{policy}")).await.unwrap();
        let of = |kind: &'static str| manifests.iter().filter(move |one| one["kind"] == kind);
        assert_eq!(of(kind).next().unwrap().pointer(host).unwrap(), "jobs.example.com");
        let text = of(kind).next().unwrap()["spec"].to_string();
        assert!(text.contains(r#""name":"mozart-dashboard""#), "{text}");
        assert!(of("Service").any(|one| one["metadata"]["name"] == "mozart-dashboard"), "{values}");
        let container = of("Deployment").next().unwrap()["spec"]["template"]["spec"]["containers"][0].clone();
        for argument in ["--host=jobs.example.com", "--listen=0.0.0.0:8000"] {
            assert!(container["args"].as_array().unwrap().contains(&json!(argument)), "{container}");
        }
        let let_in = &of("NetworkPolicy").next().unwrap()["spec"]["ingress"][0]["ports"];
        assert!(
            let_in.as_array().unwrap().contains(&json!({"port": "dashboard", "protocol": "TCP"})),
            "{let_in}"
        );
    }
}

#[tokio::test]
async fn a_policy_that_knows_names_lets_the_operator_to_its_gateway_at_the_port_that_this_has() {
    for (url, name, port) in [
        ("https://gateway.example.com", "gateway.example.com", "443"),
        ("https://gateway.example.com/v2", "gateway.example.com", "443"),
        ("http://gateway.example.com", "gateway.example.com", "80"),
        ("https://gateway.example.com:8443/v2", "gateway.example.com", "8443"),
    ] {
        let values =
            format!("credential: {{baseURL: \"{url}\"}}\nnetworkPolicy: {{cilium: {{enabled: true}}}}");
        let manifests = rendered("a", &values).await.unwrap();
        let policy = manifests.iter().find(|one| one["kind"] == "CiliumNetworkPolicy").unwrap();
        let egress = policy["spec"]["egress"].as_array().unwrap();
        let claude = json!([{"matchName": "api.anthropic.com"}]);
        assert!(egress.iter().any(|rule| rule["toFQDNs"] == claude), "{policy}");
        let gateway = json!({
            "toFQDNs": [{"matchName": name}],
            "toPorts": [{"ports": [{"port": port, "protocol": "TCP"}]}],
        });
        assert!(egress.contains(&gateway), "{url}: {policy}");
    }
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
