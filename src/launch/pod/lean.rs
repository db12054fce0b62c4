//! A Pod as it is read from the API server, without what nobody looks at: a whole one is parsed into hundreds of strings,
//! several times for each batch.

use std::{borrow::Borrow, collections::BTreeMap};

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ContainerState, ContainerStatus, Pod, PodCondition, PodSpec, PodStatus},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time},
};
use kube::Resource;
use serde::{Deserialize, Deserializer};

/// A Pod of which only what [`super::observe::Facts`] and [`super::pods::SeenPod`] look at is there.
#[derive(Clone, Debug)]
pub struct LeanPod(pub Pod);

impl<'de> Deserialize<'de> for LeanPod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Lean { metadata, spec, status } = Lean::deserialize(deserializer)?;
        let spec = spec.map(|spec| PodSpec {
            active_deadline_seconds: spec.active_deadline_seconds,
            node_name: spec.node_name,
            ..PodSpec::default()
        });
        let status = status.map(|status| PodStatus {
            conditions: status.conditions.map(|all| all.into_iter().map(Condition::whole).collect()),
            container_statuses: status.container_statuses.map(of_containers),
            init_container_statuses: status.init_container_statuses.map(of_containers),
            message: status.message,
            phase: status.phase,
            reason: status.reason,
            start_time: status.start_time,
            ..PodStatus::default()
        });
        Ok(Self(Pod { metadata: metadata.into(), spec, status }))
    }
}

impl Borrow<Pod> for LeanPod {
    fn borrow(&self) -> &Pod {
        &self.0
    }
}

impl Resource for LeanPod {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind(&(): &()) -> std::borrow::Cow<'_, str> {
        Pod::kind(&())
    }
    fn group(&(): &()) -> std::borrow::Cow<'_, str> {
        Pod::group(&())
    }
    fn version(&(): &()) -> std::borrow::Cow<'_, str> {
        Pod::version(&())
    }
    fn plural(&(): &()) -> std::borrow::Cow<'_, str> {
        Pod::plural(&())
    }
    fn meta(&self) -> &ObjectMeta {
        &self.0.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0.metadata
    }
}

#[derive(Deserialize)]
struct Lean {
    metadata: LeanMeta,
    spec: Option<Spec>,
    status: Option<Status>,
}

/// The metadata of an object without its managed fields and what else nobody looks at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeanMeta {
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Vec<String>>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    name: Option<String>,
    namespace: Option<String>,
    owner_references: Option<Vec<OwnerReference>>,
    resource_version: Option<String>,
    uid: Option<String>,
}

impl From<LeanMeta> for ObjectMeta {
    fn from(metadata: LeanMeta) -> Self {
        Self {
            annotations: metadata.annotations,
            creation_timestamp: metadata.creation_timestamp,
            deletion_timestamp: metadata.deletion_timestamp,
            finalizers: metadata.finalizers,
            generation: metadata.generation,
            labels: metadata.labels,
            name: metadata.name,
            namespace: metadata.namespace,
            owner_references: metadata.owner_references,
            resource_version: metadata.resource_version,
            uid: metadata.uid,
            ..Self::default()
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    active_deadline_seconds: Option<i64>,
    node_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    conditions: Option<Vec<Condition>>,
    container_statuses: Option<Vec<OfContainer>>,
    init_container_statuses: Option<Vec<OfContainer>>,
    message: Option<String>,
    phase: Option<String>,
    reason: Option<String>,
    start_time: Option<Time>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: Option<String>,
    message: Option<String>,
}

impl Condition {
    fn whole(self) -> PodCondition {
        let Self { kind, status, reason, message } = self;
        PodCondition { type_: kind, status, reason, message, ..PodCondition::default() }
    }
}

#[derive(Deserialize)]
struct OfContainer {
    name: String,
    state: Option<ContainerState>,
}

fn of_containers(all: Vec<OfContainer>) -> Vec<ContainerStatus> {
    let whole = |OfContainer { name, state }| ContainerStatus { name, state, ..ContainerStatus::default() };
    all.into_iter().map(whole).collect()
}
