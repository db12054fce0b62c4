//! A run's plan in immutable `ConfigMap`s, which its Pods mount.

use k8s_openapi::{
    api::core::v1::ConfigMap,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, PostParams},
};

use super::names;
use crate::job::{
    identity::RunId,
    items::hash_of,
    plan::{self, Plan},
};

/// The most bytes of one part: an object may have 1 MiB.
const PART_BYTES: usize = 900 * 1024;
/// The most parts of a plan.
const MAX_PARTS: usize = 8;
/// The key of a part.
const KEY: &str = "plan";
/// On every part: the hash of the whole.
const HASH: &str = "mozart.dev/plan-hash";
/// On every part: how many there are.
const PARTS: &str = "mozart.dev/plan-parts";

/// Where a run's plan is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRef {
    /// SHA-256 of its text, in hex: the ledger's plan hash.
    pub hash: String,
    /// The names of its `ConfigMap`s, in order.
    pub parts: Vec<String>,
}

/// Why a plan could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum PlanRefError {
    /// It is too long.
    #[error("the plan has {bytes} bytes, and at most {} are kept: make the template or the items shorter", PART_BYTES * MAX_PARTS)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A part of this name is there, and it is not this run's.
    #[error("the ConfigMap {name} is there and holds something else: delete it")]
    Taken {
        /// Its name.
        name: String,
    },
    /// The run has none.
    #[error("the ConfigMap {name}, which holds the plan of the run, is not there")]
    Missing {
        /// Its name.
        name: String,
    },
    /// It is no plan, or another one.
    #[error(transparent)]
    Plan(#[from] plan::PlanError),
    /// The API server refused.
    #[error("the plan's ConfigMap {name} could not be {what}")]
    Api {
        /// Its name.
        name: String,
        /// `read`, `written`, `deleted`.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

/// Writes the plan of a run. Written before, it is left as it is, if it is the same.
///
/// # Errors
/// It is too long, another is there, or the API server refuses.
pub async fn write(
    client: &Client,
    namespace: &str,
    owner: &OwnerReference,
    job_name: &str,
    run: &RunId,
    plan: &Plan,
) -> Result<PlanRef, PlanRefError> {
    let text = plan.text();
    let hash = hash_of(&text);
    let pieces = pieces(&text);
    if pieces.len() > MAX_PARTS {
        return Err(PlanRefError::TooLong { bytes: text.len() });
    }
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let mut parts = Vec::new();
    // The first comes last: it is by that one that a plan is found.
    for (number, piece) in pieces.iter().enumerate().rev() {
        let name = part_name(job_name, run, number);
        let part = ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some(names::labels(job_name, run)),
                annotations: Some(
                    [(HASH, hash.clone()), (PARTS, pieces.len().to_string())]
                        .map(|(name, value)| (name.to_owned(), value))
                        .into(),
                ),
                owner_references: Some(vec![owner.clone()]),
                ..ObjectMeta::default()
            },
            immutable: Some(true),
            data: Some([(KEY.to_owned(), (*piece).to_owned())].into()),
            binary_data: None,
        };
        let failed =
            |source| PlanRefError::Api { name: name.clone(), what: "written", source: Box::new(source) };
        match api.create(&PostParams::default(), &part).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
                let there = api.get(&name).await.map_err(failed)?;
                let ours = there.owner_references().iter().any(|one| one.uid == owner.uid);
                if !ours || there.data != part.data {
                    return Err(PlanRefError::Taken { name });
                }
            }
            Err(error) => return Err(failed(error)),
        }
        parts.push(name);
    }
    parts.reverse();
    Ok(PlanRef { hash, parts })
}

/// Where the plan of a run is that was written before; `None` when there is none.
///
/// # Errors
/// The API server refuses.
pub async fn find(
    client: &Client,
    namespace: &str,
    job_name: &str,
    run: &RunId,
) -> Result<Option<PlanRef>, PlanRefError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let name = first_part(job_name, run);
    let first = get(&api, &name).await?;
    Ok(first.map(|first| {
        let annotation = |key| first.annotations().get(key).cloned().unwrap_or_default();
        let count: usize = annotation(PARTS).parse().unwrap_or(1).min(MAX_PARTS);
        PlanRef {
            hash: annotation(HASH),
            parts: (0..count).map(|number| part_name(job_name, run, number)).collect(),
        }
    }))
}

/// The plan itself.
///
/// # Errors
/// A part is missing, the text is another than the hash says, or the API server refuses.
pub async fn read(client: &Client, namespace: &str, plan: &PlanRef) -> Result<Plan, PlanRefError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let mut text = String::new();
    for name in &plan.parts {
        let part = get(&api, name).await?;
        let part = part.ok_or_else(|| PlanRefError::Missing { name: name.clone() })?;
        text.push_str(part.data.as_ref().and_then(|data| data.get(KEY)).map_or("", String::as_str));
    }
    Ok(Plan::read(&text, &plan.hash)?)
}

/// Deletes the plan of a run; what is not there is deleted.
///
/// # Errors
/// The API server refuses.
pub async fn delete(client: &Client, namespace: &str, plan: &PlanRef) -> Result<(), PlanRefError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    for name in &plan.parts {
        match api.delete(name, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(source) => {
                return Err(PlanRefError::Api {
                    name: name.clone(),
                    what: "deleted",
                    source: Box::new(source),
                });
            }
        }
    }
    Ok(())
}

async fn get(api: &Api<ConfigMap>, name: &str) -> Result<Option<ConfigMap>, PlanRefError> {
    let found = api.get_opt(name).await;
    found.map_err(|source| PlanRefError::Api {
        name: name.to_owned(),
        what: "read",
        source: Box::new(source),
    })
}

/// The `ConfigMap` by which the plan of a run is found.
pub fn first_part(job_name: &str, run: &RunId) -> String {
    part_name(job_name, run, 0)
}

fn part_name(job_name: &str, run: &RunId, number: usize) -> String {
    format!("{}-plan-{number}", names::of_run(job_name, run))
}

/// Cut where a character ends.
fn pieces(text: &str) -> Vec<&str> {
    let mut rest = text;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PART_BYTES));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_plan_is_cut_between_characters() {
        let text = "aé😀".repeat(400_000);
        let pieces = pieces(&text);
        assert_eq!(pieces.len(), 4);
        assert!(pieces.iter().all(|piece| piece.len() <= PART_BYTES));
        assert_eq!(pieces.concat(), text);
    }
}
