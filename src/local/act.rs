//! What the dashboard does on this machine: what would be typed.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::process::{Child, Command};

use super::{observe::driver_of, steer, view::LocalView};
use crate::{
    dashboard::{
        actions::{Action, ActionError, Actions, Edited},
        edit,
        view::JobEntry,
    },
    engine::ledger::Ledger,
    job::items::hash_of,
    store::record::JobRecord,
};

/// How long a process that is to drive a run may take to begin: Claude Code is asked for its login before.
const BEGIN: Duration = Duration::from_mins(1);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// The most that is shown of what a process said that did not begin, in bytes.
const SAID_MAX: u64 = 4096;

fn failed(error: &dyn std::error::Error) -> ActionError {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        message = format!("{message}: {source}");
        cause = source.source();
    }
    ActionError { message }
}

impl Actions for LocalView {
    async fn act(&self, job: &JobEntry, action: &Action, spend: bool) -> Result<String, ActionError> {
        let done = self.carry_out(job, action, spend).await;
        self.forget_list().await;
        done
    }
}

impl LocalView {
    async fn carry_out(&self, job: &JobEntry, action: &Action, spend: bool) -> Result<String, ActionError> {
        let record = self.record(job).await.map_err(|error| failed(&error))?;
        let gone = || ActionError { message: format!("The job {} is no longer there.", job.name) };
        let record = record.ok_or_else(gone)?;
        match action {
            Action::Suspend => {
                let run = &job.last.as_ref().ok_or_else(gone)?.record;
                let holder =
                    steer::suspend(self.home(), &record, run, false).map_err(|error| failed(&error))?;
                Ok(match holder {
                    Some(holder) => {
                        format!("Process {} lets what runs finish and suspends {}.", holder.pid, run.id)
                    }
                    None => format!("No process drives {}: nothing of it starts.", run.id),
                })
            }
            Action::Stop | Action::StopNow => {
                let now = *action == Action::StopNow;
                let run = &job.last.as_ref().ok_or_else(gone)?.record;
                let reader = self.reader();
                let holder = steer::stop(self.home(), &reader, &record, run, now);
                Ok(match holder.await.map_err(|error| failed(&error))? {
                    Some(holder) => format!("Process {} ends {}.", holder.pid, run.id),
                    None => format!("{} has ended: no process drove it.", run.id),
                })
            }
            Action::Resume => self.drive(&record, &["resume", &job.command_name], spend).await,
            Action::RetryFailed => {
                self.drive(&record, &["retry", &job.command_name, "--failed"], spend).await
            }
            Action::RetryBatches(batches) => {
                let batches = batches.to_string();
                self.drive(&record, &["retry", &job.command_name, "--batches", &batches], spend).await
            }
            Action::Again => {
                let file = record.file.to_string_lossy().into_owned();
                self.drive(&record, &["run", &file, "--rerun=All"], spend).await
            }
            Action::Edit(edited) => self.edit(&record, edited, spend).await,
            Action::Delete => {
                let deleted = steer::delete(self.home(), &self.reader(), &record, None).await;
                deleted.map_err(|error| failed(&error))?;
                Ok(format!("{} is deleted, with what was kept of it.", job.name))
            }
            Action::DeleteRun(run) => {
                let deleted = steer::delete(self.home(), &self.reader(), &record, Some(*run)).await;
                deleted.map_err(|error| failed(&error))?;
                Ok(format!("Run {run} of {} is deleted, with what was kept of it.", job.name))
            }
        }
    }

    /// Writes a job file's new text, where that is sound and nobody else has written there, and runs it.
    async fn edit(&self, job: &JobRecord, edited: &Edited, spend: bool) -> Result<String, ActionError> {
        let refused = |message: String| ActionError { message };
        let unreadable =
            |error: io::Error| refused(format!("{} cannot be edited: {error}", job.file.display()));
        // A link stays one.
        let file = fs::canonicalize(&job.file).map_err(unreadable)?;
        let written = fs::read(&file).map_err(unreadable)?;
        if hash_of(&written) != edited.seen {
            return Err(refused(format!(
                "{} was changed by somebody else meanwhile: edit it again.",
                job.file.display()
            )));
        }
        let text = edit::with_line_ends_of(&String::from_utf8_lossy(&written), edited.text.clone());
        // Beside it, since what a job file names is found from where it lies.
        let mut name = OsString::from(".");
        name.push(file.file_stem().unwrap_or_default());
        name.push(".edited.yaml");
        let candidate = file.with_file_name(name);
        let put = fs::write(&candidate, text)
            .and_then(|()| fs::set_permissions(&candidate, fs::metadata(&file)?.permissions()));
        let checked = match put {
            Ok(()) => self.check(&candidate, &file).await,
            Err(error) => Err(unreadable(error)),
        };
        let replaced = checked.and_then(|()| fs::rename(&candidate, &file).map_err(unreadable));
        if replaced.is_err() {
            let _ = fs::remove_file(&candidate);
        }
        replaced?;
        let path = job.file.to_string_lossy().into_owned();
        let verb = match self.last_run(job).await? {
            Some(last) if !last.is_over() => "--continue",
            _ => "--rerun=All",
        };
        self.drive(job, &["run", &path, verb], spend).await
    }

    /// Whether `candidate` can take the place of `file`.
    async fn check(&self, candidate: &Path, file: &Path) -> Result<(), ActionError> {
        let program = std::env::current_exe().map_err(|error| failed(&error))?;
        let mut command = Command::new(program);
        command.arg("validate").arg(candidate).args(["--color", "never"]).stdin(Stdio::null());
        let checked = command.output().await.map_err(|error| failed(&error))?;
        if checked.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Err(ActionError { message: said.trim().replace(&name(candidate), &name(file)) })
    }

    /// Starts this program with `arguments`, which drives a run; it outlives the dashboard. Returns when the run has
    /// begun.
    async fn drive(&self, job: &JobRecord, arguments: &[&str], spend: bool) -> Result<String, ActionError> {
        let before = self.last_run(job).await?.map_or(0, |last| last.run.run);
        let said = self.home().job(job.uid).join("dashboard.log");
        let mut child = self.start(job, arguments, spend, &said).map_err(|error| ActionError {
            message: format!("A process for it could not be started: {error}"),
        })?;
        let pid = child.id();
        let deadline = tokio::time::Instant::now() + BEGIN;
        loop {
            if let Some(status) = child.try_wait().map_err(|error| failed(&error))? {
                return ended(status, &said);
            }
            let driver = driver_of(self.home(), job.uid).map_err(|error| failed(&error))?;
            // It has the lock before it has begun a new run.
            let begun = driver.is_some_and(|driver| Some(driver.pid) == pid)
                && self.last_run(job).await?.is_some_and(|last| last.run.run > before || !last.is_over());
            if begun || tokio::time::Instant::now() > deadline {
                // Waited for, so that no dead process is left in the system's table.
                tokio::spawn(async move { child.wait().await });
                return Ok(format!("Process {} drives it.", pid.unwrap_or_default()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn last_run(&self, job: &JobRecord) -> Result<Option<Ledger>, ActionError> {
        self.reader().last_run(job.uid).await.map_err(|error| failed(&error))
    }

    fn start(&self, job: &JobRecord, arguments: &[&str], spend: bool, said: &Path) -> std::io::Result<Child> {
        let program = std::env::current_exe()?;
        let folder: PathBuf =
            if job.used_in.is_dir() { job.used_in.clone() } else { self.home().path().to_owned() };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(spend.then_some("--yes"))
            .args(["--color", "never"])
            .current_dir(folder)
            .env("MOZART_HOME", self.home().path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(said)?)
            // Ctrl-C in the dashboard's terminal is for the dashboard.
            .process_group(0);
        command.spawn()
    }
}

/// What a process came to that ended before it was seen to drive the run: a run may be that short.
fn ended(status: ExitStatus, said: &Path) -> Result<String, ActionError> {
    // 1: the run was driven, and failed.
    if matches!(status.code(), Some(0 | 1 | 75)) {
        return Ok("It has ended already.".to_owned());
    }
    let mut text = Vec::new();
    let read = File::open(said).and_then(|file| file.take(SAID_MAX).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let message = if read.is_err() || text.is_empty() { format!("It ended with {status}.") } else { text };
    Err(ActionError { message })
}
