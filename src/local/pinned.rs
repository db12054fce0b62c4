//! The items of a run, read once: those that an earlier process has read are what later ones go on with.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::verb::{Changed, Verb};
use crate::{
    api::batch::ItemsFrom,
    driver::ports::StoreError,
    engine::{ledger::Ledger, rerun::Select},
    history::{HistoryError, Reader},
    job::{items::PinnedItems, model::Job},
    store::{home::Home, items},
};

/// What a plan's text says of the items.
#[derive(Deserialize)]
struct Plan {
    batch: PlannedBatch,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlannedBatch {
    items_from: Option<ItemsFrom>,
    pinned_items: Option<Pin>,
}

#[derive(Deserialize)]
struct Pin {
    sha256: String,
}

/// What the job file `file` (absolute) is to be loaded with for `verb`: the items of the last run of each of its jobs,
/// unless the verb makes a run of everything, which reads them anew.
///
/// # Errors
/// The state or the items cannot be read.
pub async fn items_for(
    home: &Home,
    reader: &Reader,
    file: &Path,
    verb: &Verb,
) -> Result<Vec<PinnedItems>, HistoryError> {
    let file = file.to_string_lossy();
    let mut found = Vec::new();
    for job in reader.jobs().await?.into_iter().filter(|job| job.file.as_os_str() == &*file) {
        let Some(last) = reader.last_run(job.uid).await?.filter(|last| !reads_anew(verb, last)) else {
            continue;
        };
        let plan = reader.plan_text(&last.run).await?;
        let Some((from, hash)) = plan.as_deref().and_then(pin_of) else { continue };
        if let Some(values) = items::load(home, job.uid, &hash)? {
            found.push(PinnedItems { job: job.name, from, values, hash });
        } else {
            tracing::warn!(job = job.name, "the items of the last run are gone, they are read anew");
        }
    }
    Ok(found)
}

/// Keeps the items of a job that is about to run.
pub(super) fn pin(home: &Home, uid: Uuid, job: &Job) -> Result<(), StoreError> {
    match pinned(job) {
        Some((hash, values)) => items::keep(home, uid, hash, values),
        None => Ok(()),
    }
}

/// Forgets the items of runs before the one that has begun.
pub(super) fn forget_others(home: &Home, uid: Uuid, job: &Job) {
    if let Some((hash, _)) = pinned(job) {
        items::keep_only(home, uid, hash);
    }
}

fn pinned(job: &Job) -> Option<(&str, &[Value])> {
    let items = job.batches.items.as_ref()?;
    Some((items.pinned.as_deref()?, &items.values))
}

fn pin_of(plan: &str) -> Option<(ItemsFrom, String)> {
    let Plan { batch } = serde_saphyr::from_str(plan).ok()?;
    Some((batch.items_from?, batch.pinned_items?.sha256))
}

/// Whether the verb makes a run of everything, or asks whether there is anything new to do.
pub(super) fn reads_anew(verb: &Verb, last: &Ledger) -> bool {
    match verb {
        Verb::Run { changed: Changed::Restart, .. } | Verb::Run { select: Some(Select::All), .. } => true,
        Verb::Run { select: None, .. } => last.is_over(),
        Verb::Run { select: Some(_), .. } | Verb::Resume => false,
        Verb::Retry(select) => *select == Select::All,
    }
}
