//! A verb carried out: the run driven to its end, with the progress shown and what came of it.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;

use super::{PaceArguments, consent::Consent, ending};
use crate::{
    backend::{
        self,
        health::{Health, HealthState, Preflight},
    },
    cli::{
        choices::Form, dashboard, describe, error::Advised, exit::Exit, pen, printer::Printer,
        progress::Progress, reading::Reading, summary::Failures, terminal::Tone,
    },
    driver::turn::View,
    engine::ledger::{Ledger, RunPhase},
    job::model::Job,
    local::{
        control::{Ask, Control},
        lock::LockError,
        on_top::OnTop,
        run::{Begun, Ended, LocalError, Machine, Request, Watcher, run},
        verb::{Refusal, Verb},
        wishes::{Heard, Interruption},
    },
    store::{home::Home, record::RunRecord},
};

/// What is to be driven, and how.
pub struct Drive {
    /// The job.
    pub job: Job,
    /// What was said on top of its file.
    pub on_top: OnTop,
    /// What to do with it.
    pub verb: Verb,
    /// How.
    pub pace: PaceArguments,
    /// The form of what stdout gets at the end.
    pub form: Form,
}

/// Drives it. What the exit code says: whether the job is done, failed, waits or was interrupted.
pub fn drive(drive: Drive, printer: &Printer) -> anyhow::Result<Exit> {
    let Drive { mut job, on_top, verb, pace, form } = drive;
    let runtime = crate::cli::runtime()?;
    let Preflight { health: found, billed } = runtime.block_on(backend::preflight(&mut job));
    refuse_sick(&found)?;
    let job = Arc::new(job);
    let request = Request {
        job: Arc::clone(&job),
        verb,
        on_top,
        limit: pace.limit,
        no_wait: pace.no_wait,
        keep_awake: pace.keep_awake.or((!printer.err.terminal).then_some(false)),
        max_sessions: pace.max_sessions,
    };
    let machine = Machine {
        home: Home::of_environment()?,
        cwd: std::env::current_dir().context("the present folder is not known")?,
        program: std::env::current_exe().context("Mozart's own program is not found")?,
    };
    if let Some(port) = pace.dashboard {
        dashboard::beside(port, printer)?;
    }
    let mut watcher = Screen {
        printer,
        found: &found,
        consent: Consent { billed, given: pace.yes },
        declined: None,
        progress: None,
    };
    let ended = runtime.block_on(run(&machine, &request, &mut watcher));
    let Screen { progress, declined, .. } = watcher;
    drop(progress);
    // What still waits in threads of its own (a name that does not resolve) is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    let (ledger, interrupted) = match ended.map_err(|error| advised(error, &job, printer))? {
        Ended::Drove { ledger, interrupted } => (ledger, interrupted),
        Ended::Declined => {
            return Err(declined.unwrap_or_else(|| anyhow::anyhow!("nothing was started")));
        }
        Ended::AlreadyComplete(ledger) => {
            printer.note("every batch is done already; --rerun=All does them again");
            (ledger, false)
        }
        Ended::AlreadyFailed(ledger) => {
            printer.note("the last run has failed; --rerun does again what it left undone");
            (ledger, false)
        }
    };
    let record = RunRecord::of(job.name.as_str(), &ledger);
    let exit = exit_of(&ledger, interrupted);
    // Also those that failed while an earlier process drove the run.
    let failed = if ledger.failed.is_empty() { Vec::new() } else { Reading::open()?.failed(&ledger.run)? };
    let failures = Failures::of(&failed).groups();
    let ending = ending::Ending { run: &record, failures, workspace: &job.workspace.path };
    ending::tell(&job, &ending, printer);
    if form == Form::Json {
        printer.json(&ending)?;
    }
    Ok(exit)
}

fn exit_of(ledger: &Ledger, interrupted: bool) -> Exit {
    match &ledger.phase {
        RunPhase::Complete => Exit::Done,
        RunPhase::Failed { .. } => Exit::JobFailed,
        _ if interrupted => Exit::Interrupted,
        RunPhase::Suspended { reason, .. } if reason == "LongWait" => Exit::Waiting,
        // Suspended as it was asked for: a trial that ended, a budget that is used up, `mozart suspend`.
        _ => Exit::Done,
    }
}

/// A backend that cannot work is told before anything starts.
fn refuse_sick(found: &[Health]) -> anyhow::Result<()> {
    match found.iter().find(|health| health.state == HealthState::Fail) {
        None => Ok(()),
        Some(Health { name, found, advice, .. }) => {
            let hint = advice.clone().unwrap_or_else(|| "mozart doctor looks at everything".to_owned());
            Err(Advised::new(format!("{name}: {found}"), hint).into())
        }
    }
}

/// What to do about an error of the run; a difference of plans is shown.
fn advised(error: LocalError, job: &Job, printer: &Printer) -> anyhow::Error {
    let hint = match &error {
        LocalError::Refused(refusal) => hint_of(refusal, job),
        LocalError::Changed { refusal, before, now } => {
            show_difference(before, now, printer);
            hint_of(refusal, job)
        }
        LocalError::Lock(LockError::Held { .. }) => {
            "mozart status shows it; wait for it, or end it with mozart stop".to_owned()
        }
        _ => return error.into(),
    };
    let message = error.to_string();
    anyhow::Error::new(error).context(Advised::new(message, hint))
}

/// What to type, with the file's own path.
fn hint_of(refusal: &Refusal, job: &Job) -> String {
    refusal.hint().replace("FILE", &job.file.display().to_string())
}

/// The lines of the plan that differ, with two around them.
fn show_difference(before: &str, now: &str, printer: &Printer) {
    let difference = similar::TextDiff::from_lines(before, now);
    let look = &printer.err;
    for line in difference.unified_diff().context_radius(2).to_string().lines() {
        let tone = match line.as_bytes().first() {
            Some(b'+') => Tone::Good,
            Some(b'-') => Tone::Bad,
            _ => Tone::Quiet,
        };
        pen::write(&format!("{}\n", look.paint(tone, line)));
    }
}

/// What a person sees of it.
struct Screen<'a> {
    printer: &'a Printer,
    found: &'a [Health],
    consent: Consent,
    /// Why the run was not to begin.
    declined: Option<anyhow::Error>,
    progress: Option<Progress>,
}

impl Watcher for Screen<'_> {
    fn may_begin(&mut self, job: &Job) -> bool {
        self.declined = self.consent.ask(job, self.printer).err();
        self.declined.is_none()
    }

    fn begins(&mut self, begun: &Begun<'_>) {
        for line in describe::lines_with(begun.job, self.found, &self.printer.err) {
            self.printer.note(line);
        }
        for health in self.found.iter().filter(|health| health.state == HealthState::Warn) {
            self.printer.warn(format!("{}: {}", health.name, health.found));
        }
        let record = RunRecord::of(begun.job.name.as_str(), begun.ledger);
        if begun.goes_on {
            self.printer.note(format!("{} goes on: {}", record.id, crate::cli::summary::counts(&record)));
        }
        self.progress = Some(Progress::start(self.printer));
    }

    fn turned(&mut self, view: &View<'_>) {
        if let Some(progress) = &self.progress {
            progress.observe(view);
        }
    }

    fn heard(&mut self, heard: Heard<'_>) {
        match heard {
            Heard::Signal(Interruption::Finish) => {
                self.printer
                    .warn("what runs is finished, then the run is suspended; once more ends it at once");
            }
            Heard::Signal(Interruption::EndNow) => {
                self.printer.warn("what runs is ended; mozart resume goes on with it");
            }
            Heard::Asked(&Control { ask, pid }) => {
                let what = match ask {
                    Ask::Suspend => "suspend: what runs is finished, then the run is suspended",
                    Ask::SuspendNow => "suspend --now: what runs is ended, and the run is suspended",
                    Ask::Stop => "stop: what runs is finished, then the run ends",
                    Ask::StopNow => "stop --now: what runs is ended, and the run too",
                };
                self.printer.warn(format!("process {pid} asks to {what}"));
            }
        }
    }

    fn warned(&mut self, warning: &dyn std::error::Error) {
        let mut text = warning.to_string();
        let mut cause = warning.source();
        while let Some(source) = cause {
            text = format!("{text}: {source}");
            cause = source.source();
        }
        self.printer.warn(text);
    }
}
