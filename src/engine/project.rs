//! What is to be done now: a projection of the saved ledger, the present one and the world. Each action may be done
//! twice, or not at all before a crash; the next projection has it again.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    budget::{Grant, Purse},
    draft::{Draft, is_unexpected},
    gate::{CANARY_SIGN, CANARY_UNSEEN, Gate, GateReport, GateState},
    ledger::{Ledger, Notice, RunPhase},
    notice::joined_due,
    plan::{deadline, give_up_at},
    time::{between, earliest, later},
    waiting::Waiting,
    world::{AttemptState, Sessions},
};
use crate::job::{
    identity::{AttemptKey, BatchNum},
    start::{EndMode, Previous, Start},
};

/// Something to do in the world. Doing it twice is doing it once.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start an attempt.
    Launch(Start),
    /// End a running attempt.
    End {
        /// Which.
        key: AttemptKey,
        /// How.
        mode: EndMode,
    },
    /// Forget an attempt whose result is saved, or that the run does not know.
    Release(AttemptKey),
    /// Tell the gate.
    ReportGate(GateReport),
    /// Tell people.
    Deliver(Notice),
}

/// What a projection says.
#[derive(Debug, Default)]
pub(super) struct Projection {
    pub(super) actions: Vec<Action>,
    pub(super) waiting: Option<Waiting>,
    pub(super) wake_at: Option<Timestamp>,
    /// Whether something could be done at once if the ledger were saved.
    pub(super) held_by_save: bool,
}

/// Projects the actions. Nothing is launched, ended, released or announced that `saved` does not allow.
pub(super) fn project(draft: &mut Draft<'_>, saved: &Ledger) -> Projection {
    let mut projection = Projection::default();
    end_and_release(draft, saved, &mut projection);
    start(draft, saved, &mut projection);
    let announced = |notice: &&Notice| saved.outbox.iter().any(|known| known.id == notice.id);
    let deliver = draft.ledger.outbox.iter().filter(announced).cloned().map(Action::Deliver);
    projection.actions.extend(deliver);
    projection.actions.splice(0..0, draft.reports.iter().cloned().map(Action::ReportGate));
    projection.wake_at = earliest(projection.wake_at, wake_at(draft));
    projection
}

fn end_and_release(draft: &Draft<'_>, saved: &Ledger, projection: &mut Projection) {
    let ledger = &draft.ledger;
    let mode = match (&saved.phase, &ledger.phase) {
        (RunPhase::Suspended { terminate: true, .. }, RunPhase::Suspended { terminate: true, .. }) => {
            Some(EndMode::Resumable)
        }
        (RunPhase::Stopping { now: true, .. }, RunPhase::Stopping { now: true, .. }) => Some(EndMode::GiveUp),
        _ => None,
    };
    for sighting in &draft.world.attempts {
        let key = sighting.key;
        let stray = is_unexpected(saved, key) && is_unexpected(ledger, key);
        let over = saved.knows_end_of(key) || stray;
        match sighting.state {
            AttemptState::Running { .. } if over => {
                projection.actions.push(Action::End { key, mode: EndMode::AtOnce });
            }
            AttemptState::Running { .. } => {
                projection.actions.extend(mode.map(|mode| Action::End { key, mode }));
            }
            AttemptState::Ended(_) | AttemptState::Lost if over => {
                projection.actions.push(Action::Release(key));
            }
            AttemptState::Ended(_) | AttemptState::Lost => {}
        }
    }
}

/// An attempt that the ledger wants to run and the world does not show.
struct Candidate {
    key: AttemptKey,
    until: Option<Timestamp>,
}

fn start(draft: &mut Draft<'_>, saved: &Ledger, projection: &mut Projection) {
    let (now, ledger) = (draft.now, &draft.ledger);
    let live = u32::try_from(draft.live().count()).unwrap_or(u32::MAX);
    if ledger.phase != RunPhase::Running {
        projection.waiting = Waiting::of_phase(&ledger.phase, live);
        return;
    }
    let resting =
        ledger.resting.iter().filter(|free| **free > now && between(now, **free) <= draft.policy.pause);
    let next_rested = resting.clone().min().copied();
    let working = draft.working();
    let lanes = draft
        .policy
        .parallelism
        .saturating_sub(working)
        .saturating_sub(u32::try_from(resting.count()).unwrap_or(u32::MAX));
    let candidates = candidates(draft);
    let longest = draft.policy.retry.max_delay;
    // A backoff longer than any can be is a clock that was set back.
    let (due, later_on): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|candidate| {
        candidate.until.is_none_or(|until| until <= now || between(now, until) > longest)
    });
    let next_due = later_on.iter().filter_map(|candidate| candidate.until).min();
    projection.wake_at = earliest(next_due, next_rested);

    let may =
        |key: AttemptKey| saved.phase == RunPhase::Running && saved.present_attempt(key.batch) == Some(key);
    let at_risk = live.saturating_add(ledger.ends_since(saved));
    let free_of_risk = draft.policy.at_risk().saturating_sub(at_risk);
    let sessions = draft.world.sessions;
    let free_sessions = sessions.map_or(u32::MAX, Sessions::free);
    if !draft.gate.is_open() {
        projection.waiting = Waiting::of_gate(&draft.gate, ledger);
        if lanes > 0 && free_sessions > 0 && !due.is_empty() {
            let chosen = due.iter().map(|candidate| candidate.key).find(|key| may(*key));
            projection.held_by_save = chosen.is_none() || free_of_risk == 0;
            if free_of_risk > 0 {
                canary(draft, chosen, &due, may, projection);
            }
        }
        return;
    }
    let lanes_in_gate = draft.gate.live_cap.map_or(u32::MAX, |cap| cap.saturating_sub(working)).min(lanes);
    let to_start = lanes_in_gate.min(free_sessions);
    let mut purse = Purse::look(draft);
    let mut room_in_trial =
        draft.world.wishes.limit.map_or(u32::MAX, |limit| limit.saturating_sub(begun(draft)));
    let mut started = 0;
    for candidate in &due {
        if started >= to_start {
            break;
        }
        if !may(candidate.key) || started >= free_of_risk {
            projection.held_by_save = true;
            continue;
        }
        let fresh = candidate.key.ordinal == 1;
        if fresh && room_in_trial == 0 {
            projection.waiting = Some(Waiting::Trial { limit: draft.world.wishes.limit.unwrap_or(0) });
            continue;
        }
        let Some(grant) = purse.grant(tried(ledger, candidate.key)) else {
            projection.waiting = Some(Waiting::Budget { sentence: purse.to_string() });
            continue;
        };
        room_in_trial -= u32::from(fresh);
        started += 1;
        projection.actions.push(Action::Launch(launch(ledger, candidate.key, grant, false)));
    }
    let crowded = free_sessions < lanes_in_gate && started == free_sessions && due.len() > started as usize;
    if projection.waiting.is_none() && crowded {
        projection.waiting = sessions.map(|Sessions { cap, .. }| Waiting::Sessions { cap });
    } else if projection.waiting.is_none() {
        let idle = Idle { working, started, lanes, lanes_in_gate, next_due, next_rested, due: due.len() };
        projection.waiting = idle.reason(draft, projection.held_by_save);
    }
}

/// Lets one attempt try the gate: the one that the gate names, or first asks the gate for its place.
fn canary(
    draft: &mut Draft<'_>,
    chosen: Option<AttemptKey>,
    due: &[Candidate],
    may: impl Fn(AttemptKey) -> bool,
    projection: &mut Projection,
) {
    let grant = |key| Purse::look(draft).grant(tried(&draft.ledger, key));
    if draft.gate.canary_wanted(draft.now).is_some() {
        if let Some(key) = chosen.filter(|key| grant(*key).is_some()) {
            let holder = draft.ledger.name_of(key);
            draft.report(GateReport::ClaimCanary { holder, at: draft.now });
        }
        return;
    }
    // Both the gate as it was seen, since another process may win what this step claims, and the gate as this step
    // leaves it, since what it has just heard may close it.
    let GateState::Canary { holder, .. } = &draft.world.gate.state else { return };
    if !matches!(&draft.gate.state, GateState::Canary { holder: still, .. } if still == holder) {
        return;
    }
    let Some(key) = draft.ledger.attempt_named(holder) else { return };
    if due.iter().any(|candidate| candidate.key == key)
        && may(key)
        && let Some(grant) = grant(key)
    {
        projection.actions.push(Action::Launch(launch(&draft.ledger, key, grant, true)));
    }
}

/// What could run beside what does: retries first, so that what was begun is finished; then in order of number.
fn candidates(draft: &Draft<'_>) -> Vec<Candidate> {
    let ledger = &draft.ledger;
    let shown: BTreeSet<AttemptKey> = draft.world.attempts.iter().map(|sighting| sighting.key).collect();
    let running: BTreeSet<BatchNum> = draft.live().map(|key| key.batch).collect();
    let absent = |key: &AttemptKey| !shown.contains(key) && !running.contains(&key.batch);
    let retries = ledger.open.iter().map(|(batch, open)| Candidate {
        key: AttemptKey { batch: *batch, ordinal: open.ordinal },
        until: open.until,
    });
    let fresh = ledger
        .claimed
        .iter()
        .filter(|batch| !ledger.open.contains_key(batch))
        .map(|batch| Candidate { key: AttemptKey::first(batch), until: None });
    retries.chain(fresh).filter(|candidate| absent(&candidate.key)).collect()
}

/// How many batches of the run were begun.
fn begun(draft: &Draft<'_>) -> u32 {
    let ledger = &draft.ledger;
    let first = draft.world.attempts.iter().filter(|sighting| {
        sighting.key.ordinal == 1 && ledger.present_attempt(sighting.key.batch) == Some(sighting.key)
    });
    let count = first.count() + ledger.open.len();
    ledger.finished().saturating_add(u32::try_from(count).unwrap_or(u32::MAX))
}

/// What the try that `key` goes on with has cost.
fn tried(ledger: &Ledger, key: AttemptKey) -> u64 {
    ledger.open.get(&key.batch).map_or(0, |open| open.try_micro_usd)
}

fn launch(ledger: &Ledger, key: AttemptKey, grant: Grant, canary: bool) -> Start {
    let open = ledger.open.get(&key.batch);
    Start {
        key,
        attempt: open.map_or(0, |open| open.tries) + 1,
        previous: open.map(|open| Previous {
            class: open.cause,
            reason: open.reason.clone(),
            session: open.session,
        }),
        canary,
        budget_micro_usd: grant.0,
    }
}

/// What is known when lanes stay idle although the gate is open.
struct Idle {
    working: u32,
    started: u32,
    lanes: u32,
    lanes_in_gate: u32,
    next_due: Option<Timestamp>,
    next_rested: Option<Timestamp>,
    due: usize,
}

impl Idle {
    /// Why lanes stay idle; `None` when none does.
    fn reason(&self, draft: &Draft<'_>, held_by_save: bool) -> Option<Waiting> {
        let parallelism = draft.policy.parallelism;
        if self.working + self.started >= parallelism {
            return None;
        }
        if self.started >= self.lanes_in_gate && self.due > self.started as usize {
            return match (self.lanes > self.lanes_in_gate, self.next_rested) {
                (true, _) => draft.gate.live_cap.map(|cap| Waiting::SlowStart { cap }),
                (false, until) => until.map(|until| Waiting::Pause { until }),
            };
        }
        if held_by_save {
            return Some(Waiting::Save);
        }
        let ledger = &draft.ledger;
        let unclaimed = ledger.next_unclaimed().is_some();
        match self.next_due {
            Some(until) if unclaimed && ledger.claimed.len() >= draft.policy.window() => {
                Some(Waiting::Window { unfinished: ledger.claimed.len(), until })
            }
            Some(until) => Some(Waiting::Backoff { until }),
            None => Some(Waiting::LastRunning { running: self.working + self.started }),
        }
    }
}

/// When time alone makes a difference. What has passed already made it.
fn wake_at(draft: &Draft<'_>) -> Option<Timestamp> {
    let running = draft.ledger.phase == RunPhase::Running;
    let of_gate = match &draft.gate.state {
        GateState::Open => [None, None],
        GateState::Closed { until, .. } => [Some(*until), None],
        GateState::Canary { seen, .. } => {
            [Some(later(*seen, CANARY_SIGN)), Some(later(*seen, CANARY_UNSEEN))]
        }
        GateState::Held { since, .. } => {
            [draft.policy.rate_limit.max_wait.map(|max| later(*since, max)), None]
        }
    };
    let of_run = of_gate.into_iter().chain([deadline(draft), give_up_at(draft)]).filter(|_| running);
    of_run.chain([joined_due(&draft.ledger)]).flatten().filter(|at| *at > draft.now).min()
}

/// The cap of a slow start, where it is below the parallelism.
pub(super) fn effective_parallelism(gate: &Gate, parallelism: u32) -> u32 {
    gate.live_cap.unwrap_or(parallelism).min(parallelism)
}
