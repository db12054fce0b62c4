//! S-17: whoever may make jobs, and nothing else, gets at nothing through the Pods of their attempts.

use kube::api::ListParams;
use mozart::{
    driver::ports::Launcher as _,
    job::outcome::FailureClass,
    launch::pod::allow::{Guarded, refusals},
};
use serde_json::{Value, json};

use super::{Run, ended, start, there};
use crate::{resources::job, support::Namespace};

/// What would give the author of a job what his own rights do not, and the field that is named in the refusal.
fn attempts_to_get_more() -> Vec<(Value, &'static str)> {
    vec![
        (
            json!({"secretEnv": [{"name": "A", "secretKeyRef": {"name": "db", "key": "password"}}]}),
            "secretEnv",
        ),
        (json!({"volumes": [{"name": "v", "secret": {"secretName": "db"}}]}), "secretVolumes"),
        (json!({"serviceAccountName": "admin"}), "serviceAccountName"),
        (json!({"priorityClassName": "system-node-critical"}), "priorityClassName"),
        (json!({"runtimeClassName": "unconfined"}), "runtimeClassName"),
        (json!({"labels": {"mozart.dev/job-uid": "another"}}), "mozart.dev/job-uid"),
        (json!({"labels": {"app.kubernetes.io/managed-by": "helm"}}), "app.kubernetes.io/managed-by"),
        (
            json!({"annotations": {"container.apparmor.security.beta.kubernetes.io/attempt": "unconfined"}}),
            "apparmor",
        ),
        (json!({"volumes": [{"name": "mozart-plan", "emptyDir": {}}]}), "mozart-plan"),
        (json!({"volumeMounts": [{"name": "v", "mountPath": "/mozart/plan"}]}), "/mozart/plan"),
        (json!({"volumeMounts": [{"name": "v", "mountPath": "/data/../mozart"}]}), "/data/../mozart"),
        (json!({"volumeMounts": [{"name": "v", "mountPath": "/workspace"}]}), "/workspace"),
        (json!({"volumeMounts": [{"name": "v", "mountPath": "/"}]}), "`/`"),
        (json!({"volumeMounts": [{"name": "v", "mountPath": "/dev"}]}), "/dev"),
    ]
}

#[tokio::test]
async fn s17_no_field_of_a_pod_gives_what_its_author_may_not_have() {
    let namespace = Namespace::new().await;
    let mut run = Run::new(&namespace, &["true"], &json!({})).await;
    for (pod, named) in attempts_to_get_more() {
        run.place.pod = serde_json::from_value(pod.clone()).unwrap();
        let launcher = run.launcher();
        launcher.launch(start(1)).await;
        let failure = ended(&launcher, 1).await.failure.unwrap();
        assert_eq!((failure.class, failure.reason.as_str()), (FailureClass::JobFatal, "PodInvalid"), "{pod}");
        assert!(failure.message.contains(named), "{named}: {}", failure.message);
        assert!(run.api.list(&ListParams::default()).await.unwrap().items.is_empty(), "{pod}");
    }
    namespace.delete().await;
}

#[test]
fn s17_what_an_administrator_allows_is_allowed_and_nothing_beside() {
    for (pod, named) in attempts_to_get_more() {
        let pod = serde_json::from_value(pod).unwrap();
        let guarded = Guarded::ALL.iter().find(|one| one.word() == named);
        for allowed in Guarded::ALL {
            let refused = refusals(&pod, &[allowed]);
            assert_eq!(refused.is_empty(), guarded == Some(&allowed), "{named} with {allowed}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn s17_no_other_field_of_a_pod_is_known_at_all() {
    let namespace = Namespace::new().await;
    for pod in [
        json!({"hostNetwork": true}),
        json!({"hostPID": true}),
        json!({"securityContext": {"runAsUser": 0}}),
        json!({"initContainers": [{"name": "a", "image": "b"}]}),
        json!({"automountServiceAccountToken": true}),
        json!({"envFrom": [{"secretRef": {"name": "db"}}]}),
        json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]}),
        json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
        json!({"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]}),
        json!({"volumes": [{"name": "v", "csi": {"driver": "secrets"}}]}),
        json!({"volumes": [{"name": "v", "downwardAPI": {}}]}),
        json!({"nodeName": "node"}),
        json!({"command": ["sh"]}),
    ] {
        let mut job = job("a-job");
        job["spec"]["pod"] = pod.clone();
        let refused = namespace.would_take_strictly(&job).await.unwrap_err();
        assert!(refused.contains("field not declared in schema"), "{pod}: {refused}");
        // A client that is not strict loses the field; should a definition be older than the operator, it refuses too.
        let api: Result<mozart::api::pod::Pod, _> = serde_json::from_value(pod.clone());
        assert!(api.is_err(), "{pod}");
    }
    namespace.delete().await;
}

#[tokio::test]
async fn s17_a_pod_holds_no_token_and_no_secret_but_the_credential() {
    let namespace = Namespace::new().await;
    let mut run = Run::new(
        &namespace,
        &["true"],
        &json!({"pod": {
            "nodeSelector": {"mozart.dev/nowhere": "true"},
            "env": [{"name": "ANTHROPIC_API_KEY", "value": "mine"}, {"name": "HOME", "value": "/proc"}],
        }}),
    )
    .await;
    run.place.credential = Some(mozart::launch::pod::Credential {
        name: "default".to_owned(),
        kind: mozart::api::credential::CredentialType::ApiKey,
        secret: serde_json::from_value(json!({"name": "anthropic", "key": "api-key"})).unwrap(),
        base_url: None,
    });
    run.launcher().launch(start(1)).await;
    let spec = serde_json::to_value(there(&run, 1).await.spec).unwrap();
    let text = spec.to_string();
    assert_eq!(text.matches("secretKeyRef").count(), 1, "{text}");
    assert!(!text.contains("serviceAccountToken") && !text.contains("\"secret\""), "{text}");
    let environment = spec["containers"][0]["env"].as_array().unwrap();
    let of = |name: &str| environment.iter().filter(|one| one["name"] == name).collect::<Vec<_>>();
    assert_eq!(of("ANTHROPIC_API_KEY").len(), 1);
    assert_eq!(of("ANTHROPIC_API_KEY")[0]["valueFrom"]["secretKeyRef"]["name"], "anthropic");
    assert_eq!(of("HOME")[0]["value"], "/mozart/state/home");
    namespace.delete().await;
}
