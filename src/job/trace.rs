//! The trace of a run, by ids that follow from names: who takes a run up knows them without having kept anything, and an
//! attempt is the same span to everybody.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::identity::{AttemptName, RunId};

/// The variable in which a program is told whose span it works under.
pub const TRACEPARENT: &str = "TRACEPARENT";

/// The id of a run's trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

impl TraceId {
    /// That of a run.
    pub fn of(run: &RunId) -> Self {
        Self(hashed(&format!("trace {}/r{}", run.job, run.run)))
    }
}

/// The id of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(pub [u8; 8]);

impl SpanId {
    /// The one that is a run, and the parent of its attempts'.
    pub fn of_run(run: &RunId) -> Self {
        Self(hashed(&format!("span {}/r{}", run.job, run.run)))
    }

    /// The one that is an attempt.
    pub fn of_attempt(name: AttemptName<'_>) -> Self {
        Self(hashed(&format!("span {name}")))
    }
}

/// The value of [`TRACEPARENT`] for the programs of an attempt: its span, recorded, as W3C Trace Context writes it.
pub fn traceparent(name: AttemptName<'_>) -> String {
    format!("00-{}-{}-01", TraceId::of(name.run), SpanId::of_attempt(name))
}

/// The beginning of the text's SHA-256. All zeros would be no id; that is as likely as two runs with one.
fn hashed<const N: usize>(text: &str) -> [u8; N] {
    let digest: [u8; 32] = Sha256::digest(text).into();
    std::array::from_fn(|index| digest[index])
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_hex(&self.0, formatter)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_hex(&self.0, formatter)
    }
}

fn in_hex(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::job::identity::{AttemptKey, BatchNum};

    #[test]
    fn ids_follow_from_names_and_differ_where_names_do() {
        let run = |number| RunId { job: Uuid::from_u128(7), run: number };
        let of = |run: &RunId, batch, ordinal| {
            traceparent(AttemptName { run, key: AttemptKey { batch: BatchNum(batch), ordinal } })
        };
        // Fixed for ever: another id would break the trace of a run that is active during an upgrade.
        assert_eq!(of(&run(1), 3, 2), "00-823e6a0f18befe59e60b1d12a344bc0e-782f65707bbd2f2e-01");
        let ids = [of(&run(1), 3, 2), of(&run(1), 3, 1), of(&run(1), 2, 1), of(&run(2), 3, 2)];
        let traces: Vec<&str> = ids.iter().map(|id| &id[3..35]).collect();
        assert_eq!((traces[0], traces[0]), (traces[1], traces[2]));
        assert_ne!(traces[0], traces[3]);
        let mut spans: Vec<&str> = ids.iter().map(|id| &id[36..52]).collect();
        let of_run = SpanId::of_run(&run(1)).to_string();
        spans.push(&of_run);
        spans.sort_unstable();
        spans.dedup();
        assert_eq!(spans.len(), 5);
    }
}
