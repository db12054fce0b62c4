//! The volume that a job's batches work in, and who works in it.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::PersistentVolumeClaim, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{Api, Client, ResourceExt as _, api::PostParams};
use serde_json::json;
use uuid::Uuid;

use super::Volume;
use crate::api::workspace::{ClaimTemplate, WhenDeleted, Workspace};

/// Why there is no volume.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// The job names none.
    #[error(
        "the job says nothing of where its batches work in a cluster: write workspace.persistentVolumeClaim, workspace.volumeClaimTemplate or workspace.emptyDir"
    )]
    None,
    /// The claim that is named is not there. It may come.
    #[error("there is no PersistentVolumeClaim {name}")]
    Missing {
        /// Its name.
        name: String,
    },
    /// The claim that would be made is there, and is not this job's.
    #[error(
        "the PersistentVolumeClaim {name} is there and is not this job's: delete it, or name it under workspace.persistentVolumeClaim"
    )]
    Taken {
        /// Its name.
        name: String,
    },
    /// The template makes no claim.
    #[error("workspace.volumeClaimTemplate makes no claim")]
    Invalid(#[source] serde_json::Error),
    /// The API server refused.
    #[error("the PersistentVolumeClaim {name} cannot be had")]
    Api {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

/// The label of a claim that was made for a job: it stays when the job goes, and is found again by a job of the name.
const FOR_JOB: &str = "mozart.dev/workspace-of";

/// The volume of a job's workspace. What its template says is made, once.
///
/// # Errors
/// There is none, or it cannot be had now.
pub async fn volume(
    client: &Client,
    namespace: &str,
    owner: &OwnerReference,
    job_name: &str,
    workspace: Option<&Workspace>,
) -> Result<Volume, WorkspaceError> {
    let workspace = workspace.ok_or(WorkspaceError::None)?;
    if let Some(empty) = &workspace.empty_dir {
        return Ok(Volume::empty(empty));
    }
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    if let Some(reference) = &workspace.persistent_volume_claim {
        let name = reference.claim_name.clone();
        let claim = api.get_opt(&name).await;
        let claim =
            claim.map_err(|source| WorkspaceError::Api { name: name.clone(), source: Box::new(source) })?;
        let claim = claim.ok_or_else(|| WorkspaceError::Missing { name: name.clone() })?;
        return Ok(Volume::Claim { name, sub_path: reference.sub_path.clone(), one_node: one_node(&claim) });
    }
    let template = workspace.volume_claim_template.as_ref().ok_or(WorkspaceError::None)?;
    let claim = ensure(&api, owner, job_name, template).await?;
    Ok(Volume::Claim { name: claim.name_any(), sub_path: None, one_node: one_node(&claim) })
}

async fn ensure(
    api: &Api<PersistentVolumeClaim>,
    owner: &OwnerReference,
    job_name: &str,
    template: &ClaimTemplate,
) -> Result<PersistentVolumeClaim, WorkspaceError> {
    let name = format!("{job_name}-workspace");
    let failed = |source| WorkspaceError::Api { name: name.clone(), source: Box::new(source) };
    let owners = (template.when_deleted == Some(WhenDeleted::Delete)).then(|| vec![owner.clone()]);
    let claim = json!({
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": "mozart", FOR_JOB: job_name},
            "ownerReferences": owners,
        },
        "spec": {
            "storageClassName": template.storage_class_name,
            "accessModes": template.access_modes.clone().unwrap_or_else(|| vec!["ReadWriteOnce".to_owned()]),
            "resources": template.resources,
        },
    });
    let claim = serde_json::from_value(claim).map_err(WorkspaceError::Invalid)?;
    match api.create(&PostParams::default(), &claim).await {
        Ok(claim) => Ok(claim),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
            let found = api.get(&name).await.map_err(failed)?;
            let ours = found.labels().get(FOR_JOB).is_some_and(|job| job == job_name);
            let others = found.owner_references().iter().any(|one| one.uid != owner.uid);
            if ours && !others { Ok(found) } else { Err(WorkspaceError::Taken { name }) }
        }
        Err(error) => Err(failed(error)),
    }
}

fn one_node(claim: &PersistentVolumeClaim) -> bool {
    let modes = claim.spec.as_ref().and_then(|spec| spec.access_modes.as_ref());
    !modes.into_iter().flatten().any(|mode| matches!(mode.as_str(), "ReadWriteMany" | "ReadOnlyMany"))
}

/// Who works in which claim of a namespace: one active run a folder.
#[derive(Debug, Default)]
pub struct Occupants {
    places: BTreeMap<Uuid, (String, String)>,
}

impl Occupants {
    /// Takes the volume for a run of `job`, or says whose it is. Taking it again is taking it once; a folder that holds
    /// or lies in another's is that other's.
    ///
    /// # Errors
    /// The job that works in it.
    pub fn occupy(&mut self, job: Uuid, volume: &Volume) -> Result<(), Uuid> {
        let Volume::Claim { name, sub_path, .. } = volume else { return Ok(()) };
        let folder = sub_path.clone().unwrap_or_default();
        let other = self.places.iter().find(|(other, (claim, theirs))| {
            let (theirs, ours) = (std::path::Path::new(theirs), std::path::Path::new(&folder));
            **other != job && claim == name && (theirs.starts_with(ours) || ours.starts_with(theirs))
        });
        if let Some((other, _)) = other {
            return Err(*other);
        }
        self.places.insert(job, (name.clone(), folder));
        Ok(())
    }

    /// The run of `job` is over.
    pub fn leave(&mut self, job: Uuid) {
        self.places.remove(&job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(name: &str, folder: &str) -> Volume {
        let sub_path = Some(folder.to_owned()).filter(|folder| !folder.is_empty());
        Volume::Claim { name: name.to_owned(), sub_path, one_node: true }
    }

    #[test]
    fn one_run_works_in_a_folder_at_a_time() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut occupants = Occupants::default();
        occupants.occupy(one, &claim("c", "a/b")).unwrap();
        occupants.occupy(one, &claim("c", "a/b")).unwrap();
        for busy in ["a/b", "a", "", "a/b/c", "a/b/"] {
            assert_eq!(occupants.occupy(two, &claim("c", busy)), Err(one), "{busy}");
        }
        for free in ["a/bc", "b"] {
            occupants.occupy(two, &claim("c", free)).unwrap();
        }
        occupants.occupy(two, &claim("other", "a/b")).unwrap();
        occupants.leave(one);
        occupants.occupy(two, &claim("c", "a")).unwrap();
    }
}
