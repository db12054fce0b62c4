//! A part of a gauge that goes when its owner does.

use prometheus_client::metrics::{family::Family, gauge::Gauge};

/// A gauge with one label, whose values are closed words.
pub(super) type Words = Family<[(&'static str, &'static str); 1], Gauge>;

/// What one owner (a job, a credential, a run) adds to a gauge. Dropping it takes that out again.
#[derive(Debug)]
pub struct Share {
    family: Words,
    label: &'static str,
    held: Vec<(&'static str, i64)>,
}

impl Share {
    /// Nothing so far.
    pub(super) fn new(family: &Words, label: &'static str) -> Self {
        Self { family: family.clone(), label, held: Vec::new() }
    }

    /// Is so many under each word from now on, and none under any other.
    pub fn be<const N: usize>(&mut self, now: [(&'static str, u32); N]) {
        let now = now.map(|(word, count)| (word, i64::from(count))).to_vec();
        if now == self.held {
            return;
        }
        for (word, count) in &now {
            self.family.get_or_create(&[(self.label, *word)]).inc_by(*count);
        }
        self.leave();
        self.held = now;
    }

    fn leave(&self) {
        for (word, count) in &self.held {
            self.family.get_or_create(&[(self.label, *word)]).dec_by(*count);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.leave();
    }
}
