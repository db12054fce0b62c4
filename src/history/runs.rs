//! The runs of every job in one list, whatever state files they are in.

use super::{HistoryError, Reader};
use crate::store::runs::{ListedRun, RunPlace, RunsWanted};

/// Where a page of the list ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunsCursor {
    /// The last run of the page.
    place: RunPlace,
    /// In which of the state files.
    store: usize,
}

impl RunsCursor {
    /// As an address carries it, and back.
    pub fn text(self) -> String {
        format!("{}.{}.{}", self.place.started, self.store, self.place.id)
    }

    /// What [`RunsCursor::text`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let started = parts.next()?.parse().ok()?;
        let store = parts.next()?.parse().ok()?;
        let id = parts.next()?.parse().ok()?;
        Some(Self { place: RunPlace { started, id }, store })
    }
}

/// Some runs, and where the rest begins.
#[derive(Clone, Debug, PartialEq)]
pub struct RunsPage {
    /// The newest first.
    pub runs: Vec<ListedRun>,
    /// What to ask for the next page with; `None` when this was the last.
    pub next: Option<RunsCursor>,
}

impl Reader {
    /// At most `limit` of the runs that are wanted, the newest first, after the page that ended at `after`.
    ///
    /// # Errors
    /// A state file could not be read.
    pub async fn list_runs(
        &self,
        wanted: &RunsWanted,
        after: Option<RunsCursor>,
        limit: u32,
    ) -> Result<RunsPage, HistoryError> {
        let mut found: Vec<(usize, ListedRun)> = Vec::new();
        for (index, store) in self.stores().enumerate() {
            // Runs that started at one moment stand in the order of their stores.
            let before = match after {
                None => RunPlace { started: i64::MAX, id: i64::MAX },
                Some(after) => {
                    let id = match index.cmp(&after.store) {
                        std::cmp::Ordering::Less => i64::MIN,
                        std::cmp::Ordering::Equal => after.place.id,
                        std::cmp::Ordering::Greater => i64::MAX,
                    };
                    RunPlace { started: after.place.started, id }
                }
            };
            let runs = store.list_runs(wanted, before, limit.saturating_add(1)).await?;
            found.extend(runs.into_iter().map(|run| (index, run)));
        }
        found.sort_by_key(|(store, run)| {
            (std::cmp::Reverse(run.place.started), *store, std::cmp::Reverse(run.place.id))
        });
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next =
            found.last().filter(|_| more).map(|(store, run)| RunsCursor { place: run.place, store: *store });
        Ok(RunsPage { runs: found.into_iter().map(|(_, run)| run).collect(), next })
    }
}
