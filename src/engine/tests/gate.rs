use jiff::Timestamp;

use super::at;
use crate::engine::gate::{Gate, GateReport, GateState};

const US: &str = "job/r1/b1-a1";
const OTHER: &str = "job/r1/b2-a1";

fn close(holder: &str, until: Option<i64>, now: i64) -> GateReport {
    GateReport::Close {
        until: until.map(at),
        cause: "429".to_owned(),
        holder: holder.to_owned(),
        at: at(now),
    }
}

fn accepted(holder: &str, now: i64) -> GateReport {
    GateReport::Accepted { holder: holder.to_owned(), at: at(now) }
}

fn claim(holder: &str, now: i64) -> GateReport {
    GateReport::ClaimCanary { holder: holder.to_owned(), at: at(now) }
}

fn gate(reports: &[GateReport]) -> Gate {
    reports.iter().fold(Gate::default(), |gate, report| gate.after(report))
}

fn closed_until(gate: &Gate) -> Option<Timestamp> {
    match gate.state {
        GateState::Closed { until, .. } => Some(until),
        _ => None,
    }
}

fn canary(gate: &Gate) -> Option<&str> {
    match &gate.state {
        GateState::Canary { holder, .. } => Some(holder),
        _ => None,
    }
}

#[test]
fn a_throttle_that_names_no_time_doubles_from_half_a_minute_to_ten() {
    let (mut gate, mut now, mut delays) = (Gate::default(), 0, Vec::new());
    for _ in 0..7 {
        gate = gate.after(&claim(US, now)).after(&close(US, None, now));
        let until = closed_until(&gate).unwrap();
        delays.push(until.duration_since(at(now)).as_secs());
        now += delays.last().unwrap();
    }
    assert_eq!(delays, [30, 60, 120, 240, 480, 600, 600]);
    assert_eq!(gate.waits, 7);
    let open = gate.after(&claim(US, now)).after(&accepted(US, now));
    assert_eq!((open.waits, open.waiting_since), (0, None), "one accepted request sets it back");
}

#[test]
fn a_limit_is_believed_for_eight_days_at_most_and_not_when_it_has_passed() {
    let day = 86_400;
    assert_eq!(closed_until(&gate(&[close(US, Some(5 * day), 0)])), Some(at(5 * day)));
    assert_eq!(closed_until(&gate(&[close(US, Some(99 * day), 0)])), Some(at(8 * day)));
    assert_eq!(
        closed_until(&gate(&[close(US, Some(-5), 0)])),
        Some(at(30)),
        "a reset that has passed is a throttle"
    );
}

#[test]
fn what_was_in_flight_when_the_gate_closed_is_the_same_wait() {
    let gate = gate(&[close(US, Some(100), 0), close(OTHER, Some(300), 1), close(US, Some(100), 2)]);
    assert_eq!(gate.waits, 1);
    assert_eq!(closed_until(&gate), Some(at(300)), "the later end counts");
}

#[test]
fn time_alone_opens_nothing_and_one_canary_goes_first() {
    let shut = gate(&[close(US, Some(100), 0)]);
    assert_eq!(canary(&shut.after(&claim(US, 99))), None, "not before the time");
    let tried = shut.after(&claim(US, 100));
    assert_eq!(canary(&tried), Some(US));
    assert_eq!(canary(&tried.after(&claim(OTHER, 101))), Some(US), "there is one");
    assert!(!tried.after(&accepted(OTHER, 102)).is_open(), "another's request was accepted before, perhaps");
    let open = tried.after(&accepted(US, 102));
    assert!(open.is_open());
    assert_eq!(open.live_cap, Some(2));
}

#[test]
fn a_canary_that_is_not_seen_for_a_minute_is_replaced() {
    let tried = gate(&[close(US, Some(100), 0), claim(US, 100)]);
    assert_eq!(canary(&tried.after(&claim(OTHER, 159))), Some(US));
    assert_eq!(canary(&tried.after(&claim(OTHER, 160))), Some(OTHER));
    let seen = tried.after(&GateReport::CanarySeen { holder: US.to_owned(), at: at(150) });
    assert_eq!(canary(&seen.after(&claim(OTHER, 160))), Some(US), "one that runs keeps its place");
    assert_eq!(
        canary(&tried.after(&claim(OTHER, -3600))),
        Some(OTHER),
        "a clock that was set back holds nobody"
    );
}

#[test]
fn a_canary_that_ends_without_a_word_makes_room_and_one_that_is_limited_closes_again() {
    let tried = gate(&[close(US, Some(100), 0), claim(US, 100)]);
    let ended = tried.after(&GateReport::CanaryEnded { holder: US.to_owned(), at: at(101) });
    assert_eq!(canary(&ended.after(&claim(OTHER, 101))), Some(OTHER));
    let again = tried.after(&close(US, Some(500), 101));
    assert_eq!((closed_until(&again), again.waits), (Some(at(500)), 2));
    assert_eq!(
        canary(&tried.after(&close(OTHER, None, 101))),
        Some(US),
        "a stray throttle is not the canary's"
    );
    assert_eq!(
        closed_until(&tried.after(&close(OTHER, Some(900), 101))),
        Some(at(900)),
        "a limit with a time is"
    );
}

#[test]
fn an_attempt_that_the_tool_itself_lets_wait_opens_the_gate_that_it_closed() {
    let shut = gate(&[close(US, None, 0)]);
    assert!(!shut.after(&accepted(OTHER, 5)).is_open());
    assert!(shut.after(&accepted(US, 5)).is_open());
}

#[test]
fn after_a_limit_the_start_is_slow() {
    let mut gate = gate(&[close(US, Some(100), 0), claim(US, 100), accepted(US, 101)]);
    let mut caps = vec![gate.live_cap];
    while gate.live_cap.is_some() {
        gate = gate.after(&accepted(OTHER, 102));
        caps.push(gate.live_cap);
    }
    let expected = [2, 4, 8, 16, 32, 64, 128, 256, 512].map(Some);
    assert_eq!(caps[..9], expected);
    assert_eq!(caps.len(), 10);
}

#[test]
fn only_a_person_opens_a_held_gate_and_then_a_canary_goes_first() {
    let held = gate(&[GateReport::Hold { cause: "credit balance".to_owned(), at: at(0) }]);
    for report in [close(US, Some(9), 1), accepted(US, 2), claim(US, 3)] {
        assert!(matches!(held.after(&report).state, GateState::Held { .. }), "{report:?}");
    }
    let opened = held.after(&GateReport::OpenedByHand { at: at(50) });
    assert_eq!(closed_until(&opened), Some(at(50)));
    assert_eq!(canary(&opened.after(&claim(US, 50))), Some(US));
}

#[test]
fn an_accepted_request_is_told_when_it_changes_something_or_once_a_minute() {
    let quiet = gate(&[accepted(US, 0)]);
    assert!(!quiet.wants_accepted(US, at(59)));
    assert!(quiet.wants_accepted(US, at(60)));
    let tried = gate(&[accepted(US, 99), close(US, Some(100), 99), claim(US, 100)]);
    assert!(tried.wants_accepted(US, at(100)));
    assert!(!tried.wants_accepted(OTHER, at(100)));
}
