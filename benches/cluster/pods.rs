//! Pods as the one that Mozart makes, for whoever else is to make the same.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};

use crate::{
    jobs::Job,
    kubernetes::{Kubernetes, within},
};

const MOMENT: Duration = Duration::from_secs(30);

/// The Pod of an attempt, without what makes it that one.
pub struct Pattern(Value);

impl Pattern {
    /// That of a job of Mozart's; an operator must be there.
    pub async fn of(kubernetes: &Kubernetes, pretends: Value) -> Self {
        let namespace = kubernetes.namespace().await;
        let mut stays = pretends;
        stays["stays-after"] = "0".into();
        let job = Job { name: "pattern", batches: 1, parallelism: 1, pretends: stays };
        let jobs = kubernetes.jobs(&namespace);
        job.apply(&jobs).await;
        let pods: Api<Pod> = Api::namespaced(kubernetes.client.clone(), &namespace);
        let pod = within(MOMENT, "the Pod of a job", async {
            loop {
                let listed = pods.list(&ListParams::default()).await.expect("its administrator may");
                if let Some(pod) = listed.items.into_iter().next() {
                    return pod;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let mut pod = serde_json::to_value(pod).expect("a Pod is JSON");
        jobs.delete("pattern", &DeleteParams::default()).await.expect("its administrator may");
        kubernetes.delete(namespace).await;
        for given in ["nodeName", "serviceAccount"] {
            pod["spec"].as_object_mut().expect("a spec").remove(given);
        }
        let annotations = pod["metadata"]["annotations"].as_object_mut().expect("annotations");
        annotations.remove("kwok.mozart.dev/stays-after");
        Self(pod)
    }

    /// What a Job makes its Pods of.
    pub fn template(&self) -> Value {
        let metadata = &self.0["metadata"];
        json!({
            "metadata": {"labels": metadata["labels"], "annotations": metadata["annotations"]},
            "spec": self.0["spec"],
        })
    }

    /// A Pod of that name and owner, kept by a finalizer.
    pub fn pod(&self, name: &str, owner: &Value) -> Pod {
        let mut pod = self.template();
        pod["metadata"]["name"] = name.into();
        pod["metadata"]["finalizers"] = self.0["metadata"]["finalizers"].clone();
        pod["metadata"]["ownerReferences"] = json!([owner]);
        serde_json::from_value(pod).expect("it was a Pod before")
    }
}
