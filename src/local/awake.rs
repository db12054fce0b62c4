//! `--keep-awake`: the machine does not go to sleep while a run lasts.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

/// Keeps the machine awake until it is dropped.
///
/// The tool that does it (`systemd-inhibit` on Linux, `caffeinate` on macOS) waits for the end of its standard input,
/// a pipe of this process: also when Mozart is killed, the machine may sleep again.
#[derive(Debug)]
pub struct Awake {
    holder: Child,
}

/// Why the machine cannot be kept awake.
#[derive(Debug, thiserror::Error)]
pub enum AwakeError {
    /// The tool is not there.
    #[error(
        "--keep-awake needs `{tool}`, which is not on this machine: the run goes on, and sleeps with the machine"
    )]
    Missing {
        /// Its name.
        tool: &'static str,
    },
    /// The tool could not be started.
    #[error("--keep-awake: `{tool}` could not be started")]
    Start {
        /// Its name.
        tool: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The tool ended at once.
    #[error("--keep-awake: `{tool}` ended at once ({said}): the run goes on, and sleeps with the machine")]
    Refused {
        /// Its name.
        tool: &'static str,
        /// What it said.
        said: String,
    },
}

impl Awake {
    /// Starts the tool; `why` is what it shows when people ask what keeps the machine awake. Blocks for a moment.
    ///
    /// # Errors
    /// The tool is missing or refuses, as it does on a machine without a login manager: said once, no reason to stop.
    pub fn keep(why: &str) -> Result<Self, AwakeError> {
        let (tool, arguments) = tool(why);
        Self::keep_with(tool, &arguments)
    }

    fn keep_with(tool: &'static str, arguments: &[String]) -> Result<Self, AwakeError> {
        let mut holder = Command::new(tool)
            .args(arguments)
            // The shell under the tool says when it runs, so that a refusal is seen here and not guessed by time.
            .args(["sh", "-c", "echo awake; exec cat >/dev/null"])
            // Ctrl-C is for Mozart, which finishes what runs: the terminal must not end this one with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => AwakeError::Missing { tool },
                _ => AwakeError::Start { tool, source },
            })?;
        let mut first = [0_u8; 1];
        let runs =
            holder.stdout.take().is_some_and(|mut out| io::Read::read_exact(&mut out, &mut first).is_ok());
        if runs {
            return Ok(Self { holder });
        }
        let output = holder.wait_with_output().map_err(|source| AwakeError::Start { tool, source })?;
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().map_or_else(|| output.status.to_string(), str::to_owned);
        Err(AwakeError::Refused { tool, said })
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        if let Err(error) = self.holder.wait() {
            tracing::debug!(%error, "the tool that keeps the machine awake was not waited for");
        }
    }
}

#[cfg(target_os = "macos")]
fn tool(_why: &str) -> (&'static str, Vec<String>) {
    ("caffeinate", vec!["-i".to_owned()])
}

#[cfg(not(target_os = "macos"))]
fn tool(why: &str) -> (&'static str, Vec<String>) {
    let arguments = ["--what=idle:sleep", "--mode=block", "--who=mozart"].map(str::to_owned);
    ("systemd-inhibit", [arguments.to_vec(), vec![format!("--why={why}")]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_may_sleep_again_once_it_is_dropped() {
        // `env` runs what follows, as the real tools do, without needing a login manager.
        let awake = Awake::keep_with("env", &[]).unwrap();
        let process = format!("/proc/{}", awake.holder.id());
        assert!(std::path::Path::new(&process).exists());
        drop(awake);
        assert!(!std::path::Path::new(&process).exists());
    }

    #[test]
    fn a_missing_tool_and_a_refusal_are_said() {
        let missing = Awake::keep_with("mozart-no-such-tool", &[]).unwrap_err().to_string();
        assert!(missing.contains("needs `mozart-no-such-tool`"), "{missing}");
        let script = "echo 'no login manager' >&2; exit 1";
        let refused = Awake::keep_with("sh", &["-c".to_owned(), script.to_owned()]).unwrap_err().to_string();
        assert!(refused.contains("no login manager"), "{refused}");
    }
}
