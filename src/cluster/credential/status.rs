//! What a credential's status says: the gate, in a form for people from which it is read back, and the conditions. Pure.

use jiff::Timestamp;
use kube::api::DynamicObject;

use crate::{
    api::{
        credential::{
            Canary, CredentialGate, CredentialGateState, MozartCredentialSpec, MozartCredentialStatus,
        },
        status::Condition,
    },
    cluster::status::{condition, short},
    engine::gate::{Gate, GateState},
};

/// What a closed gate is called whose credential is suspended.
const SUSPENDED: &str =
    "the credential is suspended (spec.suspend): `mozart credential resume` lets attempts start";
/// No limit is believed beyond this, in hours, whoever wrote it down.
const FARTHEST_HOURS: i64 = 8 * 24;

/// A credential as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Known {
    /// Its spec; `None` when it cannot be read.
    pub(super) spec: Option<MozartCredentialSpec>,
    /// What is known of its limits.
    pub(super) gate: Gate,
    /// Since when it is suspended.
    pub(super) suspended: Option<Timestamp>,
    /// The last `mozart.dev/resume` that was taken.
    pub(super) resumed: Option<Timestamp>,
    /// Why it cannot be used: a closed word and a sentence.
    pub(super) trouble: Option<(&'static str, String)>,
}

impl Known {
    /// The gate as attempts meet it.
    pub(super) fn met(&self) -> Gate {
        match self.suspended {
            Some(since) => {
                Gate { state: GateState::Held { cause: SUSPENDED.to_owned(), since }, ..self.gate.clone() }
            }
            None => self.gate.clone(),
        }
    }

    /// How many attempts of all jobs may run: what the spec says, and after a limit fewer.
    pub(super) fn cap(&self) -> Option<u32> {
        let most = self.spec.as_ref().and_then(|spec| spec.max_concurrent_attempts);
        most.into_iter().chain(self.gate.live_cap).min()
    }
}

/// The status of a credential. `before` is the status until now: conditions that still hold keep their time. `canary` is
/// the name of the job that the canary is of, where that is known.
pub(super) fn status(
    known: &Known,
    in_flight: u32,
    canary: Option<&str>,
    generation: i64,
    before: &MozartCredentialStatus,
    now: Timestamp,
) -> MozartCredentialStatus {
    let (ready, word, why) = match (&known.trouble, known.suspended) {
        (Some((word, why)), _) => (false, *word, why.clone()),
        (None, Some(_)) => (false, "Suspended", "spec.suspend is true: no attempt starts.".to_owned()),
        (None, None) => (true, "Usable", String::new()),
    };
    let (limited, limit, cause) = match &known.gate.state {
        GateState::Open => (false, "GateOpen", String::new()),
        GateState::Closed { until, cause, .. } => (true, "GateClosed", format!("{cause}, until {until:.0}")),
        GateState::Canary { cause, .. } => {
            (true, "Tried", format!("one attempt tries whether it is over: {cause}"))
        }
        GateState::Held { .. } => (false, "Held", String::new()),
    };
    let (held, hold, what) = match &known.gate.state {
        GateState::Held { cause, .. } => {
            let what = format!(
                "{cause}. When that is mended: `mozart credential resume`, or change the credential."
            );
            (true, "Held", what)
        }
        _ => (false, "NothingToDo", String::new()),
    };
    let rows = [
        ("Ready", ready, word, why),
        ("Limited", limited, limit, cause),
        ("NeedsAttention", held, hold, what),
    ];
    let conditions: Vec<Condition> =
        rows.into_iter().map(|row| condition(row, generation, &before.conditions, now)).collect();
    MozartCredentialStatus {
        observed_generation: Some(generation),
        conditions,
        gate: Some(written(known, canary, before.gate.as_ref())),
        in_flight: Some(in_flight),
    }
}

/// Since when `status` says that the credential is suspended.
pub(super) fn suspended_since(status: &MozartCredentialStatus) -> Option<Timestamp> {
    let ready = status.conditions.iter().find(|one| one.kind == "Ready" && one.reason == "Suspended")?;
    ready.last_transition_time.parse().ok()
}

fn written(known: &Known, job: Option<&str>, before: Option<&CredentialGate>) -> CredentialGate {
    let gate = &known.gate;
    let text = |at: &Timestamp| at.to_string();
    let mut written = CredentialGate {
        state: CredentialGateState::Open,
        until: None,
        cause: None,
        holder: None,
        since: None,
        canary: None,
        waits: gate.waits,
        waiting_since: gate.waiting_since.as_ref().map(text),
        last_accepted: gate.last_accepted.as_ref().map(text),
        live_cap: gate.live_cap,
        resumed: known.resumed.as_ref().map(text),
    };
    match &gate.state {
        GateState::Open => {}
        GateState::Closed { until, cause, holder } => {
            written.state = CredentialGateState::Closed;
            written.until = Some(text(until));
            written.cause = Some(short(cause));
            written.holder = Some(holder.clone()).filter(|holder| !holder.is_empty());
        }
        GateState::Canary { holder, seen, cause } => {
            let before = before.and_then(|gate| gate.canary.as_ref()).filter(|one| one.attempt == *holder);
            let known_job = before.and_then(|one| one.job.clone());
            written.state = CredentialGateState::Canary;
            written.cause = Some(short(cause));
            written.canary = Some(Canary {
                job: job.map(str::to_owned).or(known_job),
                batch: batch_of(holder),
                attempt: holder.clone(),
                since: text(seen),
            });
        }
        GateState::Held { cause, since } => {
            written.state = CredentialGateState::Held;
            written.cause = Some(short(cause));
            written.since = Some(text(since));
        }
    }
    written
}

/// The batch of an attempt's full name.
fn batch_of(name: &str) -> Option<u32> {
    name.rsplit_once("/b")?.1.split_once("-a")?.0.parse().ok()
}

/// The gate that a status holds. What makes no sense counts as open: whoever meets a limit closes it.
pub(super) fn read(written: &CredentialGate, now: Timestamp) -> Gate {
    let time = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Timestamp>().ok());
    let cause = written.cause.clone().unwrap_or_default();
    let farthest = now.saturating_add(jiff::SignedDuration::from_hours(FARTHEST_HOURS));
    let farthest = farthest.unwrap_or(Timestamp::MAX);
    let state = match written.state {
        CredentialGateState::Open => None,
        CredentialGateState::Closed => time(&written.until).map(|until| GateState::Closed {
            until: until.min(farthest),
            cause,
            holder: written.holder.clone().unwrap_or_default(),
        }),
        CredentialGateState::Canary => written.canary.as_ref().and_then(|canary| {
            let seen = canary.since.parse().ok()?;
            Some(GateState::Canary { holder: canary.attempt.clone(), seen, cause })
        }),
        CredentialGateState::Held => time(&written.since).map(|since| GateState::Held { cause, since }),
    };
    Gate {
        state: state.unwrap_or_default(),
        waits: written.waits,
        last_accepted: time(&written.last_accepted),
        waiting_since: time(&written.waiting_since),
        live_cap: written.live_cap,
    }
}

/// What a credential's status says that attempts meet.
pub fn gate_of(credential: &DynamicObject, now: Timestamp) -> Gate {
    let status = credential.data.get("status").cloned();
    let status: MozartCredentialStatus =
        status.and_then(|status| serde_json::from_value(status).ok()).unwrap_or_default();
    let gate = status.gate.as_ref().map(|gate| read(gate, now)).unwrap_or_default();
    Known { gate, suspended: suspended_since(&status), ..Known::default() }.met()
}

/// The last `mozart.dev/resume` that a status says was taken.
pub(super) fn resumed(written: &CredentialGate) -> Option<Timestamp> {
    written.resumed.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        at("2026-01-01T00:00:00Z")
    }

    #[test]
    fn every_gate_is_read_back_as_it_was_written() {
        let cause = "plan limit".to_owned();
        let holder = "0aaa106e-4028-45b3-b750-789be3b4220b/r2/b31-a4".to_owned();
        let states = [
            GateState::Open,
            GateState::Closed {
                until: at("2026-01-01T05:00:00.25Z"),
                cause: cause.clone(),
                holder: holder.clone(),
            },
            GateState::Canary { holder, seen: at("2026-01-01T00:00:07Z"), cause: cause.clone() },
            GateState::Held { cause, since: at("2025-12-31T00:00:00Z") },
        ];
        for state in states {
            let gate = Gate {
                state,
                waits: 3,
                last_accepted: Some(at("2025-12-31T23:00:00Z")),
                waiting_since: Some(at("2025-12-31T23:30:00Z")),
                live_cap: Some(4),
            };
            let known = Known { gate: gate.clone(), ..Known::default() };
            let status = status(&known, 0, Some("night"), 1, &MozartCredentialStatus::default(), now());
            assert_eq!(read(&status.gate.unwrap(), now()), gate);
        }
    }

    #[test]
    fn a_limit_that_is_written_down_is_believed_for_eight_days_at_most() {
        let gate = Gate {
            state: GateState::Closed {
                until: at("2036-01-01T00:00:00Z"),
                cause: String::new(),
                holder: String::new(),
            },
            ..Gate::default()
        };
        let known = Known { gate, ..Known::default() };
        let status = status(&known, 0, None, 1, &MozartCredentialStatus::default(), now());
        let GateState::Closed { until, .. } = read(&status.gate.unwrap(), now()).state else { panic!() };
        assert_eq!(until, at("2026-01-09T00:00:00Z"));
    }

    #[test]
    fn a_canary_is_shown_with_its_job_and_batch_and_keeps_them() {
        let holder = "0aaa106e-4028-45b3-b750-789be3b4220b/r2/b31-a4".to_owned();
        let gate = Gate {
            state: GateState::Canary { holder, seen: now(), cause: String::new() },
            ..Gate::default()
        };
        let known = Known { gate, ..Known::default() };
        let first = status(&known, 1, Some("night"), 1, &MozartCredentialStatus::default(), now());
        let again = status(&known, 1, None, 1, &first, now());
        let canary = again.gate.unwrap().canary.unwrap();
        assert_eq!((canary.job.as_deref(), canary.batch), (Some("night"), Some(31)));
    }
}
