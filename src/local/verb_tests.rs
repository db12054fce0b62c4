//! The table of verbs and states.

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::{
    engine::{
        ledger::{RunPhase, RunStart},
        ranges::Ranges,
    },
    job::identity::RunId,
};

const PLAN: &str = "plan";

fn ledger(phase: RunPhase) -> Ledger {
    let run = RunId { job: Uuid::nil(), run: 1 };
    let (plan_hash, selected, done_before) = (PLAN.to_owned(), Ranges::span(1, 5), Ranges::default());
    let start = RunStart { run, plan_hash, of_total: 5, selected, done_before };
    let mut ledger = Ledger::start(start, Timestamp::UNIX_EPOCH);
    ledger.phase = phase;
    ledger
}

fn suspended() -> Ledger {
    let (reason, message) = ("Requested".to_owned(), String::new());
    ledger(RunPhase::Suspended { reason, message, since: Timestamp::UNIX_EPOCH, terminate: false })
}

fn failed() -> Ledger {
    ledger(RunPhase::Failed { reason: "BatchesFailed".to_owned(), message: String::new() })
}

fn run(changed: Changed) -> Verb {
    Verb::Run { select: None, changed }
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn check(last: Option<&Ledger>, verb: &Verb, plan_hash: &str, expected: Result<Decision, Refusal>) {
    let standing = Standing { last, plan_hash, same_cut: true };
    assert_eq!(decide(verb, standing), expected, "{verb:?} with {:?}", last.map(|last| &last.phase));
}

#[expect(clippy::unnecessary_wraps, reason = "stands beside refusals in the tables")]
fn start(select: Select) -> Result<Decision, Refusal> {
    Ok(Decision::Start { select, close_last: false })
}

const GO_ON: Result<Decision, Refusal> = Ok(Decision::GoOn { new_plan: false });

#[test]
fn without_a_run_only_run_begins_one() {
    check(None, &run(Changed::Refuse), PLAN, start(Select::All));
    let some = Select::Batches("2-3".parse().unwrap());
    let verb = Verb::Run { select: Some(some.clone()), changed: Changed::Refuse };
    check(None, &verb, PLAN, start(some));
    check(None, &Verb::Resume, PLAN, Err(Refusal::NoRun));
    check(None, &Verb::Retry(Select::Failed), PLAN, Err(Refusal::NoRun));
}

#[test]
fn a_run_that_nobody_drives_goes_on() {
    for last in [suspended(), ledger(RunPhase::Running), ledger(RunPhase::Pending)] {
        check(Some(&last), &run(Changed::Refuse), PLAN, GO_ON);
        check(Some(&last), &Verb::Resume, PLAN, GO_ON);
        check(Some(&last), &Verb::Retry(Select::Failed), PLAN, Err(Refusal::Suspended));
        let verb = Verb::Run { select: Some(Select::All), changed: Changed::Refuse };
        check(Some(&last), &verb, PLAN, Err(Refusal::Suspended));
        let restart = Ok(Decision::Start { select: Select::All, close_last: true });
        check(Some(&last), &run(Changed::Restart), PLAN, restart);
    }
}

#[test]
fn a_suspended_run_follows_a_changed_file_only_when_told() {
    let last = suspended();
    check(Some(&last), &run(Changed::Refuse), "other", Err(Refusal::Changed));
    check(Some(&last), &Verb::Resume, "other", Err(Refusal::Changed));
    check(Some(&last), &run(Changed::Continue), "other", Ok(Decision::GoOn { new_plan: true }));
    let standing = Standing { last: Some(&last), plan_hash: "other", same_cut: false };
    assert_eq!(decide(&run(Changed::Continue), standing), Err(Refusal::OtherCut));
}

#[test]
fn a_complete_run_is_not_done_again_unless_asked() {
    let last = ledger(RunPhase::Complete);
    check(Some(&last), &run(Changed::Refuse), PLAN, Ok(Decision::AlreadyComplete));
    check(Some(&last), &Verb::Resume, PLAN, Ok(Decision::AlreadyComplete));
    check(Some(&last), &run(Changed::Refuse), "other", Err(Refusal::ChangedSinceEnd));
    let verb = Verb::Run { select: Some(Select::All), changed: Changed::Refuse };
    check(Some(&last), &verb, "other", start(Select::All));
    check(Some(&last), &run(Changed::Restart), PLAN, start(Select::All));
}

#[test]
fn a_failed_run_is_shown_and_what_is_left_is_resumed_as_a_new_run() {
    let last = failed();
    check(Some(&last), &run(Changed::Refuse), PLAN, Ok(Decision::ShowFailed));
    check(Some(&last), &run(Changed::Refuse), "other", Ok(Decision::ShowFailed));
    check(Some(&last), &Verb::Resume, PLAN, start(Select::Unfinished));
    check(Some(&last), &Verb::Retry(Select::Failed), PLAN, start(Select::Failed));
}
