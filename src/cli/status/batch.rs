//! `mozart status --batch N`: one batch, its attempts, and what their validations found.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::{
    cli::{
        choices::ObjectForm,
        error::Advised,
        exit::Exit,
        findings, format,
        printer::Printer,
        progress::used,
        reading::{Found, Reading},
        terminal::{Look, Tone},
    },
    job::{finding::Finding, identity::BatchNum},
    store::record::{AttemptRecord, AttemptState, BatchRecord},
};

/// What is known of a batch.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    run: String,
    #[serde(flatten)]
    batch: BatchRecord,
    tries: Vec<Try>,
}

/// An attempt, and what its validations found, if they were looked at.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Try {
    #[serde(flatten)]
    attempt: AttemptRecord,
    findings: Vec<Finding>,
}

/// Shows the batch; where it failed, why, and what to type next.
pub fn show(
    reading: &Reading,
    found: &Found,
    number: BatchNum,
    form: ObjectForm,
    printer: &Printer,
) -> anyhow::Result<Exit> {
    let id = &found.run.id;
    let batch = reading.batches(found)?.into_iter().find(|batch| batch.batch == number).ok_or_else(|| {
        let hint = format!("mozart history {id} --batches lists those that were");
        Advised::new(format!("batch {number} of {id} was not started"), hint)
    })?;
    let attempts = reading.attempts(found, number)?;
    let of = |attempt: AttemptRecord| Try { findings: reading.findings(found, attempt.key()), attempt };
    let status = Status { run: id.clone(), batch, tries: attempts.into_iter().map(of).collect() };
    match form {
        ObjectForm::Json => return printer.json(&status).map(|()| Exit::Done),
        ObjectForm::Yaml => return printer.yaml(&status).map(|()| Exit::Done),
        ObjectForm::Name => return printer.line(format!("{id} {number}")).map(|()| Exit::Done),
        ObjectForm::Text | ObjectForm::Wide => {}
    }
    printer.line(text(&status, &printer.out, Timestamp::now(), &TimeZone::system()).join("\n"))?;
    printer.hint(format!("mozart logs {id} -b {number}    what it wrote; --prompt what it was asked"));
    Ok(Exit::Done)
}

fn text(status: &Status, look: &Look, now: Timestamp, zone: &TimeZone) -> Vec<String> {
    let Status { run, batch, tries } = status;
    let mut heading = vec![batch.state.word().to_owned()];
    heading.extend(used(&batch.usage, None));
    let name = look.paint(Tone::Strong, format!("{run} batch {}", batch.batch));
    let mut lines = vec![format!("{name}  {}", heading.join(look.symbol(" · ", ", ")))];
    if let Some(until) = batch.until {
        lines.push(format!("  again at {}", format::until(until, now, zone)));
    }
    for Try { attempt, findings } in tries {
        lines.push(format!("  {}", line(attempt, look, now, zone)));
        // What the findings say is not said twice.
        let told = findings.iter().any(|finding| !finding.passed);
        let message = attempt.message.iter().filter(|_| !told).flat_map(|message| message.lines());
        lines.extend(message.map(|line| format!("    {}", look.paint(Tone::Quiet, line))));
        lines.extend(attempt.warnings.iter().map(|warning| format!("    {warning}")));
        lines.extend(findings::lines(findings, look).into_iter().map(|line| format!("    {line}")));
    }
    lines
}

/// `attempt 2  failed, ValidationFailed · 3m05s · $0.12`
fn line(attempt: &AttemptRecord, look: &Look, now: Timestamp, zone: &TimeZone) -> String {
    let (word, tone) = match attempt.state {
        AttemptState::Running => ("runs", Tone::Name),
        AttemptState::Succeeded => ("succeeded", Tone::Good),
        AttemptState::Failed => ("failed", Tone::Bad),
    };
    let reason = attempt.reason.as_deref().map(|reason| format!(", {reason}")).unwrap_or_default();
    let mut parts = vec![format!("{}{reason}", look.paint(tone, word))];
    if let Some(started) = attempt.started {
        let took = format::duration(format::between(started, attempt.ended.unwrap_or(now)));
        parts.push(format!("{} for {took}", format::local(started, zone)));
    }
    parts.extend(used(&attempt.usage, None));
    format!("attempt {}  {}", attempt.ordinal, parts.join(look.symbol(" · ", ", ")))
}
