//! What the API server will not make, and when it is asked again.

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use mozart::{driver::ports::Launcher as _, job::outcome::FailureClass, launch::pod::Pods};
use serde_json::json;

use super::{Run, ended, eventually, start, there};
use crate::support::Namespace;

#[tokio::test]
async fn s18_a_quota_is_waited_for_with_one_create_and_not_stormed() {
    let namespace = Namespace::new().await;
    let quotas: Api<ResourceQuota> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}});
    quotas.create(&PostParams::default(), &serde_json::from_value(quota).unwrap()).await.unwrap();
    eventually("the quota counts", || async {
        quotas.get("q").await.unwrap().status.is_some_and(|status| status.used.is_some())
    })
    .await;
    let run =
        Run::new(&namespace, &["true"], &json!({"pod": {"nodeSelector": {"mozart.dev/nowhere": "true"}}}))
            .await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    there(&run, 1).await;
    launcher.launch(start(2)).await;
    eventually("it is refused", || async { launcher.blocked().is_some() }).await;
    let blocked = launcher.blocked().unwrap();
    assert_eq!(blocked.why.reason, "QuotaExceeded");
    assert!(blocked.why.message.contains("exceeded quota: q"), "{}", blocked.why.message);
    assert_eq!(launcher.wake_at(), Some(blocked.until));
    // Nothing is asked for before its time.
    for batch in 2..9 {
        launcher.launch(start(batch)).await;
    }
    assert_eq!(launcher.look().await.len(), 1);
    let more = json!({"spec": {"hard": {"pods": "10"}}});
    quotas.patch("q", &PatchParams::default(), &Patch::Merge(more)).await.unwrap();
    eventually("it is made", || async {
        launcher.launch(start(2)).await;
        run.api.get_opt(&run.name(2)).await.unwrap().is_some()
    })
    .await;
    eventually("nothing stands in the way", || async { launcher.blocked().is_none() }).await;
    assert!(run.api.list(&ListParams::default()).await.unwrap().items.len() <= 2);
    namespace.delete().await;
}

#[tokio::test]
async fn a_namespace_that_is_being_deleted_has_its_own_reason() {
    let namespace = Namespace::new().await;
    let run =
        Run::new(&namespace, &["true"], &json!({"pod": {"nodeSelector": {"mozart.dev/nowhere": "true"}}}))
            .await;
    let launcher = run.launcher();
    // Holds the namespace while it is being deleted.
    let holder = json!({"metadata": {"name": "holder", "finalizers": ["mozart.dev/test"]}});
    let maps: Api<k8s_openapi::api::core::v1::ConfigMap> =
        Api::namespaced(namespace.client.clone(), &namespace.name);
    maps.create(&PostParams::default(), &serde_json::from_value(holder).unwrap()).await.unwrap();
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(namespace.client.clone());
    namespaces.delete(&namespace.name, &DeleteParams::default()).await.unwrap();
    launcher.launch(start(1)).await;
    eventually("it is refused", || async { launcher.blocked().is_some() }).await;
    assert_eq!(launcher.blocked().unwrap().why.reason, "NamespaceTerminating");
    let free = json!({"metadata": {"finalizers": null}});
    maps.patch("holder", &PatchParams::default(), &Patch::Merge(free)).await.unwrap();
}

#[tokio::test]
async fn a_pod_that_is_none_ends_the_job_with_the_words_of_the_api_server() {
    let namespace = Namespace::new().await;
    let mounts = json!({"pod": {"volumeMounts": [{"name": "nothing", "mountPath": "/data"}]}});
    let run = Run::new(&namespace, &["true"], &mounts).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    let failure = ended(&launcher, 1).await.failure.unwrap();
    assert_eq!((failure.class, failure.reason.as_str()), (FailureClass::JobFatal, "PodInvalid"));
    assert!(failure.message.contains("nothing"), "{}", failure.message);
    namespace.delete().await;
}

#[tokio::test]
async fn without_the_right_to_make_pods_the_verb_and_the_resource_are_named() {
    let namespace = Namespace::new().await;
    let mut run = Run::new(&namespace, &["true"], &json!({})).await;
    run.pods = Pods::watch(namespace.client_of("somebody").await, &namespace.name);
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    eventually("it is refused", || async { launcher.blocked().is_some() }).await;
    let why = launcher.blocked().unwrap().why;
    assert_eq!(why.reason, "Forbidden");
    assert!(why.message.contains("cannot create resource \"pods\""), "{}", why.message);
    assert!(
        run.api
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .iter()
            .all(|pod| pod.name_any() != run.name(1))
    );
    namespace.delete().await;
}
