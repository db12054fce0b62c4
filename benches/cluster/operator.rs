//! The operator as a process of its own, with the rights of its own account.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
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
    metrics: SocketAddr,
}

impl Operator {
    /// Starts it. One that was killed leads again at once: it is the same container started anew.
    pub fn start(kubernetes: &Kubernetes) -> Self {
        let log = kubernetes.folder.join("operator.log");
        let output =
            File::options().create(true).append(true).open(&log).expect("room on the disk of the build");
        // It is free a moment later too.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let metrics = listener.local_addr().expect("a listener has an address");
        drop(listener);
        let child = Command::new(env!("CARGO_BIN_EXE_mozart"))
            .args(["operator", "--all-namespaces", "--identity", "bench", "--lease-namespace", HOME])
            .args(["--metrics-address", &metrics.to_string()])
            .args(["--allow-address", "127.0.0.0/8"])
            .args(["--image", "localhost/mozart:bench", "--batch-image", "localhost/mozart:bench"])
            .env("KUBECONFIG", &kubernetes.kubeconfig)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .expect("the program that was built");
        Self { child, log, metrics }
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

    /// How many files and connections it has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// A number that it tells of itself.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{series} is not in\n{text}"))
    }

    /// A time that 99 of 100 of a histogram's observations did not pass: the bound of its bucket, in seconds.
    pub fn p99(&self, histogram: &str) -> f64 {
        let text = self.metrics();
        let prefix = format!("{histogram}_bucket{{le=\"");
        let buckets: Vec<(f64, f64)> = text
            .lines()
            .filter_map(|line| line.strip_prefix(prefix.as_str())?.split_once("\"} "))
            .filter_map(|(bound, count)| Some((bound.parse().unwrap_or(f64::INFINITY), count.parse().ok()?)))
            .collect();
        let all = buckets.last().map_or(0.0, |(_, count)| *count);
        buckets.iter().find(|(_, count)| *count >= 0.99 * all).map_or(f64::INFINITY, |(bound, _)| *bound)
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.metrics).expect("the operator listens");
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it takes a question");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        text
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
