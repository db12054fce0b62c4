//! Which logs were copied a moment ago: who waits for the answer in one knows when there is none.

use std::collections::VecDeque;

use crate::job::identity::{AttemptKey, RunId};

/// So many are remembered.
const MOST: usize = 4096;

/// The attempts whose logs were copied last, or could not be.
#[derive(Debug, Default)]
pub(super) struct Copied(VecDeque<(RunId, AttemptKey)>);

impl Copied {
    pub(super) fn add(&mut self, run: &RunId, key: AttemptKey) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((run.clone(), key));
    }

    pub(super) fn has(&self, run: &RunId, key: AttemptKey) -> bool {
        // The one that is asked for is one of the last.
        self.0.iter().rev().any(|(one, copied)| *copied == key && one == run)
    }
}
