use super::*;
use crate::job::{identity::SessionId, outcome::FailureClass};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn outcome() -> Outcome {
    Outcome {
        failure: None,
        accepted: true,
        usage: Usage { input_tokens: 5, cost_micro_usd: 1_250_000, ..Usage::default() },
        session: Some(SessionId::random()),
        signal: Some(GateSignal::Utilization { share: 0.5, resets_at: Some(at(3600)) }),
        warnings: vec!["a denied permission".to_owned()],
        exit_code: Some(0),
        provenance: Some(Provenance { model: Some("claude-opus-5-5".to_owned()), ..Provenance::default() }),
        started: at(1),
        ended: at(9),
    }
}

#[test]
fn an_outcome_is_read_as_it_was_written() {
    let outcome = outcome();
    assert_eq!(read(&write(&outcome), (at(0), at(10))).unwrap(), outcome);
}

#[test]
fn an_outcome_fits_whatever_it_says() {
    for character in ["a", "\u{1}", "\"", "é", "\u{1f600}"] {
        let mut outcome = outcome();
        outcome.warnings = vec![character.repeat(200 / character.len()); 8];
        outcome.failure =
            Some(Failure::new(FailureClass::Validation, "ValidationFailed", character.repeat(2000)));
        let text = write(&outcome);
        assert!(text.len() <= MAX_BYTES);
        let read = read(&text, (at(0), at(10))).unwrap().failure.unwrap();
        assert_eq!(read.reason, "ValidationFailed");
        assert!(!read.message.is_empty(), "{character:?}");
    }
}

#[test]
fn what_is_no_outcome_is_refused() {
    let good = write(&outcome());
    let reason = |word: &str| {
        let mut outcome = outcome();
        outcome.failure = Some(Failure::new(FailureClass::Hold, word, "m"));
        write(&outcome)
    };
    for text in [
        "",
        " \n",
        "{}",
        "[1]",
        "ok",
        &good[1..],
        &reason(""),
        &reason("not a word"),
        &reason(&"W".repeat(65)),
    ] {
        assert!(read(text, (at(0), at(10))).is_err(), "{text}");
    }
    assert!(matches!(read(&" x".repeat(1025), (at(0), at(10))), Err(MessageError::TooLong(_))));
}

#[test]
fn numbers_and_times_are_believed_within_bounds() {
    let mut lie = outcome();
    lie.usage = Usage { output_tokens: u64::MAX, cost_micro_usd: u64::MAX - 1, ..Usage::default() };
    lie.started = at(-1_000_000);
    lie.ended = at(1_000_000);
    lie.exit_code = Some(-7);
    lie.warnings = vec!["a\u{1b}[31mred\nline".to_owned(); 9];
    let mut failure = Failure::new(FailureClass::Limit, "LimitReached", "m");
    failure.resets_at = Some(Timestamp::MAX);
    failure.retry_after_ms = Some(u64::MAX);
    lie.failure = Some(failure);
    lie.signal = Some(GateSignal::Overage { resets_at: Some(Timestamp::MAX) });
    let read = read(&write(&lie), (at(0), at(10))).unwrap();
    assert_eq!((read.usage.output_tokens, read.usage.cost_micro_usd), (MAX_COUNT, MAX_COUNT));
    assert_eq!((read.started, read.ended, read.exit_code), (at(0), at(10), None));
    assert!(read.warnings.iter().all(|text| text == "a [31mred line"), "{:?}", read.warnings);
    assert_eq!(read.signal, Some(GateSignal::Overage { resets_at: Some(at(10 + 8 * 86_400)) }));
    let failure = read.failure.unwrap();
    assert_eq!(failure.resets_at, Some(at(10 + 8 * 86_400)));
    assert_eq!(failure.retry_after_ms, Some(8 * 86_400_000));
}
