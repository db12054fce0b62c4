//! The gate: what is known of a credential's limits, shared by everything that uses it.
//!
//! ```text
//!            Close                 until has passed, ClaimCanary
//!   Open ───────────► Closed ─────────────────────────────────► Canary
//!    ▲                  ▲  ▲                                     │ │ │
//!    │                  │  └──── Close, CanaryEnded ─────────────┘ │ │
//!    └──────────────────┼──── Accepted (a request of the canary) ──┘ │
//!       OpenedByHand    │                                            │
//!   Held ───────────────┘        Hold (from anywhere) ──► Held ◄─────┘
//! ```
//!
//! There is no opening by time: only an accepted request opens it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::time::{between, later};

/// The first delay of a throttle that names none.
const THROTTLE_BASE: Duration = Duration::from_secs(30);
/// The longest delay of a throttle that names none.
const THROTTLE_MAX: Duration = Duration::from_mins(10);
/// No limit is believed beyond this: a week, and a day for clocks and zones.
const LIMIT_MAX: Duration = Duration::from_hours(8 * 24);
/// A canary that was not seen for so long is replaced.
pub const CANARY_UNSEEN: Duration = Duration::from_mins(1);
/// How often a running canary says that it is there, so that no other takes its place.
pub const CANARY_SIGN: Duration = Duration::from_secs(20);
/// How old `last_accepted` may become while nothing else changes: a write a batch would cost more than it tells.
const ACCEPTED_GRAIN: Duration = Duration::from_mins(1);
/// From here on a slow start holds nobody back any more.
const SLOW_START_END: u32 = 1024;

/// The gate of one credential and model family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gate {
    /// Open, closed until a time, closed for a person, or tried by a canary.
    pub state: GateState,
    /// Closed gates without an accepted request between them.
    pub waits: u32,
    /// The last accepted request, to the minute.
    pub last_accepted: Option<Timestamp>,
    /// When the first of the present `waits` began.
    pub waiting_since: Option<Timestamp>,
    /// How many attempts of a run may be live after a limit (slow start); `None` is as many as the job allows.
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
        /// The attempt that met it. If that attempt still runs, its next accepted request opens the gate.
        #[serde(default)]
        holder: String,
    },
    /// One canary runs, or is about to.
    Canary {
        /// Its name (`MOZART_ATTEMPT`), so that other processes know whose it is.
        holder: String,
        /// When it was last seen; one that was not seen for [`CANARY_UNSEEN`] is replaced.
        seen: Timestamp,
        /// For people.
        cause: String,
    },
    /// None may until a person opens it (`mozart credential resume`).
    Held {
        /// For people.
        cause: String,
        /// Since when.
        since: Timestamp,
    },
}

/// What is told to the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum GateReport {
    /// A limit, throttle or unreachable service was met by `holder`.
    Close {
        /// Until when, if it was told; else (or if that has passed) a throttle that doubles.
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
    /// The canary runs still, without a word about the credential so far.
    CanarySeen {
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

impl Gate {
    /// The gate after `report`. Whoever keeps a gate applies this under its lock; applying a report twice, as a crash
    /// between telling and remembering does, changes nothing that matters.
    pub fn after(&self, report: &GateReport) -> Self {
        let mut gate = self.clone();
        match report {
            GateReport::Close { until, cause, holder, at } => gate.close(*until, cause, holder, *at),
            GateReport::Hold { cause, at } => {
                if !matches!(gate.state, GateState::Held { .. }) {
                    gate.state = GateState::Held { cause: cause.clone(), since: *at };
                    gate.waiting_since.get_or_insert(*at);
                    gate.live_cap = Some(1);
                }
            }
            GateReport::Accepted { holder, at } => gate.accept(holder, *at),
            GateReport::ClaimCanary { holder, at } => {
                if let Some(cause) = gate.canary_wanted(*at) {
                    gate.state =
                        GateState::Canary { holder: holder.clone(), seen: *at, cause: cause.to_owned() };
                }
            }
            GateReport::CanarySeen { holder, at } => {
                if let GateState::Canary { holder: canary, seen, .. } = &mut gate.state
                    && canary == holder
                {
                    *seen = *at;
                }
            }
            GateReport::CanaryEnded { holder, at } => {
                if let GateState::Canary { holder: canary, cause, .. } = &gate.state
                    && canary == holder
                {
                    gate.state =
                        GateState::Closed { until: *at, cause: cause.clone(), holder: String::new() };
                }
            }
            GateReport::OpenedByHand { at } => {
                gate.waits = 0;
                gate.waiting_since = gate.waiting_since.map(|_| *at);
                gate.state = match gate.state {
                    GateState::Open => GateState::Open,
                    GateState::Closed { cause, .. }
                    | GateState::Canary { cause, .. }
                    | GateState::Held { cause, .. } => {
                        GateState::Closed { until: *at, cause, holder: String::new() }
                    }
                };
            }
        }
        gate
    }

    /// Why the gate is closed, if a canary may try it now.
    pub fn canary_wanted(&self, now: Timestamp) -> Option<&str> {
        match &self.state {
            GateState::Closed { until, cause, .. } if *until <= now => Some(cause),
            GateState::Canary { seen, cause, .. } if forgotten(*seen, now) => Some(cause),
            _ => None,
        }
    }

    /// Whether an accepted request of `holder` is worth telling: most are not, and telling costs a write.
    pub fn wants_accepted(&self, holder: &str, now: Timestamp) -> bool {
        let opens = match &self.state {
            GateState::Open => self.waits > 0 || self.live_cap.is_some(),
            GateState::Closed { holder: closer, .. } => closer == holder,
            GateState::Canary { holder: canary, .. } => canary == holder,
            GateState::Held { .. } => false,
        };
        opens
            || self.last_accepted.is_none_or(|last| {
                between(last, now) >= ACCEPTED_GRAIN || between(now, last) >= ACCEPTED_GRAIN
            })
    }

    /// Whether attempts may start freely, within `live_cap`.
    pub fn is_open(&self) -> bool {
        self.state == GateState::Open
    }

    fn close(&mut self, until: Option<Timestamp>, cause: &str, holder: &str, at: Timestamp) {
        // What else was in flight when the gate closed meets the same limit: that is one wait, not many.
        let counts = match &self.state {
            GateState::Open => true,
            GateState::Canary { holder: canary, .. } => canary == holder,
            GateState::Closed { .. } | GateState::Held { .. } => false,
        };
        if counts {
            self.waits = self.waits.saturating_add(1);
            self.live_cap = Some(1);
        }
        self.waiting_since.get_or_insert(at);
        let told = until.filter(|until| *until > at).map(|until| until.min(later(at, LIMIT_MAX)));
        let until = told.unwrap_or_else(|| later(at, throttle_delay(self.waits)));
        let closed = GateState::Closed { until, cause: cause.to_owned(), holder: holder.to_owned() };
        match &self.state {
            GateState::Held { .. } => {}
            GateState::Closed { until: known, .. } if *known >= until => {}
            // A stray throttle of an attempt from before does not take the canary's chance; a limit with a time does.
            GateState::Canary { holder: canary, .. } if canary != holder && told.is_none() => {}
            _ => self.state = closed,
        }
    }

    fn accept(&mut self, holder: &str, at: Timestamp) {
        self.last_accepted = Some(at);
        match &self.state {
            GateState::Open => {
                self.live_cap =
                    self.live_cap.map(|cap| cap.saturating_mul(2)).filter(|cap| *cap < SLOW_START_END);
            }
            GateState::Canary { holder: canary, .. } if canary == holder => self.open(),
            GateState::Closed { holder: closer, .. } if closer == holder => self.open(),
            // An attempt from before the closing: its request may have been accepted before it, too.
            _ => return,
        }
        self.waits = 0;
        self.waiting_since = None;
    }

    fn open(&mut self) {
        self.state = GateState::Open;
        self.live_cap = Some(2);
    }
}

/// Whether a canary seen at `seen` counts as gone. A clock that was set back must not keep it for ever.
fn forgotten(seen: Timestamp, now: Timestamp) -> bool {
    between(seen, now) >= CANARY_UNSEEN || between(now, seen) >= CANARY_UNSEEN
}

/// 30 s, doubled with every further wait, at most 10 min.
fn throttle_delay(waits: u32) -> Duration {
    let doublings = waits.saturating_sub(1).min(8);
    (THROTTLE_BASE * 2_u32.pow(doublings)).min(THROTTLE_MAX)
}
