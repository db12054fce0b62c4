//! A job as it was read from the API server.

use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{Resource as _, ResourceExt as _, api::DynamicObject};
use serde::Deserialize as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::store::{ledger, resource};
use crate::{
    api::{self, MozartJobSpec, backend::BackendType, run::Execution, status::MozartJobStatus},
    driver::ports::StoreError,
    engine::ledger::Ledger,
};

/// The operator that a job names if it names none.
pub const DEFAULT_MANAGER: &str = "mozart.dev/operator";

/// The credential of a job that names none.
const DEFAULT_CREDENTIAL: &str = "default";

/// A job as it was read from the API server.
#[derive(Clone, Debug)]
pub struct JobObject {
    /// The whole object.
    pub object: DynamicObject,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Uuid,
    /// The generation of its spec.
    pub generation: i64,
    /// Its spec.
    pub spec: MozartJobSpec,
    /// Its status; empty when it has none.
    pub status: MozartJobStatus,
}

/// Why an object is no job that can be worked with.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The API server makes each object a UID.
    #[error("the object has no UID")]
    NoUid,
    /// Its spec is none.
    #[error("the spec has what this Mozart does not know: {0}")]
    Spec(#[source] serde_json::Error),
    /// Its status is none.
    #[error("the status has what this Mozart does not know: {0}")]
    Status(#[source] serde_json::Error),
}

impl JobObject {
    /// Reads it.
    ///
    /// # Errors
    /// When it was made by a definition that this Mozart does not know.
    pub fn read(object: DynamicObject) -> Result<Self, ObjectError> {
        let uid = object.uid().and_then(|uid| uid.parse().ok()).ok_or(ObjectError::NoUid)?;
        let spec = MozartJobSpec::deserialize(&object.data["spec"]).map_err(ObjectError::Spec)?;
        let status = match object.data.get("status") {
            Some(status) => MozartJobStatus::deserialize(status).map_err(ObjectError::Status)?,
            None => MozartJobStatus::default(),
        };
        Ok(Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid,
            generation: object.metadata.generation.unwrap_or(0),
            spec,
            status,
            object,
        })
    }

    /// Its ledger; `None` when it has none.
    ///
    /// # Errors
    /// When it is of a newer Mozart, or cannot be read.
    pub fn ledger(&self) -> Result<Option<Ledger>, StoreError> {
        ledger(&self.object)
    }

    /// Its spec as it is written.
    pub fn written(&self) -> &Value {
        &self.object.data["spec"]
    }

    /// It as a manifest.
    pub fn manifest(&self) -> Value {
        json!({
            "apiVersion": api::API_VERSION,
            "kind": api::KIND,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": self.written(),
        })
    }

    /// Which operator it is for.
    pub fn manager(&self) -> &str {
        self.spec.managed_by.as_deref().unwrap_or(DEFAULT_MANAGER)
    }

    /// The name of its credential; `None` for backends without one.
    pub fn credential(&self) -> Option<&str> {
        let backend = self.spec.backend.as_ref();
        match backend.and_then(|backend| backend.kind).unwrap_or_default() {
            BackendType::Command => None,
            BackendType::ClaudeCli | BackendType::AnthropicApi => {
                Some(backend.and_then(|backend| backend.credential.as_deref()).unwrap_or(DEFAULT_CREDENTIAL))
            }
        }
    }

    /// Whether its batches run in the operator's own process.
    pub fn runs_in_process(&self) -> bool {
        let backend = self.spec.backend.as_ref().and_then(|backend| backend.kind).unwrap_or_default();
        match self.spec.execution {
            Some(execution) => execution == Execution::InProcess,
            None => backend == BackendType::AnthropicApi,
        }
    }

    /// Whether it is being deleted.
    pub fn is_deleted(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some()
    }

    /// As the owner of what is made for it. Without `blockOwnerDeletion`, which needs a right of its own.
    pub fn owner(&self) -> OwnerReference {
        OwnerReference {
            api_version: api::API_VERSION.to_owned(),
            kind: api::KIND.to_owned(),
            name: self.name.clone(),
            uid: self.object.uid().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: None,
        }
    }

    /// As the object of an Event.
    pub fn reference(&self) -> ObjectReference {
        self.object.object_ref(&resource())
    }
}
