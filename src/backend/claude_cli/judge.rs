//! What an attempt whose process has ended came to.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use jiff::Timestamp;

use super::{
    classify::{self, Context},
    stream::{Init, Line, ResultLine},
    transcript::Transcript,
    wallet,
};
use crate::{
    backend::{Answer, Call, EndedBy, Exit, Judgement, Material, Session, command::tail, limits},
    job::{
        model::ClaudeCli,
        outcome::{Failure, FailureClass, GateSignal, Provenance, decimal},
        start::Previous,
    },
};

/// What the process's lines and its end mean. Its last result decides, whatever it was ended for afterwards.
pub fn judge(settings: &ClaudeCli, call: &Call<'_>, material: Material<'_>) -> Judgement {
    let (transcript, said_at) = match read(material.stdout) {
        Ok(read) => read,
        Err(error) => {
            return Judgement::failed(Failure::new(
                FailureClass::Transient,
                "OutputUnreadable",
                format!("{} cannot be read: {error}", material.stdout.display()),
            ));
        }
    };
    let context = Context { settings, rate_limit: &call.job.rate_limit, said_at };
    let mismatch = transcript.init.as_ref().and_then(|init| wallet::mismatch(settings, init));
    let failure = match &transcript.result {
        _ if mismatch.is_some() => mismatch,
        Some(result) => classify::result(result, &transcript, &context)
            .map(|failure| ended_by(material.exit, &failure).unwrap_or(failure))
            .map(|failure| turns_used_up(call, failure))
            .map(|failure| share_used_up(call, failure)),
        None => Some(without_result(&transcript, settings, call, material)),
    };
    let continued = matches!(call.session, Session::Continue(_));
    let fresh = failure.as_ref().is_some_and(|failure| failure.fresh_session);
    Judgement {
        accepted: transcript.accepted(),
        usage: transcript.usage(continued),
        session: (transcript.init.is_some() && !fresh).then(|| call.session.id()),
        signal: signal(&transcript, said_at),
        if_not_valid: denials(&transcript)
            .map(|text| Failure::new(FailureClass::JobFatal, "PermissionDenied", text)),
        warnings: [denials(&transcript), another_version(settings, &transcript), another_model(&transcript)]
            .into_iter()
            .flatten()
            .collect(),
        provenance: transcript.init.as_ref().map(|init| provenance(init, transcript.result.as_ref())),
        answer: transcript.answer.map_or(Answer::None, Answer::Text),
        failure,
    }
}

/// All lines of the output, and when the last of them was written: that is when a limit without a date was told.
fn read(stdout: &Path) -> io::Result<(Transcript, Timestamp)> {
    let file = File::open(stdout)?;
    let said_at = Timestamp::try_from(file.metadata()?.modified()?).unwrap_or_else(|_| Timestamp::now());
    let mut reader = BufReader::new(file);
    let mut transcript = Transcript::default();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        transcript.take(Line::parse(&line));
        line.clear();
    }
    Ok((transcript, said_at))
}

/// A process that said nothing of its end.
fn without_result(
    transcript: &Transcript,
    settings: &ClaudeCli,
    call: &Call<'_>,
    material: Material<'_>,
) -> Failure {
    if let Some(waiting) = &transcript.waiting {
        if waiting.error.as_deref() == Some("authentication_failed") && !transcript.accepted() {
            return classify::authentication("", settings);
        }
        if material.exit.ended_by == Some(EndedBy::Timeout) {
            return classify::while_waiting(waiting, transcript);
        }
    }
    let stderr = tail(material.stderr).unwrap_or_default();
    let said = if stderr.is_empty() { "it wrote nothing to stderr".to_owned() } else { stderr };
    let Exit { code, signal, ended_by } = material.exit;
    match (ended_by, signal, code) {
        (Some(EndedBy::Timeout), ..) => Failure::new(
            FailureClass::Transient,
            "Timeout",
            format!("Claude Code ran longer than timeoutSeconds ({} s)", call.job.timeout.as_secs()),
        ),
        (Some(EndedBy::Interrupted), ..) => interrupted(),
        (Some(EndedBy::Stopped), ..) => stopped(),
        (_, Some(signal), _) => Failure::new(
            FailureClass::Transient,
            "Killed",
            format!("Claude Code was killed by signal {signal}; {said}"),
        ),
        (_, None, code @ (129 | 130 | 137 | 143)) => Failure::new(
            FailureClass::Transient,
            "Killed",
            format!("somebody ended Claude Code (exit {code})"),
        ),
        // A crash between the start and its record: the id is used, and what the session did is unknown.
        (_, None, _) if said.contains("is already in use") => {
            let mut failure = Failure::new(FailureClass::Disruption, "SessionInUse", said);
            failure.fresh_session = true;
            failure
        }
        (_, None, code) if transcript.init.is_none() && code != 0 => Failure::new(
            FailureClass::JobFatal,
            "ClaudeDidNotStart",
            format!("Claude Code did not start (exit {code}): {said}"),
        ),
        (_, None, code) => Failure::new(
            FailureClass::Transient,
            "NoResult",
            format!("Claude Code ended without a result (exit {code}); {said}"),
        ),
    }
}

/// An error that Mozart itself brought about by ending the process (SIGINT makes a result of its own).
fn ended_by(exit: Exit, failure: &Failure) -> Option<Failure> {
    if failure.reason != "Aborted" {
        return None;
    }
    match exit.ended_by? {
        EndedBy::Interrupted => Some(interrupted()),
        EndedBy::Stopped => Some(stopped()),
        EndedBy::Timeout | EndedBy::Idle => None,
    }
}

/// A session that was told to finish and used all its turns again does not finish.
fn turns_used_up(call: &Call<'_>, mut failure: Failure) -> Failure {
    let again = |previous: &Previous| previous.reason == failure.reason;
    if failure.reason == classify::MAX_TURNS && call.previous.is_some_and(again) {
        failure.class = FailureClass::BatchFatal;
    }
    failure
}

/// A bound that is none of the attempt's own, but its share of what the run had left.
fn share_used_up(call: &Call<'_>, failure: Failure) -> Failure {
    let Some(share) = call.budget_micro_usd else { return failure };
    if failure.reason != classify::BUDGET || call.job.budget.per_attempt_micro_usd.is_some() {
        return failure;
    }
    let text = format!(
        "the attempt used up its share of what was left of budget.perRunUSD, ${}; it goes on with another",
        decimal(share)
    );
    Failure::new(FailureClass::Disruption, "BudgetShare", text)
}

fn interrupted() -> Failure {
    let text = "Mozart ended Claude Code, to go on with its session later";
    Failure::new(FailureClass::Disruption, "Interrupted", text)
}

fn stopped() -> Failure {
    Failure::new(FailureClass::Transient, "Stopped", "Mozart ended Claude Code since the run was stopped")
}

/// What a success may still say about the plan: extra usage before the used share.
fn signal(transcript: &Transcript, said_at: Timestamp) -> Option<GateSignal> {
    if let Some(overage) = &transcript.overage {
        return Some(GateSignal::Overage { resets_at: limits::moment(&overage.resets_at, said_at) });
    }
    let windows = transcript.rate_limit.as_ref()?.windows();
    let (share, resets_at) = windows.max_by(|one, other| one.0.total_cmp(&other.0))?;
    Some(GateSignal::Utilization { share, resets_at: limits::moment(resets_at, said_at) })
}

fn provenance(init: &Init, result: Option<&ResultLine>) -> Provenance {
    let Init { model, api_key_source, version } = init.clone();
    let stop_reason = result.and_then(|result| result.stop_reason.clone());
    Provenance { model, version, api_key_source, stop_reason }
}

/// A warning that Claude Code is no longer the one that was found before the run.
fn another_version(settings: &ClaudeCli, transcript: &Transcript) -> Option<String> {
    let (found, now) = (settings.version.as_deref()?, transcript.init.as_ref()?.version.as_deref()?);
    (found != now).then(|| format!("Claude Code was {found} when the run began and is {now} now"))
}

/// A warning that names the models that answered instead of the one that was asked (`fallbackModel`).
fn another_model(transcript: &Transcript) -> Option<String> {
    let asked = transcript.init.as_ref()?.model.as_deref()?;
    let others: Vec<&str> = transcript
        .models
        .iter()
        .map(String::as_str)
        .filter(|answered| !wallet::is_model(asked, answered))
        .collect();
    (!others.is_empty()).then(|| format!("{} answered instead of {asked}", others.join(", ")))
}

/// A warning that names the tools that were denied, and how to allow them.
fn denials(transcript: &Transcript) -> Option<String> {
    let denials = &transcript.result.as_ref()?.permission_denials;
    let mut tools: BTreeMap<&str, u32> = BTreeMap::new();
    for denial in denials {
        *tools.entry(&denial.tool_name).or_default() += 1;
    }
    let list: Vec<String> = tools.iter().map(|(tool, times)| format!("{tool} ({times}×)")).collect();
    (!list.is_empty()).then(|| {
        format!(
            "permission denied for {}: set backend.permissionMode: acceptEdits, or allowedTools",
            list.join(", ")
        )
    })
}
