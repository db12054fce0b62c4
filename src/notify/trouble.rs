//! Which sinks take nothing, and why.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The sinks of a run that take nothing.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<BTreeMap<usize, String>>);

/// What is written down of one sink.
#[derive(Debug)]
pub(super) struct Trouble {
    all: Arc<Troubles>,
    sink: usize,
}

impl Troubles {
    pub(super) fn of(self: &Arc<Self>, sink: usize) -> Trouble {
        Trouble { all: Arc::clone(self), sink }
    }

    /// All of them in a line.
    pub(super) fn told(&self) -> Option<String> {
        let all = self.lock();
        (!all.is_empty()).then(|| all.values().map(String::as_str).collect::<Vec<_>>().join("; "))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trouble {
    /// The sink takes nothing, for this reason.
    pub(super) fn is(&self, why: String) {
        self.all.lock().insert(self.sink, why);
    }

    /// The sink takes what it is told.
    pub(super) fn is_over(&self) {
        self.all.lock().remove(&self.sink);
    }
}
