//! What happens next, by chance; and a run's fair end, when the faults have stopped.

use fastrand::Rng;

use super::{
    invariants::Broken,
    universe::{ATTEMPT_COST, Ending, Happening, Look, SaveEnd, Setting, TURN_COST, Universe},
};
use crate::{
    engine::{
        gate::{GateReport, GateState},
        time::between,
    },
    job::{
        identity::AttemptKey,
        outcome::{FailureClass, GateSignal},
    },
};

pub(super) fn setting(rng: &mut Rng) -> Setting {
    Setting {
        batches: rng.u32(1..=40),
        parallelism: rng.u32(1..=5),
        in_process: rng.bool(),
        pause_seconds: if rng.u8(..4) == 0 { 5 } else { 0 },
        fail_job: rng.u8(..5) == 0,
        max_failed_in_a_row: if rng.bool() { 3 } else { 0 },
        budget: rng.u8(..4) == 0,
        deadline_seconds: (rng.u8(..8) == 0).then_some(3600),
        max_wait_seconds: (rng.u8(..4) == 0).then_some(1800),
    }
}

/// The next event. `trouble` is how much of it goes wrong, from 0 to 100.
pub(super) fn happening(rng: &mut Rng, universe: &Universe, trouble: u8) -> Happening {
    let running: Vec<AttemptKey> = universe.running().collect();
    let one = |rng: &mut Rng| rng.choice(&running).copied();
    match rng.u8(..100) {
        0..38 => turn(rng, trouble),
        38..52 => Happening::SaveEnds { how: save_end(rng, trouble) },
        52..76 => match one(rng) {
            Some(key) => Happening::AttemptEnds { key, ending: ending(rng, trouble) },
            None => turn(rng, trouble),
        },
        76..86 => Happening::Clock { milliseconds: rng.i64(1..20_000) },
        86..89 => Happening::Delivered,
        _ if rng.u8(..100) >= trouble => Happening::Clock { milliseconds: rng.i64(1..120_000) },
        89 => Happening::Crash,
        90 => match one(rng) {
            Some(key) => {
                Happening::AttemptVanishes { key, trace: was_never_seen(universe, key) || rng.bool() }
            }
            None => Happening::Crash,
        },
        91 => match one(rng) {
            Some(key) => Happening::AttemptAnswers { key },
            None => Happening::Delivered,
        },
        92 => match one(rng) {
            Some(key) => Happening::AttemptTells { key, signal: signal(rng, universe) },
            None => Happening::Delivered,
        },
        93 => Happening::Gate { report: report(rng, universe) },
        94 => Happening::Wish {
            suspend: rng.bool(),
            terminate: rng.u8(..3) == 0,
            stop: (rng.u8(..20) == 0).then(|| rng.bool()),
        },
        95 => Happening::Wish { suspend: false, terminate: false, stop: None },
        96..98 => Happening::Resume,
        98 => Happening::Parallelism { lanes: rng.u32(1..=5) },
        _ => Happening::Clock { milliseconds: rng.i64(-3_600_000..7_200_000) },
    }
}

/// A launcher tells of what it started and lost, unless the ledger has seen it: then an absence tells the same.
fn was_never_seen(universe: &Universe, key: AttemptKey) -> bool {
    !universe.stored.seen.contains(key.batch) || universe.stored.present_attempt(key.batch) != Some(key)
}

fn turn(rng: &mut Rng, trouble: u8) -> Happening {
    let wrong = rng.u8(..100) < trouble;
    let look = match rng.u8(..10) {
        0 if wrong => Look::Again,
        1 if wrong => Look::Stale,
        _ => Look::Fresh,
    };
    Happening::Turn { look, die_after: (wrong && rng.u8(..8) == 0).then(|| rng.usize(..6)) }
}

fn save_end(rng: &mut Rng, trouble: u8) -> SaveEnd {
    match rng.u8(..10) {
        _ if rng.u8(..100) >= trouble => SaveEnd::Stored,
        0..2 => SaveEnd::Failed,
        2 => SaveEnd::FailedButStored,
        3 => SaveEnd::Conflict,
        _ => SaveEnd::Stored,
    }
}

fn ending(rng: &mut Rng, trouble: u8) -> Ending {
    let fails = rng.u8(..100) < trouble;
    let rare = [FailureClass::JobFatal, FailureClass::Hold, FailureClass::BatchFatal];
    let common = [
        FailureClass::Limit,
        FailureClass::Throttle,
        FailureClass::Unreachable,
        FailureClass::Transient,
        FailureClass::Transient,
        FailureClass::Disruption,
        FailureClass::Validation,
        FailureClass::Validation,
    ];
    let class = fails
        .then(|| if rng.u8(..20) == 0 { *rng.choice(&rare).unwrap() } else { *rng.choice(&common).unwrap() });
    let resets_in_seconds = (class == Some(FailureClass::Limit)).then(|| rng.i64(-100..7200));
    let signal = (rng.u8(..20) == 0).then_some(GateSignal::Overage { resets_at: None });
    Ending { class, cost: rng.u64(0..=ATTEMPT_COST + 2 * TURN_COST), resets_in_seconds, signal }
}

fn signal(rng: &mut Rng, universe: &Universe) -> GateSignal {
    match rng.u8(..4) {
        0 => {
            GateSignal::Throttled { status: None, retry_after_ms: rng.bool().then(|| rng.u64(1_000..60_000)) }
        }
        1 => GateSignal::Utilization { share: rng.f64(), resets_at: Some(universe.now) },
        _ => GateSignal::Accepted,
    }
}

fn report(rng: &mut Rng, universe: &Universe) -> GateReport {
    let (holder, at) = ("another/r1/b1-a1".to_owned(), universe.now);
    match rng.u8(..5) {
        0 => GateReport::Close { until: None, cause: "429".to_owned(), holder, at },
        1 => GateReport::ClaimCanary { holder, at },
        2 => GateReport::CanaryEnded { holder, at },
        3 => GateReport::OpenedByHand { at },
        _ => GateReport::Accepted { holder, at },
    }
}

/// Without further faults the run ends: attempts succeed, saves are stored, people let it go on.
pub(super) fn end_fairly(universe: &mut Universe, record: &mut Vec<Happening>) -> Result<(), Broken> {
    let happen = |universe: &mut Universe, record: &mut Vec<Happening>, happening: Happening| {
        record.push(happening.clone());
        universe.happen(&happening)
    };
    happen(
        universe,
        record,
        Happening::Wish { suspend: false, terminate: false, stop: universe.wishes.stop },
    )?;
    for round in 0..3_000 {
        if universe.ledger().is_suspended() {
            // Suspended for money or a long wait: somebody raises both bounds and says `resume`.
            universe.policy.budget.per_run_micro_usd = None;
            universe.policy.rate_limit.max_wait = None;
            happen(universe, record, Happening::Resume)?;
        }
        if matches!(universe.gate.state, GateState::Held { .. }) {
            let report = GateReport::OpenedByHand { at: universe.now };
            happen(universe, record, Happening::Gate { report })?;
        }
        happen(universe, record, Happening::Turn { look: Look::Fresh, die_after: None })?;
        if universe.is_saving() {
            happen(universe, record, Happening::SaveEnds { how: SaveEnd::Stored })?;
        }
        happen(universe, record, Happening::Delivered)?;
        let running: Vec<AttemptKey> = universe.running().collect();
        for key in running {
            let ending = Ending { class: None, cost: 1, resets_in_seconds: None, signal: None };
            happen(universe, record, Happening::AttemptEnds { key, ending })?;
        }
        let wake_at = universe.last_step.as_ref().and_then(|facts| facts.wake_at);
        let milliseconds = wake_at.map_or(1_000, |at| {
            i64::try_from(between(universe.now, at).as_millis()).unwrap().clamp(1, 3_600_000)
        });
        if round % 2 == 1 {
            happen(universe, record, Happening::Clock { milliseconds })?;
        }
        if universe.stored.is_over() && universe.stored.outbox.is_empty() && universe.attempts.is_empty() {
            return universe.check_end();
        }
    }
    Err(Broken(format!("the run does not end: {:?} gate {:?}", universe.ledger(), universe.gate)))
}
