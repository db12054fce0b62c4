//! One attempt inside its Pod: from the mounted plan to the termination message.

mod init;
mod kept;
mod log;
mod mask;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use jiff::Timestamp;

pub use self::init::run as first_process;
use self::{
    kept::KeptBaseline,
    log::{Following, Stream},
    mask::Mask,
};
use super::attempt::{self as one, AttemptError};
use crate::{
    attempt::{Attempt, message, not_written, remote::RemoteCall},
    job::{
        files::AttemptFiles,
        load::Loaded,
        model::{Backend, Job},
        outcome::{Failure, FailureClass, Outcome, Provenance, Usage},
        plan::{Plan, PlanError},
        problem::Problems,
        sources::Mode,
    },
};

/// Why an attempt did not even begin.
#[derive(Debug, thiserror::Error)]
enum NotBegun {
    #[error("the plan's {} cannot be read", path.display())]
    Unread {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("the job of the plan has errors: {0}")]
    Job(Problems),
}

/// The process that an attempt is, below the first one of its container.
pub fn below_the_first(program: &Path, call: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["attempt", "--below-the-first", "--pod", call]);
    command
}

/// Says that the attempt's process was killed, if it left nothing itself.
///
/// # Errors
/// The message cannot be written.
pub fn tell_of_death(call: &RemoteCall, code: i32) -> io::Result<()> {
    if fs::metadata(&call.message).is_ok_and(|message| message.len() > 0) {
        return Ok(());
    }
    let text = match code {
        128.. => format!("Mozart's own process in the Pod was ended by signal {}", code - 128),
        _ => format!("Mozart's own process in the Pod ended with {code} and said nothing"),
    };
    let reason = if code >= 128 { "Killed" } else { "ResultUnreadable" };
    let mut outcome = failed(Failure::new(FailureClass::Transient, reason, text), Timestamp::now());
    outcome.usage.partial = true;
    fs::write(&call.message, message::write(&outcome))
}

/// Runs the attempt of `call` to its end and leaves its outcome as the message. SIGTERM, SIGINT and SIGHUP end it within
/// 10 s. `program` is this program.
///
/// # Errors
/// The message cannot be written.
pub async fn run(call: &RemoteCall, program: PathBuf) -> io::Result<Outcome> {
    let began = Timestamp::now();
    let mask = Mask::new(call.secrets.iter().filter_map(|name| std::env::var(name).ok()));
    let mut outcome = match prepare(call) {
        Ok(job) => attempt(call, job, program, &mask).await,
        Err(error) => failed(not_begun(&error), began),
    };
    // Its transcript goes with the Pod: the next attempt begins a session of its own.
    outcome.session = None;
    conceal(&mut outcome, &mask);
    fs::write(&call.message, message::write(&outcome))?;
    Ok(outcome)
}

fn prepare(call: &RemoteCall) -> Result<Job, NotBegun> {
    let mut text = String::new();
    for path in &call.plan {
        let part =
            fs::read_to_string(path).map_err(|source| NotBegun::Unread { path: path.clone(), source })?;
        text.push_str(&part);
    }
    let plan = Plan::read(&text, &call.plan_hash)?;
    let Loaded { job, .. } = plan.load(&call.workspace, Mode::Local).map_err(NotBegun::Job)?;
    Ok(job)
}

async fn attempt(call: &RemoteCall, job: Job, program: PathBuf, mask: &Mask) -> Outcome {
    let began = Timestamp::now();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    for folder in [Some(call.folder.clone()), home].into_iter().flatten() {
        if let Err(error) = fs::create_dir_all(&folder) {
            let text = format!("{} cannot be made: {error}", folder.display());
            return failed(Failure::new(FailureClass::Transient, "AttemptNotWritten", text), began);
        }
    }
    let kept = KeptBaseline::of(call);
    let started = Attempt::begin(Arc::new(job.clone()), &call.run, &call.folder, call.start.clone());
    let baseline = match started {
        Ok(attempt) => kept.hand_over(&attempt),
        Err(error) => Err(not_written(&error)),
    };
    if let Err(failure) = baseline {
        return failed(failure, began);
    }
    let files = AttemptFiles::of(&call.folder, call.start.key);
    let stdout = if matches!(job.backend, Backend::ClaudeCli(_)) { 't' } else { 'o' };
    let streams = vec![Stream::new(stdout, files.stdout()), Stream::new('e', files.stderr())];
    let following = Following::start(streams, mask.clone(), io::stdout());
    let ended = one::run(&call.run, &call.start, &call.folder, job, program).await;
    let finished = tokio::task::spawn_blocking(move || following.finish()).await;
    if let Err(error) = finished {
        tracing::error!(%error, "the attempt's output could not be written to its end");
    }
    // An attempt whose validations were not looked at has none.
    let findings = fs::read(files.findings()).ok().and_then(|text| serde_json::from_slice(&text).ok());
    if let Err(error) = log::tell_findings(findings.unwrap_or_default(), mask, io::stdout()) {
        tracing::error!(%error, "what the validations found could not be written");
    }
    match ended {
        Ok(outcome) => {
            if outcome.succeeded() {
                kept.forget();
            }
            outcome
        }
        Err(error) => failed(not_run(&error), began),
    }
}

fn not_begun(error: &NotBegun) -> Failure {
    let (class, reason) = match error {
        NotBegun::Unread { .. } => (FailureClass::Transient, "PlanUnreadable"),
        NotBegun::Plan(PlanError::Tampered { .. }) => (FailureClass::JobFatal, "PlanTampered"),
        NotBegun::Plan(_) => (FailureClass::JobFatal, "PlanUnreadable"),
        NotBegun::Job(_) => (FailureClass::JobFatal, "PlanRefused"),
    };
    Failure::new(class, reason, in_full(error))
}

fn not_run(error: &AttemptError) -> Failure {
    let class = match error {
        AttemptError::Lost => FailureClass::Disruption,
        _ => FailureClass::Transient,
    };
    Failure::new(class, "AttemptNotRun", in_full(error))
}

fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn failed(failure: Failure, started: Timestamp) -> Outcome {
    Outcome {
        failure: Some(failure),
        accepted: false,
        usage: Usage::default(),
        session: None,
        signal: None,
        warnings: Vec::new(),
        exit_code: None,
        provenance: None,
        started,
        ended: Timestamp::now(),
    }
}

fn conceal(outcome: &mut Outcome, mask: &Mask) {
    if let Some(failure) = &mut outcome.failure {
        failure.message = mask.apply(&failure.message);
    }
    for warning in &mut outcome.warnings {
        *warning = mask.apply(warning);
    }
    if let Some(provenance) = &mut outcome.provenance {
        let Provenance { model, version, api_key_source, stop_reason } = provenance;
        for text in [model, version, api_key_source, stop_reason] {
            *text = text.take().map(|text| mask.apply(&text));
        }
    }
}
