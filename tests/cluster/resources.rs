//! What the API server takes and refuses by the definitions alone.

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::{Namespace, object};

/// The smallest job that a cluster takes.
pub fn job(name: &str) -> Value {
    json!({
        "apiVersion": "mozart.dev/v1alpha1",
        "kind": "MozartJob",
        "metadata": {"name": name},
        "spec": {
            "workspace": {"emptyDir": {}},
            "batch": {"size": 2, "totalItems": 10},
            "prompt": {"template": "{{ items }}"},
        },
    })
}

/// `job` with a merge patch on its spec.
fn with(spec: &Value) -> Value {
    let mut job = job("a-job");
    merge(&mut job["spec"], spec);
    job
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

#[tokio::test]
async fn the_smallest_job_and_every_union_member_is_taken() {
    let namespace = Namespace::new().await;
    for spec in [
        json!({}),
        json!({"batch": {"totalItems": null, "items": ["a text", {"a": "map", "with": [1, 2.5, null, {"any": "thing"}]}]}}),
        json!({"batch": {"totalItems": null, "itemsFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}}),
        json!({"prompt": {"template": null, "templateFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}}),
        json!({"prompt": {"variables": {"a": 1, "b": [true, {"c": 1.5}]}}}),
        json!({"backend": {"type": "anthropic_api", "model": "m", "maxTokens": 99}, "workspace": null}),
        json!({"backend": {"type": "command", "command": ["cat"]}}),
        json!({"backend": {"effort": "high", "mcpConfig": {"mcpServers": {"a": {"command": "b"}}}}}),
        json!({"budget": {"perAttemptUSD": "0.5", "perRunUSD": 20}}),
        json!({"workspace": {"path": "./here", "persistentVolumeClaim": {"claimName": "a"}, "emptyDir": null}}),
        json!({"workspace": {"emptyDir": {"sizeLimit": "1Gi"}}}),
        json!({"prompt": {"templateFile": "beside.j2"}}),
        json!({"validations": [
            {"type": "file_exists", "path": "{workspace}/a"},
            {"type": "content_regex", "path": "b", "pattern": "c"},
            {"type": "command_succeeds", "command": "true", "timeoutSeconds": 5},
            {"type": "output_contains", "pattern": "d"},
        ]}),
        json!({"pod": {"labels": {"kueue.x-k8s.io/queue-name": "q", "example.com/mine": "x"},
            "volumes": [{"name": "v", "configMap": {"name": "c"}}]}}),
        json!({"notifications": [{"type": "desktop"}, {"type": "webhook", "url": "https://example.com"}]}),
    ] {
        let taken = namespace.would_take(&with(&spec)).await;
        assert_eq!(taken, Ok(()), "{spec}");
    }
    namespace.delete().await;
}

#[tokio::test]
async fn what_cannot_run_in_a_cluster_is_refused_with_the_reason() {
    let namespace = Namespace::new().await;
    for (spec, reason) in [
        (json!({"workspace": null}), "in a cluster the workspace has no default"),
        (
            json!({"workspace": {"persistentVolumeClaim": {"claimName": "a"}}}),
            "write one of persistentVolumeClaim",
        ),
        (json!({"execution": "InProcess"}), "InProcess is for backend.type: anthropic_api only"),
        (json!({"backend": {"type": "anthropic_api"}}), "anthropic_api needs a model"),
        (json!({"backend": {"type": "command"}}), "needs command: [program, argument]"),
        (json!({"backend": {"maxTokens": 99}}), "only anthropic_api takes maxTokens"),
        (
            json!({"backend": {"type": "anthropic_api", "model": "m", "effort": "high"}, "workspace": null}),
            "only claude_cli takes",
        ),
        (
            json!({"backend": {"type": "anthropic_api", "model": "m"},
                "validations": [{"type": "file_exists", "path": "a"}]}),
            "its validations are output_contains and output_regex",
        ),
        (json!({"batch": {"items": ["a"]}}), "write exactly one of totalItems, items and itemsFrom"),
        (json!({"batch": {"totalItems": null}}), "write exactly one of totalItems, items and itemsFrom"),
        (json!({"batch": {"size": 1, "totalItems": 100_001}}), "at most 100,000 batches"),
        (
            json!({"batch": {"size": 1, "totalItems": 100_010, "startItem": 11, "parallelism": 1001}}),
            "should be less than or equal to 1000",
        ),
        (json!({"batch": {"startItem": 11}}), "totalItems is the number of the last item"),
        (json!({"batch": {"totalItems": null, "itemsFrom": {"file": "a"}}}), "in a cluster items come from"),
        (json!({"prompt": {"template": null, "templateFile": "a.j2"}}), "in a cluster the prompt is one of"),
        (json!({"rerun": {"id": "a", "select": "Batches"}}), "batches goes with select: Batches"),
        (json!({"validations": [{"type": "file_exists"}]}), "path goes with"),
        (
            json!({"validations": [{"type": "output_regex", "pattern": "a", "command": "b"}]}),
            "command goes with",
        ),
        (json!({"notifications": [{"type": "slack"}]}), "webhook and slack need one of url and urlFrom"),
        (
            json!({"notifications": [{"type": "slack", "url": "https://hooks.slack.com/services/T/B/x"}]}),
            "this address is a secret",
        ),
        (
            json!({"notifications": [{"type": "webhook", "url": "https://me:pass@example.com/"}]}),
            "this address is a secret",
        ),
        (
            json!({"notifications": [{"type": "webhook", "url": "https://example.com", "headers": {"Authorization": "Bearer x"}}]}),
            "a header that holds a secret",
        ),
        (json!({"pod": {"labels": {"mozart.dev/run": "1"}}}), "are not yours to set"),
        (json!({"pod": {"labels": {"app.kubernetes.io/name": "x"}}}), "are not yours to set"),
        (json!({"pod": {"volumes": [{"name": "v"}]}}), "a volume is exactly one of"),
        (json!({"batch": {"parallelism": 1001}}), "should be less than or equal to 1000"),
    ] {
        let refused = namespace.would_take(&with(&spec)).await.expect_err(&spec.to_string());
        assert!(refused.contains(reason), "{spec}: {refused}");
    }
    for name in ["a.b".to_owned(), "a".repeat(53)] {
        let refused = namespace.would_take(&job(&name)).await.expect_err(&name);
        assert!(refused.contains("a DNS label of at most 52 characters"), "{refused}");
    }
    namespace.delete().await;
}

#[tokio::test]
async fn the_plan_is_pinned_while_a_run_is_active_and_the_way_out_is_named() {
    let namespace = Namespace::new().await;
    let jobs = namespace.jobs();
    let mut first = job("pinned");
    merge(
        &mut first["spec"],
        &json!({"batch": {"totalItems": null, "items": ["a", {"b": 1}]}, "prompt": {"variables": {"x": [1]}}}),
    );
    jobs.create(&PostParams::default(), &object(&first)).await.unwrap();
    let edit = async |spec: Value| {
        let dry = PatchParams { dry_run: true, ..PatchParams::default() };
        let result = jobs.patch("pinned", &dry, &Patch::Merge(json!({"spec": spec}))).await;
        result.map(drop).map_err(|error| error.to_string())
    };
    let plan = [
        json!({"prompt": {"template": "another"}}),
        json!({"prompt": {"variables": {"x": [2]}}}),
        json!({"batch": {"items": ["a", {"b": 2}]}}),
        json!({"batch": {"items": ["a", {"b": 2}], "parallelism": 9}}),
        json!({"batch": {"size": 3}}),
        json!({"backend": {"effort": "high"}}),
        json!({"validations": [{"type": "output_contains", "pattern": "d"}]}),
        json!({"workspace": {"emptyDir": {"medium": "Memory"}}}),
        json!({"pod": {"image": "other"}}),
    ];
    for spec in &plan {
        assert_eq!(edit(spec.clone()).await, Ok(()), "no run is active: {spec}");
    }
    let active = json!({"status": {"activeRun": 3}});
    jobs.patch_status("pinned", &PatchParams::default(), &Patch::Merge(active)).await.unwrap();
    for spec in plan {
        let refused = edit(spec.clone()).await.expect_err(&spec.to_string());
        assert!(
            refused.contains("pinned while run 3 is active") && refused.contains("{run: 3}"),
            "{refused}"
        );
    }
    for spec in [
        json!({"batch": {"parallelism": 20, "pauseSeconds": 1.5}}),
        json!({"suspend": true}),
        json!({"stop": {"run": 3}}),
        json!({"retry": {"baseDelaySeconds": 0.1}}),
        json!({"activeDeadlineSeconds": 60}),
    ] {
        assert_eq!(edit(spec.clone()).await, Ok(()), "{spec}");
    }
    let refused = edit(json!({"rerun": {"id": "again"}})).await.unwrap_err();
    assert!(
        refused.contains("run 3 is active") && refused.contains("before you ask for another"),
        "{refused}"
    );
    let refused = edit(json!({"managedBy": "somebody/else"})).await.unwrap_err();
    assert!(refused.contains("managedBy cannot be changed"), "{refused}");
    namespace.delete().await;
}

#[tokio::test]
async fn parallelism_is_served_as_scale() {
    let namespace = Namespace::new().await;
    let jobs = namespace.jobs();
    jobs.create(&PostParams::default(), &object(&job("scaled"))).await.unwrap();
    let scale = jobs.get_scale("scaled").await.unwrap();
    assert_eq!(scale.spec.and_then(|spec| spec.replicas), Some(1), "the default is in the schema");
    let twenty = Patch::Merge(json!({"spec": {"replicas": 20}}));
    jobs.patch_scale("scaled", &PatchParams::default(), &twenty).await.unwrap();
    assert_eq!(jobs.get("scaled").await.unwrap().data["spec"]["batch"]["parallelism"], 20);
    namespace.delete().await;
}
