//! From a judgement and the findings of the validations to the outcome.

use jiff::Timestamp;

use super::{Attempt, checks::Finding};
use crate::{
    backend::Judgement,
    job::{
        outcome::{Failure, FailureClass, Outcome, TOO_MANY_SESSIONS},
        start::Previous,
    },
};

/// The most warnings of an outcome, and the longest, in bytes.
const MAX_WARNINGS: usize = 8;
const MAX_WARNING_BYTES: usize = 200;

/// What the attempt came to. The findings are empty when the backend's own judgement was a failure.
pub fn conclude(
    attempt: &Attempt,
    judgement: Judgement,
    findings: &[Finding],
    exit_code: Option<i32>,
) -> Outcome {
    let Judgement {
        failure,
        accepted,
        usage,
        session,
        signal,
        mut warnings,
        if_not_valid,
        provenance,
        answer: _,
    } = judgement;
    warnings.truncate(MAX_WARNINGS);
    for warning in &mut warnings {
        warning.truncate(warning.floor_char_boundary(MAX_WARNING_BYTES));
    }
    Outcome {
        failure: failure
            .or_else(|| not_valid(findings).map(|failure| if_not_valid.unwrap_or(failure)))
            .map(|failure| hardened(failure, attempt.record.start.previous.as_ref())),
        accepted,
        usage,
        session,
        signal,
        warnings,
        provenance,
        exit_code,
        started: attempt.record.began,
        ended: Timestamp::now(),
    }
}

/// A failure that is no longer hoped to pass, since the attempts before ended for the same reason.
fn hardened(mut failure: Failure, previous: Option<&Previous>) -> Failure {
    let again = |previous: &Previous| previous.reason == failure.reason && previous.in_a_row >= 2;
    if failure.reason == TOO_MANY_SESSIONS && previous.is_some_and(again) {
        failure.class = FailureClass::JobFatal;
        failure.message =
            format!("{}; three times in a row: see whether the account may use it", failure.message);
    }
    failure
}

fn not_valid(findings: &[Finding]) -> Option<Failure> {
    let failed: Vec<String> =
        findings.iter().filter(|finding| !finding.passed).map(Finding::sentence).collect();
    if failed.is_empty() {
        return None;
    }
    let count = if findings.len() == 1 {
        String::new()
    } else {
        format!("{} of {} validations failed: ", failed.len(), findings.len())
    };
    let text = format!("{count}{}", failed.join("; "));
    Some(Failure::new(FailureClass::Validation, "ValidationFailed", text))
}

/// The failure of an attempt that was ended while its validations were looked at.
pub fn interrupted_while_checked() -> Failure {
    Failure::new(
        FailureClass::Disruption,
        "Interrupted",
        "Mozart ended a validation's command; the batch is checked again later",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_hoped_to_pass_is_hardened_when_it_comes_again() {
        use FailureClass::{JobFatal, Throttle};
        let cases = [
            (Throttle, "TooManySessions", Some(("Throttled", 3)), Throttle),
            (Throttle, "TooManySessions", None, Throttle),
            (Throttle, "TooManySessions", Some(("TooManySessions", 1)), Throttle),
            (Throttle, "TooManySessions", Some(("TooManySessions", 2)), JobFatal),
            (Throttle, "Throttled", Some(("Throttled", 99)), Throttle),
        ];
        for (class, reason, before, expected) in cases {
            let previous = before.map(|(reason, in_a_row)| Previous {
                class,
                reason: reason.to_owned(),
                in_a_row,
                session: None,
                try_micro_usd: 0,
            });
            let found = hardened(Failure::new(class, reason, "as it was"), previous.as_ref());
            assert_eq!(found.class, expected, "{reason} after {before:?}");
        }
    }
}
