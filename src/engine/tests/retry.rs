use std::time::Duration;

use uuid::Uuid;

use super::{at, failed};
use crate::{
    engine::{
        event::Counted,
        fixtures,
        ledger::OpenBatch,
        retry::{MAX_DISRUPTIONS, Verdict, backoff, fraction, verdict},
    },
    job::{
        identity::SessionId,
        model::{RetryPolicy, SessionPolicy},
        outcome::FailureClass,
    },
};

const NAME: &str = "job/r1/b1-a1";

fn policy() -> RetryPolicy {
    fixtures::policy(1).retry
}

fn before(tries: u32, disruptions: u32) -> OpenBatch {
    OpenBatch {
        ordinal: tries + disruptions + 1,
        tries,
        disruptions,
        until: None,
        cause: FailureClass::Transient,
        reason: String::new(),
        session: None,
        try_micro_usd: 0,
    }
}

fn judge(class: FailureClass, before: &OpenBatch, asked: bool) -> Verdict {
    let outcome = failed(class);
    verdict(&policy(), Some(before), &outcome, outcome.failure.as_ref().unwrap(), NAME, asked, at(0))
}

#[test]
fn every_class_is_followed_by_what_the_table_says() {
    let again = |counted, until: Option<i64>| Verdict::Again { counted, until: until.map(at), session: None };
    for class in FailureClass::ALL {
        let expected = match class {
            FailureClass::Limit | FailureClass::Throttle | FailureClass::Unreachable | FailureClass::Hold => {
                again(Counted::Nothing, None)
            }
            FailureClass::Transient | FailureClass::Validation => again(Counted::Try, Some(20)),
            FailureClass::Disruption => again(Counted::Disruption, None),
            FailureClass::BatchFatal | FailureClass::JobFatal => Verdict::GiveUp { reason: None },
        };
        assert_eq!(judge(class, &before(1, 1), false), expected, "{class:?}");
    }
}

#[test]
fn the_bounds_are_exact() {
    let gives_up = |verdict| matches!(verdict, Verdict::GiveUp { .. });
    for class in [FailureClass::Transient, FailureClass::Validation] {
        assert!(!gives_up(judge(class, &before(2, 0), false)), "the third of three retries goes");
        assert!(gives_up(judge(class, &before(3, 0), false)), "a fourth does not");
    }
    assert!(!gives_up(judge(FailureClass::Disruption, &before(0, MAX_DISRUPTIONS - 1), false)));
    assert_eq!(
        judge(FailureClass::Disruption, &before(0, MAX_DISRUPTIONS), false),
        Verdict::GiveUp { reason: Some("TooManyDisruptions") }
    );
    assert!(
        !gives_up(judge(FailureClass::Disruption, &before(0, MAX_DISRUPTIONS), true)),
        "Mozart asked for it"
    );
}

#[test]
fn delays_grow_to_their_bound() {
    let delays: Vec<_> = (1..=12).map(|tries| backoff(&policy(), tries, NAME).as_secs()).collect();
    assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]);
    assert_eq!(backoff(&policy(), u32::MAX, NAME), Duration::from_hours(1), "no number is too large");
    let flat = RetryPolicy { exponential_base: 0.0, ..policy() };
    assert_eq!(backoff(&flat, 1, NAME), Duration::from_secs(10));
    assert_eq!(backoff(&flat, 2, NAME), Duration::ZERO);
}

#[test]
fn jitter_takes_up_to_half_away_and_is_the_same_for_the_same_attempt() {
    let policy = RetryPolicy { jitter: true, ..policy() };
    let delays: Vec<_> =
        (1..=1000).map(|batch| backoff(&policy, 1, &format!("job/r1/b{batch}-a1")).as_secs_f64()).collect();
    assert!(delays.iter().all(|delay| (5.0..=10.0).contains(delay)));
    let mean = delays.iter().sum::<f64>() / 1000.0;
    assert!((7.2..7.8).contains(&mean), "{mean}: neighbours are spread over the whole range");
    assert_eq!(backoff(&policy, 1, NAME), backoff(&policy, 1, NAME));
    assert!((0.0..=1.0).contains(&fraction("")));
}

#[test]
fn a_session_goes_on_unless_it_is_better_left() {
    let (new, old) = (SessionId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
    let session = |policy: SessionPolicy, left: Option<SessionId>, fresh: bool, tries: u32| {
        let policy = RetryPolicy { session: policy, max_retries: 9, ..self::policy() };
        let before = OpenBatch { session: Some(old), ..before(tries, 0) };
        let mut outcome = failed(FailureClass::Validation);
        outcome.session = left;
        outcome.failure.as_mut().unwrap().fresh_session = fresh;
        match verdict(&policy, Some(&before), &outcome, outcome.failure.as_ref().unwrap(), NAME, false, at(0))
        {
            Verdict::Again { session, .. } => session,
            Verdict::GiveUp { .. } => unreachable!("nine retries are allowed"),
        }
    };
    let resume = SessionPolicy::Resume;
    assert_eq!(session(resume, Some(new), false, 0), Some(new));
    assert_eq!(
        session(resume, None, false, 0),
        Some(old),
        "an attempt that left none had resumed the one before"
    );
    assert_eq!(session(resume, Some(new), true, 0), None, "where the failure asks for a new one");
    assert_eq!(session(resume, Some(new), false, 2), None, "every third retry");
    assert_eq!(session(resume, Some(new), false, 3), Some(new));
    assert_eq!(session(SessionPolicy::Fresh, Some(new), false, 0), None);
}
