//! What a job asks for: every field of `pod` is in the Pod, and its workspace is a volume.

use k8s_openapi::api::{
    core::v1::PersistentVolumeClaim, node::v1::RuntimeClass, scheduling::v1::PriorityClass,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, PostParams},
};
use mozart::{
    driver::ports::Launcher as _,
    launch::pod::{
        Volume,
        allow::Guarded,
        workspace::{WorkspaceError, volume},
    },
};
use serde_json::{Value, json};

use super::{Run, start, there};
use crate::support::Namespace;

#[tokio::test]
async fn every_field_of_pod_acts() {
    let namespace = Namespace::new().await;
    let client = &namespace.client;
    let class = namespace.name.clone();
    let classes: Api<RuntimeClass> = Api::all(client.clone());
    let runtime = serde_json::from_value(json!({"metadata": {"name": class}, "handler": "runc"})).unwrap();
    classes.create(&PostParams::default(), &runtime).await.unwrap();
    let priorities: Api<PriorityClass> = Api::all(client.clone());
    let priority = serde_json::from_value(json!({"metadata": {"name": class}, "value": 7})).unwrap();
    priorities.create(&PostParams::default(), &priority).await.unwrap();

    let term = json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]});
    let node_affinity =
        json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}});
    let pod = json!({
        "image": "localhost/mine:1",
        "imagePullSecrets": [{"name": "pull"}],
        "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi"}},
        "nodeSelector": {"mozart.dev/nowhere": "true"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": node_affinity},
        "env": [
            {"name": "A", "value": "literal"},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "map", "key": "b"}}},
            {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "secretEnv": [{"name": "D", "secretKeyRef": {"name": "secret", "key": "d"}}],
        "volumes": [
            {"name": "v1", "configMap": {"name": "map"}},
            {"name": "v2", "emptyDir": {"medium": "Memory"}},
            {"name": "v3", "persistentVolumeClaim": {"claimName": "claim"}},
            {"name": "v4", "secret": {"secretName": "secret"}},
            {"name": "v5", "ephemeral": {"volumeClaimTemplate": {"spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}},
        ],
        "volumeMounts": [{"name": "v1", "mountPath": "/map", "subPath": "b", "readOnly": true}],
        "labels": {"team": "a", "kueue.x-k8s.io/queue-name": "queue"},
        "annotations": {"example.com/note": "n"},
        "runtimeClassName": class,
        "priorityClassName": class,
        "serviceAccountName": "default",
        "terminationGracePeriodSeconds": 77,
    });
    let mut run = Run::new(&namespace, &["true"], &json!({"pod": pod})).await;
    run.place.allowed = Guarded::ALL.to_vec();
    run.launcher().launch(start(1)).await;
    let made = serde_json::to_value(there(&run, 1).await).unwrap();
    let (spec, container) = (&made["spec"], &made["spec"]["containers"][0]);
    assert_eq!(container["image"], pod["image"]);
    assert_eq!(spec["initContainers"][0]["image"], "localhost/mozart:test");
    for field in [
        "imagePullSecrets",
        "nodeSelector",
        "runtimeClassName",
        "priorityClassName",
        "serviceAccountName",
        "terminationGracePeriodSeconds",
    ] {
        assert_eq!(spec[field], pod[field], "{field}");
    }
    assert_eq!(spec["affinity"]["nodeAffinity"], node_affinity);
    assert_eq!(container["resources"]["requests"]["cpu"], "250m");
    assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
    let holds = |list: &Value, item: &Value| {
        let same = |one: &Value| item.as_object().unwrap().iter().all(|(name, value)| &one[name] == value);
        assert!(list.as_array().unwrap().iter().any(same), "{item} is not in {list}");
    };
    holds(&spec["tolerations"], &pod["tolerations"][0]);
    holds(&container["env"], &pod["env"][0]);
    holds(
        &container["env"],
        &json!({"name": "B", "valueFrom": {"configMapKeyRef": {"name": "map", "key": "b"}}}),
    );
    holds(
        &container["env"],
        &json!({"name": "D", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "d"}}}),
    );
    let from_field = container["env"].as_array().unwrap().iter().find(|one| one["name"] == "C").unwrap();
    assert_eq!(from_field["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
    holds(&container["volumeMounts"], &pod["volumeMounts"][0]);
    for kind in ["configMap", "emptyDir", "persistentVolumeClaim", "secret", "ephemeral"] {
        let there = spec["volumes"].as_array().unwrap().iter();
        assert!(
            there
                .filter(|one| one["name"].as_str().unwrap().starts_with('v'))
                .any(|one| one[kind].is_object()),
            "{kind}"
        );
    }
    assert_eq!(made["metadata"]["labels"]["team"], "a");
    assert_eq!(made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"], "queue");
    assert_eq!(made["metadata"]["annotations"]["example.com/note"], "n");
    classes.delete(&class, &DeleteParams::default()).await.unwrap();
    priorities.delete(&class, &DeleteParams::default()).await.unwrap();
    namespace.delete().await;
}

#[tokio::test]
async fn a_workspace_is_a_claim_that_is_there_or_one_that_is_made_once() {
    let namespace = Namespace::new().await;
    let run = Run::new(&namespace, &["true"], &json!({})).await;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let ask = async |job: &str, workspace: Value| {
        let workspace = serde_json::from_value(workspace).unwrap();
        volume(&namespace.client, &namespace.name, &run.place.owner, job, Some(&workspace)).await
    };
    let template = |more: Value| {
        let mut template = json!({"resources": {"requests": {"storage": "1Gi"}}});
        template.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"volumeClaimTemplate": template})
    };
    let made = ask("review", template(json!({}))).await.unwrap();
    let Volume::Claim { name, one_node: true, .. } = &made else { panic!("{made:?}") };
    let claim = claims.get(name).await.unwrap();
    assert!(claim.owner_references().is_empty(), "it stays when the job goes");
    assert_eq!(ask("review", template(json!({}))).await.unwrap(), made);

    let gone = template(json!({"whenDeleted": "Delete", "accessModes": ["ReadWriteMany"]}));
    let Volume::Claim { name, one_node: false, .. } = ask("other", gone).await.unwrap() else {
        panic!("no claim")
    };
    assert_eq!(claims.get(&name).await.unwrap().owner_references()[0].uid, run.place.owner.uid);

    let written = |name: &str| json!({"persistentVolumeClaim": {"claimName": name, "subPath": "a/b"}});
    let missing = ask("review", written("nothing")).await;
    assert!(matches!(missing, Err(WorkspaceError::Missing { .. })), "{missing:?}");
    let found = ask("review", written("review-workspace")).await.unwrap();
    assert_eq!(
        found,
        Volume::Claim {
            name: "review-workspace".to_owned(),
            sub_path: Some("a/b".to_owned()),
            one_node: true
        }
    );
    let foreign = json!({"metadata": {"name": "third-workspace"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    claims.create(&PostParams::default(), &serde_json::from_value(foreign).unwrap()).await.unwrap();
    let taken = ask("third", template(json!({}))).await;
    assert!(matches!(taken, Err(WorkspaceError::Taken { .. })), "{taken:?}");
    namespace.delete().await;
}
