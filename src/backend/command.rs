//! Any program: the prompt on its standard input, the answer on its standard output.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Answer, Call, EndedBy, Exit, Invocation, Judgement, Material};
use crate::job::{
    model::Command,
    outcome::{Failure, FailureClass, Usage},
};

/// Exit code by which a program says that it is limited and wants to be asked later (`EX_TEMPFAIL`).
pub const EXIT_THROTTLE: i32 = 75;
/// Exit code by which a program says that no batch of this job can work (`EX_CONFIG`).
pub const EXIT_JOB_FATAL: i32 = 78;

/// So much of the end of standard error is said in a failure's message.
const STDERR_TAIL_BYTES: u64 = 400;

/// The program with what it is told of its batch in the environment.
pub fn invocation(backend: &Command, call: &Call<'_>) -> Invocation {
    let mut words = backend.command.iter().cloned();
    Invocation {
        program: words.next().unwrap_or_default(),
        args: words.collect(),
        cwd: backend.working_directory.clone(),
        env_set: environment(call),
        env_copy: Vec::new(),
        env_remove: Vec::new(),
    }
}

/// What programs of an attempt are told of it: `MOZART_ATTEMPT` is the key under which they may recognise that they
/// were started for the same attempt before.
pub fn environment(call: &Call<'_>) -> Vec<(String, String)> {
    let job = call.job;
    [
        ("MOZART_ATTEMPT", call.name.to_string()),
        ("MOZART_ATTEMPT_ORDINAL", call.name.key.ordinal.to_string()),
        ("MOZART_JOB_NAME", job.name.to_string()),
        ("MOZART_RUN", call.name.run.run.to_string()),
        ("MOZART_WORKSPACE", job.workspace.path.display().to_string()),
        ("MOZART_BATCH_NUM", call.batch.number.to_string()),
        ("MOZART_TOTAL_BATCHES", job.batches.total().to_string()),
        ("MOZART_START_ITEM", call.batch.start_item.to_string()),
        ("MOZART_END_ITEM", call.batch.end_item.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// What the program's end means.
pub fn judge(material: Material<'_>, timeout: Duration) -> Judgement {
    Judgement {
        failure: failure(material, timeout),
        accepted: true,
        usage: Usage::default(),
        session: None,
        signal: None,
        warnings: Vec::new(),
        if_not_valid: None,
        provenance: None,
        answer: Answer::Stdout,
    }
}

fn failure(material: Material<'_>, timeout: Duration) -> Option<Failure> {
    let Exit { code, signal, ended_by } = material.exit;
    let said = || match tail(material.stderr) {
        Ok(text) if text.is_empty() => "it wrote nothing to stderr".to_owned(),
        Ok(text) => format!("its stderr ends with: {text}"),
        Err(error) => format!("its stderr cannot be read: {error}"),
    };
    let (class, reason, message) = match (ended_by, signal, code) {
        (Some(EndedBy::Timeout), ..) => (
            FailureClass::Transient,
            "Timeout",
            format!(
                "the program ran longer than timeoutSeconds ({} s) and was ended; {}",
                timeout.as_secs(),
                said()
            ),
        ),
        (Some(EndedBy::Interrupted), ..) => (
            FailureClass::Disruption,
            "Interrupted",
            "Mozart ended the program, to start it again later".to_owned(),
        ),
        (Some(EndedBy::Stopped), ..) => (
            FailureClass::Transient,
            "Stopped",
            "Mozart ended the program since the run was stopped".to_owned(),
        ),
        (_, Some(signal), _) => {
            let text = format!("the program was killed by signal {signal}; {}", said());
            (FailureClass::Transient, "Killed", text)
        }
        (_, None, 0) => return None,
        (_, None, EXIT_THROTTLE) => {
            let text = format!("the program asks to be started later (exit {EXIT_THROTTLE}); {}", said());
            (FailureClass::Throttle, "Throttled", text)
        }
        (_, None, EXIT_JOB_FATAL) => {
            let text = format!("the program says that no batch can work (exit {EXIT_JOB_FATAL}); {}", said());
            (FailureClass::JobFatal, "ProgramRefused", text)
        }
        (_, None, code) => (
            FailureClass::Transient,
            "ProgramFailed",
            format!("the program ended with exit {code}; {}", said()),
        ),
    };
    Some(Failure::new(class, reason, message))
}

/// The last line or so of a file, as text of one line.
pub(super) fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(STDERR_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(STDERR_TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The failure of a program that could not be started, from the error of the start.
pub fn start_failure(program: &str, cwd: &Path, error: &io::Error) -> Failure {
    let fatal = |reason: &str, message: String| Failure::new(FailureClass::JobFatal, reason, message);
    if !cwd.is_dir() {
        let cwd = cwd.display();
        return fatal(
            "WorkingDirectoryMissing",
            format!(
                "`{program}` cannot start in {cwd}: there is no such folder; make it or change workingDirectory"
            ),
        );
    }
    match error.kind() {
        io::ErrorKind::NotFound => fatal(
            "ExecutableMissing",
            format!(
                "`{program}` (or the interpreter that its first line names) is not there: install it, or write its path"
            ),
        ),
        io::ErrorKind::PermissionDenied => fatal(
            "ExecutableMissing",
            format!("`{program}` may not be executed: `chmod +x` it, or name another program"),
        ),
        io::ErrorKind::ArgumentListTooLong => fatal(
            "ExecutableMissing",
            format!("the arguments of `{program}` are longer than the system takes"),
        ),
        _ => Failure::new(
            FailureClass::Transient,
            "StartFailed",
            format!("`{program}` could not be started: {error}"),
        ),
    }
}

/// Finds the program without running it. `Ok` is its path.
///
/// # Errors
/// With the failure that a start would be.
pub fn health_check(backend: &Command) -> Result<String, Failure> {
    let program = backend.command.first().map_or("", String::as_str);
    match find(program, &backend.working_directory) {
        Ok(path) => Ok(path.display().to_string()),
        Err(error) => Err(start_failure(program, &backend.working_directory, &error)),
    }
}

fn find(program: &str, cwd: &Path) -> io::Result<PathBuf> {
    let executable = |path: &Path| {
        let metadata = fs::metadata(path)?;
        let allowed = metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
        if allowed { Ok(path.to_owned()) } else { Err(io::Error::from(io::ErrorKind::PermissionDenied)) }
    };
    if program.contains('/') {
        return executable(&cwd.join(program));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut found = Err(io::Error::from(io::ErrorKind::NotFound));
    for folder in std::env::split_paths(&folders) {
        match executable(&folder.join(program)) {
            Ok(path) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => found = Err(error),
            Err(_) => {}
        }
    }
    found
}
