//! `mozart dashboard` as people run it, in a process of its own.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

pub struct Served {
    process: Child,
    pub address: String,
    pub token: String,
}

impl Served {
    pub fn start(home: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mozart"));
        command.args(["dashboard", "--port", "0"]).env("MOZART_HOME", home);
        Self::of(&mut command)
    }

    /// A program that prints the address with its token.
    pub fn of(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a program");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("an address");
        let (base, token) = line.trim().split_once("/?token=").expect("the address with its token");
        let address = base.strip_prefix("http://").expect("an address").to_owned();
        Self { process, address, token: token.to_owned() }
    }

    /// What is in its memory now, in KiB.
    pub fn resident(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
    }

    /// The processor time that it has taken, in hundredths of a second.
    pub fn cpu(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
