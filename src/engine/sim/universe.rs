//! The simulated world, the process in it, and what an event does to both.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::invariants::Broken;
use crate::{
    engine::{
        apply::apply,
        event::{Event, EventKind},
        fixtures,
        gate::{Gate, GateReport},
        ledger::{Ledger, RunPhase},
        policy::{Durability, Policy},
        project::Action,
        step::{Save, Step, step},
        world::{AttemptState, Reached, SettledNotice, Sighting, Wishes, World},
    },
    job::{
        identity::{AttemptKey, SessionId},
        model::{Budget, Occasion, OnExhausted},
        outcome::{Failure, FailureClass, GateSignal, Outcome, Usage},
        start::EndMode,
    },
};

/// What a simulation begins with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Setting {
    pub(super) batches: u32,
    pub(super) parallelism: u32,
    pub(super) in_process: bool,
    pub(super) pause_seconds: u64,
    pub(super) fail_job: bool,
    pub(super) max_failed_in_a_row: u32,
    pub(super) budget: bool,
    pub(super) deadline_seconds: Option<u64>,
    pub(super) max_wait_seconds: Option<u64>,
}

/// What one attempt may cost at most, in millionths of a dollar.
pub(super) const ATTEMPT_COST: u64 = 1_000_000;
/// What a turn costs: an attempt may pass what it may spend by it.
pub(super) const TURN_COST: u64 = 70_000;

impl Setting {
    pub(super) fn policy(&self) -> Policy {
        let mut policy = fixtures::policy(self.parallelism);
        policy.pause = Duration::from_secs(self.pause_seconds);
        policy.retry.base_delay = Duration::from_secs(2);
        policy.retry.max_failed_in_a_row = self.max_failed_in_a_row;
        policy.retry.jitter = true;
        if self.fail_job {
            policy.retry.on_exhausted = OnExhausted::FailJob;
        }
        if self.budget {
            policy.budget = Budget {
                per_attempt_micro_usd: self.batches.is_multiple_of(2).then_some(ATTEMPT_COST),
                per_run_micro_usd: Some(u64::from(self.batches) * ATTEMPT_COST / 2 + ATTEMPT_COST),
                ..Budget::default()
            };
        }
        policy.active_deadline = self.deadline_seconds.map(Duration::from_secs);
        policy.rate_limit.max_wait = self.max_wait_seconds.map(Duration::from_secs);
        if self.in_process {
            policy.durability = Durability::InProcess;
        }
        policy.occasions = BTreeSet::from([
            Occasion::JobStart,
            Occasion::BatchStart,
            Occasion::BatchComplete,
            Occasion::BatchFailed,
            Occasion::JobComplete,
            Occasion::JobFailed,
            Occasion::JobPaused,
            Occasion::RateLimited,
        ]);
        policy
    }
}

/// Something that happens. What does not fit the moment does nothing, so that every recording can be played.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Happening {
    /// The clock goes on, or is set back.
    Clock { milliseconds: i64 },
    /// The process looks, steps and acts; it may die after so many actions.
    Turn { look: Look, die_after: Option<usize> },
    /// The save under way ends.
    SaveEnds { how: SaveEnd },
    /// The process dies between two turns; another takes over.
    Crash,
    /// An attempt ends by itself.
    AttemptEnds { key: AttemptKey, ending: Ending },
    /// An attempt is gone without a result; with a trace the launcher knows, without one it is just absent.
    AttemptVanishes { key: AttemptKey, trace: bool },
    /// An attempt of this process has its answer, which is not kept yet.
    AttemptAnswers { key: AttemptKey },
    /// An attempt tells something of its credential.
    AttemptTells { key: AttemptKey, signal: GateSignal },
    /// Another process tells the gate something.
    Gate { report: GateReport },
    /// People want something else.
    Wish { suspend: bool, terminate: bool, stop: Option<bool> },
    /// Somebody says `resume`.
    Resume,
    /// The job's parallelism is changed.
    Parallelism { lanes: u32 },
    /// Notices that were handed over are delivered.
    Delivered,
}

/// What a turn looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Look {
    /// The world as it is.
    Fresh,
    /// What the last turn looked at, if it launched nothing.
    Again,
    /// What was seen before the last save.
    Stale,
}

/// How a save ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SaveEnd {
    Stored,
    Failed,
    /// It says it failed, and is stored.
    FailedButStored,
    /// Somebody else saved in between.
    Conflict,
}

/// How an attempt ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ending {
    pub(super) class: Option<FailureClass>,
    pub(super) cost: u64,
    pub(super) resets_in_seconds: Option<i64>,
    pub(super) signal: Option<GateSignal>,
}

#[derive(Clone, Debug)]
pub(super) enum Living {
    Runs { reached: Reached, signals: Vec<GateSignal>, budget: Option<u64> },
    Ended(Box<Outcome>),
    Lost,
}

/// The world, and the one process in it.
pub(super) struct Universe {
    pub(super) policy: Policy,
    pub(super) now: Timestamp,
    // What outlives the process.
    pub(super) stored: Ledger,
    pub(super) journal: Vec<Event>,
    pub(super) attempts: BTreeMap<AttemptKey, Living>,
    pub(super) gate: Gate,
    pub(super) wishes: Wishes,
    in_delivery: BTreeSet<u64>,
    // What the process has in memory.
    saved: Ledger,
    ledger: Ledger,
    unsaved: Vec<Event>,
    saving: Option<(Ledger, Vec<Event>)>,
    last_look: Option<World>,
    before_save: Option<World>,
    stale_look: Option<World>,
    pub(super) last_step: Option<StepFacts>,
    // What the invariants count.
    pub(super) beginning: Ledger,
    pub(super) starts: u32,
    pub(super) crashes: u32,
    pub(super) vanished: u32,
    pub(super) delivered: BTreeSet<u64>,
    pub(super) widest: u32,
}

/// What is kept of a step for the invariants.
#[derive(Clone, Debug)]
pub(super) struct StepFacts {
    pub(super) launches: usize,
    /// The gate as it was seen, with what the step itself told it; a claim counts only once the gate was seen to take it.
    pub(super) gate: Gate,
    /// Whether nothing runs, nothing is done and nothing is being saved, although the run is to go on.
    pub(super) idle: bool,
    pub(super) waiting: bool,
    pub(super) wake_at: Option<Timestamp>,
}

impl Universe {
    pub(super) fn new(setting: &Setting) -> Self {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let beginning = fixtures::ledger(setting.batches, now);
        Self {
            policy: setting.policy(),
            now,
            stored: beginning.clone(),
            journal: Vec::new(),
            attempts: BTreeMap::new(),
            gate: Gate::default(),
            wishes: Wishes::default(),
            in_delivery: BTreeSet::new(),
            saved: beginning.clone(),
            ledger: beginning.clone(),
            unsaved: Vec::new(),
            saving: None,
            last_look: None,
            before_save: None,
            stale_look: None,
            last_step: None,
            beginning,
            starts: 0,
            crashes: 0,
            vanished: 0,
            delivered: BTreeSet::new(),
            widest: setting.parallelism,
        }
    }

    pub(super) fn running(&self) -> impl Iterator<Item = AttemptKey> + '_ {
        self.attempts.iter().filter(|(_, living)| matches!(living, Living::Runs { .. })).map(|(key, _)| *key)
    }

    /// How many need their lane.
    pub(super) fn working(&self) -> usize {
        let works = |living: &&Living| matches!(living, Living::Runs { reached, .. } if *reached != Reached::Answered);
        self.attempts.values().filter(works).count()
    }

    pub(super) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// The ledger as the process has it.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Lets something happen.
    pub(super) fn happen(&mut self, happening: &Happening) -> Result<(), Broken> {
        match happening {
            Happening::Clock { milliseconds } => self.now += SignedDuration::from_millis(*milliseconds),
            Happening::Turn { look, die_after } => self.turn(*look, *die_after)?,
            Happening::SaveEnds { how } => self.end_save(*how),
            Happening::Crash => self.crash(),
            Happening::AttemptEnds { key, ending } => {
                let bound = match self.attempts.get(key) {
                    Some(Living::Runs { budget, .. }) => {
                        budget.map_or(u64::MAX, |budget| budget + 2 * TURN_COST)
                    }
                    _ => 0,
                };
                let outcome = self.outcome(ending, bound);
                if let Some(living @ Living::Runs { .. }) = self.attempts.get_mut(key) {
                    *living = Living::Ended(Box::new(outcome));
                }
            }
            Happening::AttemptVanishes { key, trace } => {
                if let Some(living @ Living::Runs { .. }) = self.attempts.get_mut(key) {
                    *living = Living::Lost;
                    self.vanished += 1;
                    // Without a trace it must have been seen, or it never began as far as anybody can tell.
                    if !trace {
                        self.attempts.remove(key);
                    }
                }
            }
            Happening::AttemptAnswers { key } => {
                let in_process = self.policy.durability == Durability::InProcess;
                if let Some(Living::Runs { reached, .. }) = self.attempts.get_mut(key)
                    && in_process
                {
                    *reached = Reached::Answered;
                }
            }
            Happening::AttemptTells { key, signal } => {
                if let Some(Living::Runs { signals, .. }) = self.attempts.get_mut(key) {
                    signals.push(signal.clone());
                }
            }
            Happening::Gate { report } => self.gate = self.gate.after(report),
            Happening::Wish { suspend, terminate, stop } => {
                self.wishes = Wishes { suspend: *suspend, terminate: *terminate, stop: *stop, limit: None };
            }
            Happening::Resume => self.resume(),
            Happening::Parallelism { lanes } => {
                self.policy.parallelism = *lanes;
                self.widest = self.widest.max(*lanes);
            }
            Happening::Delivered => self.delivered.append(&mut self.in_delivery.clone()),
        }
        self.check()
    }

    fn resume(&mut self) {
        if self.ledger.is_suspended() {
            let event = Event { at: self.now, kind: EventKind::Resumed };
            apply(&mut self.ledger, &event).unwrap();
            self.unsaved.push(event);
        }
    }

    fn look(&mut self) -> World {
        let attempts = self
            .attempts
            .iter_mut()
            .map(|(key, living)| {
                let state = match living {
                    Living::Runs { reached, signals, budget } => AttemptState::Running {
                        reached: *reached,
                        signals: std::mem::take(signals),
                        spent: Usage { dearest_turn_micro_usd: TURN_COST, ..Usage::default() },
                        budget_micro_usd: *budget,
                    },
                    Living::Ended(outcome) => AttemptState::Ended(outcome.clone()),
                    Living::Lost => AttemptState::Lost,
                };
                Sighting { key: *key, state }
            })
            .collect();
        let settled = self
            .delivered
            .iter()
            .filter(|id| self.in_delivery.remove(id))
            .map(|id| SettledNotice { id: *id, dropped: false })
            .collect();
        let (gate, wishes) = (self.gate.clone(), self.wishes.clone());
        World { seq: self.saved.seq, attempts, gate, sessions: None, wishes, settled }
    }

    fn turn(&mut self, look: Look, die_after: Option<usize>) -> Result<(), Broken> {
        let world = match look {
            Look::Fresh => self.look(),
            Look::Again => self.last_look.clone().unwrap_or_else(|| self.look()),
            Look::Stale => self.stale_look.clone().unwrap_or_else(|| self.look()),
        };
        let stale = world.seq < self.saved.seq;
        let before = self.ledger.clone();
        let Step { events, ledger, actions, wake_at, waiting, save } =
            step(&self.policy, &self.saved, self.ledger.clone(), &world, self.now)
                .map_err(|error| Broken(format!("the step failed: {error:?}")))?;
        if stale && (ledger != before || !actions.is_empty()) {
            return Err(Broken("a stale look was decided on".to_owned()));
        }
        let launches = actions.iter().filter(|action| matches!(action, Action::Launch(_))).count();
        let told = actions.iter().filter_map(|action| match action {
            Action::ReportGate(GateReport::ClaimCanary { .. }) => None,
            Action::ReportGate(report) => Some(report),
            _ => None,
        });
        let gate = told.fold(world.gate.clone(), |gate, report| gate.after(report));
        let quiet = actions.iter().all(|action| matches!(action, Action::Deliver(_)));
        let goes_on = ledger.phase == RunPhase::Running && world.attempts.is_empty();
        let idle = goes_on && quiet && save == Save::None && self.saving.is_none() && !stale;
        self.ledger = ledger;
        self.unsaved.extend(events);
        if save != Save::None && self.saving.is_none() {
            let mut snapshot = self.ledger.clone();
            snapshot.seq = self.saved.seq + 1;
            self.saving = Some((snapshot, std::mem::take(&mut self.unsaved)));
        }
        if !stale {
            // A launcher shows what it has launched: what was seen before is not seen again after it.
            self.last_look = (launches == 0).then(|| world.clone());
            self.before_save = Some(world);
        }
        let facts = StepFacts { launches, gate, idle, waiting: waiting.is_some(), wake_at };
        self.last_step = Some(facts);
        let all = actions.len();
        for action in actions.into_iter().take(die_after.unwrap_or(all)) {
            self.act(action)?;
        }
        if die_after.is_some_and(|after| after < all) {
            self.crash();
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), Broken> {
        match action {
            Action::Launch(start) => {
                if !self.attempts.contains_key(&start.key) {
                    self.may_launch(&start)?;
                    self.starts += 1;
                    self.attempts.insert(
                        start.key,
                        Living::Runs {
                            reached: Reached::Begun,
                            signals: Vec::new(),
                            budget: start.budget_micro_usd,
                        },
                    );
                }
            }
            Action::End { key, mode } => {
                self.may_end(key)?;
                let interrupted = Ending {
                    class: Some(FailureClass::Disruption),
                    cost: u64::from(mode != EndMode::Resumable) * ATTEMPT_COST / 2,
                    resets_in_seconds: None,
                    signal: None,
                };
                self.happen(&Happening::AttemptEnds { key, ending: interrupted })?;
            }
            Action::Release(key) => {
                self.may_release(key)?;
                self.attempts.remove(&key);
            }
            Action::ReportGate(report) => self.gate = self.gate.after(&report),
            Action::Deliver(notice) => {
                self.may_announce(notice.id)?;
                self.in_delivery.insert(notice.id);
            }
        }
        Ok(())
    }

    fn end_save(&mut self, how: SaveEnd) {
        let Some((snapshot, events)) = self.saving.take() else { return };
        match how {
            SaveEnd::Stored => {
                self.store(&snapshot, events);
                self.stale_look = self.before_save.take();
                self.ledger.seq = snapshot.seq;
                self.saved = snapshot;
            }
            SaveEnd::Failed => self.saving = Some((snapshot, events)),
            SaveEnd::FailedButStored => {
                // The retry meets a conflict with its own save, and takes it for done.
                self.store(&snapshot, events);
                self.ledger.seq = snapshot.seq;
                self.saved = snapshot;
            }
            SaveEnd::Conflict => {
                self.stored.seq += 1;
                self.crash();
            }
        }
    }

    fn store(&mut self, snapshot: &Ledger, events: Vec<Event>) {
        // What is stored is text: what does not survive that is lost here.
        let text = serde_json::to_string(snapshot).unwrap();
        self.stored = serde_json::from_str(&text).unwrap();
        self.journal.extend(events);
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.saving = None;
        self.unsaved.clear();
        self.saved = self.stored.clone();
        self.ledger = self.stored.clone();
        self.last_look = None;
        self.before_save = None;
        self.stale_look = None;
        self.last_step = None;
        self.in_delivery.clear();
        if self.policy.durability == Durability::InProcess {
            self.attempts.clear();
        }
    }

    /// How an attempt ends that can have cost no more than `bound`.
    fn outcome(&self, ending: &Ending, bound: u64) -> Outcome {
        let failure = ending.class.map(|class| Failure {
            class,
            reason: class.word().to_owned(),
            message: format!("It was {}.", class.word()),
            resets_at: ending.resets_in_seconds.map(|after| self.now + SignedDuration::from_secs(after)),
            retry_after_ms: None,
            fresh_session: class == FailureClass::BatchFatal,
        });
        Outcome {
            accepted: failure.is_none(),
            failure,
            usage: Usage {
                cost_micro_usd: ending.cost.min(bound),
                dearest_turn_micro_usd: TURN_COST,
                ..Usage::default()
            },
            session: Some(SessionId(uuid::Uuid::from_u128(3))),
            signal: ending.signal.clone(),
            warnings: Vec::new(),
            provenance: None,
            exit_code: None,
            started: self.now,
            ended: self.now,
        }
    }
}
