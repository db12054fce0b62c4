//! The gate: what is known of a credential's limits, shared by everything that uses it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The gate of one credential and model family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gate {
    /// Open, closed until a time, closed for a person, or tried by a canary.
    pub state: GateState,
    /// Closed gates without an accepted request between them.
    pub waits: u32,
    /// The last accepted request.
    pub last_accepted: Option<Timestamp>,
    /// When the first of the present `waits` began.
    pub waiting_since: Option<Timestamp>,
    /// How many attempts may be live after a limit (slow start); `None` is as many as the job allows.
    pub live_cap: Option<u32>,
}

/// Whether attempts may start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum GateState {
    /// They may.
    #[default]
    Open,
    /// None may, until then; then one canary.
    Closed {
        /// Then a canary may start.
        until: Timestamp,
        /// For people: `plan limit (five_hour)`, `429`, …
        cause: String,
    },
    /// One canary runs.
    Canary {
        /// Its name (`MOZART_ATTEMPT`), so that other processes know whose it is.
        holder: String,
        /// When it started; one that is not running within 60 s is replaced.
        since: Timestamp,
        /// For people.
        cause: String,
    },
    /// None may until a person opens it (`mozart credential resume`).
    Held {
        /// For people.
        cause: String,
    },
}

/// What is told to the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum GateReport {
    /// A limit, throttle or unreachable service was met by `holder`.
    Close {
        /// When, if it was told; else a throttle that doubles.
        until: Option<Timestamp>,
        /// For people.
        cause: String,
        /// The attempt.
        holder: String,
        /// Now.
        at: Timestamp,
    },
    /// Money or login.
    Hold {
        /// For people.
        cause: String,
        /// Now.
        at: Timestamp,
    },
    /// A request of `holder` was accepted.
    Accepted {
        /// The attempt.
        holder: String,
        /// Now.
        at: Timestamp,
    },
    /// `holder` wants to be the canary; it is if the returned gate names it.
    ClaimCanary {
        /// The attempt.
        holder: String,
        /// Now.
        at: Timestamp,
    },
    /// The canary ended without a word about the credential.
    CanaryEnded {
        /// The attempt.
        holder: String,
        /// Now.
        at: Timestamp,
    },
    /// A person opened it; a canary goes first.
    OpenedByHand {
        /// Now.
        at: Timestamp,
    },
}
