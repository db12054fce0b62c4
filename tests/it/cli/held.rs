//! A job whose batches wait until the test lets them go on: what happens meanwhile is no matter of time.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, ChildStderr, Command, Stdio},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

use super::mozart::Place;

/// Three batches; each waits for the gate, if there is one.
const JOB: &str = "\
name: held
backend:
  type: command
  command: [bash, -c, 'cat > /dev/null; if [ -n \"$GATE\" ]; then cat \"$GATE\"; fi; echo done']
batch: {size: 1, total_items: 3}
prompt: {template: \"item {{ batch_num }}\"}
";

/// Writes the job file `held.yaml`.
pub(crate) fn write_job(place: &Place) {
    place.write("held.yaml", JOB);
}

/// A `mozart` that runs, whose batches wait at the gate.
pub(crate) struct Held {
    child: Child,
    said: BufReader<ChildStderr>,
    gate: PathBuf,
}

/// The gate of a place, a pipe with a name: made when it is first asked for.
pub(crate) fn gate(place: &Place) -> PathBuf {
    let path = place.work().join("gate");
    if !path.exists() {
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    }
    path
}

/// Ends a process that a test has started with a signal.
pub(crate) fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

impl Held {
    /// Starts `mozart` and returns when its first batch waits.
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> (Self, File) {
        let gate = gate(place);
        let mut command = place.mozart(arguments);
        command.env("GATE", &gate);
        Self::spawn(command, gate)
    }

    fn spawn(mut command: Command, gate: PathBuf) -> (Self, File) {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let held = Self { child, said, gate };
        let first = held.next_batch();
        (held, first)
    }

    /// Returns when a batch waits; it goes on when the file is dropped.
    pub(crate) fn next_batch(&self) -> File {
        // Opening a pipe to write waits for its reader.
        File::options().write(true).open(&self.gate).unwrap()
    }

    pub(crate) fn send(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Returns when it has said this on standard error.
    pub(crate) fn wait_until_said(&mut self, words: &str) {
        let mut all = String::new();
        while !all.contains(words) {
            assert!(self.said.read_line(&mut all).unwrap() > 0, "it ended without `{words}`:\n{all}");
        }
    }

    /// Its exit code.
    pub(crate) fn code(mut self) -> Option<i32> {
        std::io::copy(&mut self.said, &mut std::io::sink()).unwrap();
        self.child.wait().unwrap().code()
    }
}
