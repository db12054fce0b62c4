//! A program that this keeper has started.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    super::{process::Process, sessions::hold_too},
    ending::Ending,
    message::{ProcessRecord, Report, Spawn},
    system,
};
use crate::{
    backend::{EndedBy, Exit},
    job::files::AttemptFiles,
};

/// A program that this keeper has started and that runs.
pub struct Child {
    pid: i32,
    spawn: Spawn,
    deadline: Instant,
    ending: Option<Ending>,
    _held: Option<File>,
}

impl Child {
    /// Starts a program and records it; a record that cannot be written is a warning, since only an adoption needs it.
    pub fn start(spawn: Spawn, keeper: Process) -> Result<(Self, Option<String>), Report> {
        let held = spawn.hold.as_deref().map(hold_too).transpose();
        let held = held.map_err(|error| failed(&spawn, &error, spawn.hold.as_ref()))?;
        let pid = start(&spawn)?;
        let timeout = Duration::from_millis(spawn.timeout_ms);
        let now = Instant::now();
        // So far ahead that it never comes, where the sum is beyond what the clock can say.
        let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_hours(24 * 365));
        let warning = spawn.record.as_deref().and_then(|record| {
            let deadline_ms = system::monotonic_ms().saturating_add(spawn.timeout_ms);
            let content = ProcessRecord { program: Process::of(pid), keeper, deadline_ms };
            write(&AttemptFiles::at(record.to_owned()).process(), &content).err()
        });
        Ok((Self { pid, spawn, deadline, ending: None, _held: held }, warning))
    }

    pub fn id(&self) -> u64 {
        self.spawn.id
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    pub fn mark(&self) -> &str {
        &self.spawn.mark
    }

    pub fn streams(&self) -> [&Path; 2] {
        [&self.spawn.stdout, &self.spawn.stderr]
    }

    pub fn record(&self) -> Option<&Path> {
        self.spawn.record.as_deref()
    }

    /// Why it is being ended, if it is.
    pub fn ended_by(&self) -> Option<EndedBy> {
        self.ending.as_ref().map(|ending| ending.why)
    }

    /// When something must be done about it.
    pub fn due(&self) -> Option<Instant> {
        self.ending.as_ref().map_or(Some(self.deadline), Ending::due)
    }

    /// Begins to end it; the first reason stays.
    pub fn end(&mut self, why: EndedBy, now: Instant) {
        self.ending.get_or_insert_with(|| Ending::new(why, now)).advance(self.pid, now);
    }

    /// Does what is due.
    pub fn advance(&mut self, now: Instant) {
        if let Some(ending) = &mut self.ending {
            ending.advance(self.pid, now);
        } else if self.deadline <= now {
            self.end(EndedBy::Timeout, now);
        }
    }
}

fn start(spawn: &Spawn) -> Result<i32, Report> {
    let failed = |error: &io::Error, file: Option<&PathBuf>| failed(spawn, error, file);
    let append = |path: &PathBuf| {
        OpenOptions::new().create(true).append(true).open(path).map_err(|error| failed(&error, Some(path)))
    };
    let stdin = match &spawn.stdin {
        Some(path) => Stdio::from(File::open(path).map_err(|error| failed(&error, Some(path)))?),
        None => Stdio::null(),
    };
    let stdout = append(&spawn.stdout)?;
    let stderr = append(&spawn.stderr)?;
    let mut command = Command::new(&spawn.program);
    command.args(&spawn.args).current_dir(&spawn.cwd).process_group(0);
    command.stdin(stdin).stdout(stdout).stderr(stderr);
    for name in &spawn.env_remove {
        command.env_remove(name);
    }
    for (name, source) in &spawn.env_copy {
        if let Some(value) = std::env::var_os(source) {
            command.env(name, value);
        }
    }
    command.envs(spawn.env_set.iter().map(|(name, value)| (name, value)));
    let child = command.spawn().map_err(|error| failed(&error, None))?;
    i32::try_from(child.id()).map_err(|error| failed(&io::Error::other(error), None))
}

fn failed(spawn: &Spawn, error: &io::Error, file: Option<&PathBuf>) -> Report {
    Report::NotStarted { id: spawn.id, errno: error.raw_os_error().unwrap_or(0), file: file.cloned() }
}

/// Writes how a program ended.
pub fn write_exit(record: &Path, exit: &Exit) -> Result<(), String> {
    write(&AttemptFiles::at(record.to_owned()).exit(), exit)
}

/// A record is one small write: readers take one that cannot be parsed for one that is not there. Whoever takes up a run
/// waits first until its earlier keepers start nothing any more, and for an exit as long as its keeper lives.
fn write(path: &Path, content: &impl serde::Serialize) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", path.display());
    let bytes = serde_json::to_vec(content).map_err(|error| failed(error.into()))?;
    fs::write(path, bytes).map_err(failed)
}
