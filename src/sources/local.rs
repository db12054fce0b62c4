//! What a job may name on this machine: files beside the job file, and a command.

use std::{
    io::{self, Read},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::{sys::signal::Signal, unistd::Pid};

use crate::job::sources::{MAX_BYTES, Mode, SourceError, Sources, read_text};

/// How long a command that lists items may take.
pub const COMMAND_TIMEOUT: Duration = Duration::from_mins(1);

/// The most of a failed command's stderr that is told, in bytes.
const STDERR_BYTES: usize = 500;

/// Files relative to a folder, and commands in it.
#[derive(Clone, Debug)]
pub struct LocalSources {
    folder: PathBuf,
    timeout: Duration,
    standard_input: Option<String>,
}

impl LocalSources {
    /// Those of a job file in `folder`, which is absolute.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), timeout: COMMAND_TIMEOUT, standard_input: None }
    }

    /// The same, where the file `-` is this text.
    pub fn with_standard_input(self, text: Option<String>) -> Self {
        Self { standard_input: text, ..self }
    }

    /// The same with another timeout for commands.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

impl Sources for LocalSources {
    fn mode(&self) -> Mode {
        Mode::Local
    }

    fn file(&self, path: &str) -> Result<String, SourceError> {
        match &self.standard_input {
            Some(text) if path == "-" => Ok(text.clone()),
            _ => read_text(&self.folder.join(path)),
        }
    }

    fn config_map(&self, _: &str, _: &str) -> Result<String, SourceError> {
        Err(SourceError::NotHere("ConfigMaps"))
    }

    fn command(&self, command: &str) -> Result<String, SourceError> {
        let child = Command::new("bash")
            .args(["-o", "pipefail", "-c", command])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        let mut child = child.map_err(SourceError::Start)?;
        let group = Pid::from_raw(i32::try_from(child.id()).expect("the kernel's process ids fit"));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            let said = thread::spawn(move || capped(stderr));
            let printed = capped(stdout);
            let said = said.join().unwrap_or_else(|_| Ok(Vec::new()));
            // Nobody listens any more when the time was over.
            let _ = ended.send(printed.and_then(|printed| Ok((printed, said?, child.wait()?))));
        });
        let result = end.recv_timeout(self.timeout);
        if !matches!(result, Ok(Ok(_))) {
            // It may have ended by itself meanwhile.
            let _ = nix::sys::signal::killpg(group, Signal::SIGKILL);
        }
        let (printed, said, status) = match result {
            Ok(done) => done.map_err(SourceError::Start)?,
            Err(_) => return Err(SourceError::Timeout { after: self.timeout }),
        };
        let what = || format!("what `{command}` printed");
        if printed.len() as u64 > MAX_BYTES {
            return Err(SourceError::TooLarge { what: what() });
        }
        if !status.success() {
            let said = String::from_utf8_lossy(&said);
            let said = said.trim();
            let from = said.len().saturating_sub(STDERR_BYTES);
            let from = (from..=said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(0);
            let status = match status.signal() {
                Some(signal) => format!("signal {signal}"),
                None => format!("exit code {}", status.code().unwrap_or_default()),
            };
            return Err(SourceError::Failed { status, stderr: said[from..].to_owned() });
        }
        String::from_utf8(printed)
            .map_err(|error| SourceError::NotUtf8 { what: what(), at: error.utf8_error().valid_up_to() })
    }
}

/// Reads a pipe to its end, or to one byte more than may be; what closes early ends its writer.
fn capped(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
