//! The same by a Job of batch/v1, whose controller has no limits on its requests here.

use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1;
use kube::Api;
use serde_json::json;

use crate::{
    kubernetes::{Kubernetes, make, until},
    pods::Pattern,
};

/// Makes the Job.
pub async fn apply(jobs: &Api<v1::Job>, pattern: &Pattern, batches: u32, parallelism: u32) {
    let job = json!({
        "metadata": {"name": "indexed"},
        "spec": {
            "completionMode": "Indexed",
            "completions": batches,
            "parallelism": parallelism,
            "backoffLimit": 0,
            "template": pattern.template(),
        },
    });
    make(jobs, job).await;
}

/// Waits until it is complete.
pub async fn complete(jobs: &Api<v1::Job>, longest: Duration) {
    until(jobs, "indexed", "the end of the Indexed Job", longest, |job| {
        let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
        let is = |kind: &str| {
            conditions.into_iter().flatten().any(|one| one.type_ == kind && one.status == "True")
        };
        assert!(!is("Failed"), "the Indexed Job has failed: {:?}", job.status);
        is("Complete")
    })
    .await;
}

/// Runs one from its making to its end.
pub async fn run(
    kubernetes: &Kubernetes,
    namespace: &str,
    pattern: &Pattern,
    (batches, parallelism): (u32, u32),
    longest: Duration,
) -> Duration {
    let jobs: Api<v1::Job> = Api::namespaced(kubernetes.client.clone(), namespace);
    let began = Instant::now();
    apply(&jobs, pattern, batches, parallelism).await;
    complete(&jobs, longest).await;
    began.elapsed()
}
