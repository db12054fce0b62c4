//! The operator as a process of its own, with the rights of its own account.

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::{
    kubernetes::{HOME, Kubernetes},
    peak, process,
};

/// An operator for every namespace. It is killed when this is dropped.
pub struct Operator {
    child: Child,
    log: PathBuf,
}

impl Operator {
    /// Starts it. One that was killed leads again at once: it is the same container started anew.
    pub fn start(kubernetes: &Kubernetes) -> Self {
        let log = kubernetes.folder.join("operator.log");
        let output =
            File::options().create(true).append(true).open(&log).expect("room on the disk of the build");
        let child = Command::new(env!("CARGO_BIN_EXE_mozart"))
            .args(["operator", "--all-namespaces", "--identity", "bench", "--lease-namespace", HOME])
            .args(["--metrics-address", "127.0.0.1:0"])
            .args(["--allow-address", "127.0.0.0/8"])
            .args(["--image", "localhost/mozart:bench", "--batch-image", "localhost/mozart:bench"])
            .env("KUBECONFIG", &kubernetes.kubeconfig)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .expect("the program that was built");
        Self { child, log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has taken, in KiB.
    pub fn peak(&self) -> u64 {
        peak::of(self.pid())
    }

    /// The memory that it takes, in KiB.
    pub fn resident(&self) -> u64 {
        process::resident(self.pid())
    }

    /// What it said last.
    fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        if std::thread::panicking() || ended.is_some() {
            let _ = writeln!(std::io::stderr(), "the operator ({ended:?}) said last:\n{}", self.said());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
