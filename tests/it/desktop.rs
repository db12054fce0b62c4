//! Desktop notifications on a real D-Bus session, of which the test owns the bus and the notification service.

#![expect(
    clippy::too_many_arguments,
    clippy::used_underscore_binding,
    reason = "the specification has these arguments, and the macro hands them over owned"
)]

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use zbus::OwnedVariant;

use crate::support::Sandbox;

const JOB: &str = "\
name: desktop-test
backend: {type: command, command: [\"true\"]}
batch: {size: 1, total_items: 3}
prompt: {template: batch}
notifications:
  - {type: desktop, on_events: [job_complete]}
";

/// A session bus of its own; ends with the test.
struct Bus {
    daemon: Child,
    address: String,
}

impl Bus {
    fn start(sandbox: &Sandbox) -> Self {
        let address = format!("--address=unix:dir={}", sandbox.path().display());
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1", &address])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { daemon, address: address.trim().to_owned() }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}

/// What a desktop is asked to show.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    application: String,
    summary: String,
    body: String,
}

/// The notification service.
struct Desktop {
    shown: Sender<Shown>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Desktop {
    fn notify(
        &self,
        app_name: String,
        _replaces_id: u32,
        _app_icon: String,
        summary: String,
        body: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedVariant>,
        _expire_timeout: i32,
    ) -> u32 {
        self.shown.send(Shown { application: app_name, summary, body }).unwrap();
        1
    }
}

async fn serve(bus: &Bus) -> (zbus::Connection, Receiver<Shown>) {
    let (shown, receiver) = channel();
    let connection = zbus::connection::Builder::address(bus.address.as_str())
        .serve_at("/org/freedesktop/Notifications", Desktop { shown })
        .name("org.freedesktop.Notifications")
        .build()
        .await
        .unwrap();
    (connection, receiver)
}

/// Runs the job; the service goes on being served meanwhile.
async fn run(sandbox: &Sandbox, bus_address: &str) -> Output {
    sandbox.write("job.yaml", JOB);
    let mut command = sandbox.mozart(["local-run", "job.yaml"]);
    command.env("DBUS_SESSION_BUS_ADDRESS", bus_address);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_desktop_shows_that_a_job_is_complete() {
    let sandbox = Sandbox::new();
    let bus = Bus::start(&sandbox);
    let (_connection, shown) = serve(&bus).await;
    let output = run(&sandbox, &bus.address).await;
    assert!(output.status.success(), "{output:?}");
    let first = shown.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(first.application, "Mozart");
    assert_eq!(first.summary, "desktop-test/1: complete");
    assert!(first.body.contains('3'), "{first:?}");
    assert!(shown.try_recv().is_err(), "it is shown once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_without_a_notification_service_is_said_once_and_the_job_is_complete() {
    let sandbox = Sandbox::new();
    let bus = Bus::start(&sandbox);
    for address in [bus.address.as_str(), "unix:path=/nonexistent/bus"] {
        let sandbox = Sandbox::new();
        let output = run(&sandbox, address).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(said.matches("shows no desktop notifications").count(), 1, "{said}");
    }
}
