//! A place of its own for a test that runs the program: nothing of the person's own state is read or written.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A folder with a job file and a state folder.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where Mozart keeps its state.
    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The program, with this sandbox's state, in this sandbox's folder, off a terminal.
    pub(crate) fn mozart<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mozart"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("MOZART_HOME", self.home())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// What the program prints as JSON when it is asked so.
    pub(crate) fn json<const N: usize>(&self, arguments: [&str; N]) -> serde_json::Value {
        let output = self.mozart(arguments).args(["-o", "json"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}\n{said}"))
    }

    /// Processes that were started, however indirectly, by a Mozart of this sandbox.
    #[cfg(target_os = "linux")]
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let mark = format!("MOZART_HOME={}", self.home().display());
        let pids =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let ours = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        let name = |pid: u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            (pid, String::from_utf8_lossy(&line).replace('\0', " "))
        };
        pids.filter(ours).map(name).collect()
    }
}
