//! From a judgement and the findings of the validations to the outcome.

use jiff::Timestamp;

use crate::{
    backend::Judgement,
    job::{
        finding::Finding,
        outcome::{Failure, FailureClass, Outcome},
    },
};

/// The most warnings of an outcome, and the longest, in bytes.
const MAX_WARNINGS: usize = 8;
const MAX_WARNING_BYTES: usize = 200;

/// What an attempt came to that began then. The findings are empty when the backend's own judgement was a failure.
pub fn conclude(
    began: Timestamp,
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
        failure: failure.or_else(|| not_valid(findings).map(|failure| if_not_valid.unwrap_or(failure))),

        accepted,
        usage,
        session,
        signal,
        warnings,
        provenance,
        exit_code,
        started: began,
        ended: Timestamp::now(),
    }
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
