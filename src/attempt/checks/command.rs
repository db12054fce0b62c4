//! `command_succeeds`: a shell command that must end with 0.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{MAX_ACTUAL_BYTES, Verdict};
use crate::{
    attempt::{Attempt, conclusion::interrupted_while_checked},
    backend::{self, EndedBy, Exit},
    job::{expand::expand_command, model::Check, outcome::Failure},
};

/// A command of a validation, to be run apart: in its own process group, swept afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckProgram {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// What it gets in its environment beside Mozart's own.
    pub env_set: Vec<(String, String)>,
    /// What of Mozart's own environment it does not get: keys.
    pub env_remove: Vec<String>,
    /// Where its output goes, both streams; made anew.
    pub output: PathBuf,
    /// Then it is ended.
    pub timeout: Duration,
}

/// Runs the commands of validations.
pub trait Programs: Send + Sync {
    /// Runs one to its end and sweeps what it leaves.
    ///
    /// # Errors
    /// When it could not be started, in words.
    fn run(&self, program: CheckProgram) -> impl Future<Output = Result<Exit, String>> + Send;
}

/// Runs the command.
pub(super) async fn run(
    attempt: &Attempt,
    index: usize,
    check: &Check,
    programs: &impl Programs,
) -> Result<Verdict, Failure> {
    let Check::CommandSucceeds { command, working_directory, timeout } = check else {
        return Ok(Verdict::new("a command", Err("none".to_owned())));
    };
    let command = expand_command(&attempt.job, attempt.batch, command);
    let output = attempt.directory.files.check_output(index);
    let workspace = &attempt.job.workspace.path;
    let program = CheckProgram {
        command: ["bash", "-o", "pipefail", "-c", &command].map(str::to_owned).to_vec(),
        cwd: working_directory.clone().unwrap_or_else(|| workspace.clone()),
        env_set: backend::command::environment(&attempt.call()),
        env_remove: backend::credential_variables(&attempt.job),
        output: output.clone(),
        timeout: *timeout,
    };
    let actual = match programs.run(program).await {
        Err(error) => Err(error),
        Ok(Exit { ended_by: Some(EndedBy::Interrupted | EndedBy::Stopped), .. }) => {
            return Err(interrupted_while_checked());
        }
        Ok(Exit { ended_by: Some(_), .. }) => {
            Err(said(&output, format!("no end within {} s", timeout.as_secs())))
        }
        Ok(Exit { signal: Some(signal), .. }) => Err(said(&output, format!("killed by signal {signal}"))),
        Ok(Exit { code: 0, .. }) => Ok("exit 0".to_owned()),
        Ok(Exit { code, .. }) => Err(said(&output, format!("exit {code}"))),
    };
    Ok(Verdict::new(EXPECTED, actual))
}

/// What is demanded of every command.
pub(super) const EXPECTED: &str = "exit 0";

/// How it ended, after the end of what it wrote.
fn said(output: &Path, end: String) -> String {
    match tail(output, MAX_ACTUAL_BYTES - end.len() - 2) {
        Ok(text) if !text.trim().is_empty() => format!("{}\n{end}", text.trim_end()),
        _ => end,
    }
}

fn tail(path: &Path, bytes: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes as u64)))?;
    let mut text = Vec::new();
    file.take(bytes as u64).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
