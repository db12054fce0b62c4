//! Signals: once finishes what runs, twice ends it; both leave a run that goes on.

use std::{fs::File, process::Stdio};

use nix::{pty::openpty, sys::signal::Signal};

use super::{
    held::{Held, gate, send, write_job},
    mozart::Place,
};

const FIRST: &str = "what runs is finished, then the run is suspended";
const SECOND: &str = "what runs is ended";

/// `state done` of the run.
fn standing(place: &Place) -> String {
    let shown: serde_json::Value =
        serde_json::from_str(&place.run(&["status", "held", "-o", "json"]).stdout).unwrap();
    let run = &shown["run"];
    format!("{} {}", run["state"].as_str().unwrap(), run["succeeded"])
}

fn goes_on_to_its_end(place: &Place) {
    let ran = place.run(&["resume", "held"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(standing(place), "complete 3");
}

#[test]
fn one_signal_finishes_what_runs_and_the_run_goes_on_later() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let place = Place::new();
        write_job(&place);
        let (mut run, batch) = Held::start(&place, &["run", "held.yaml"]);
        run.send(signal);
        run.wait_until_said(FIRST);
        drop(batch);
        run.wait_until_said("hint: mozart resume held/1");
        assert_eq!(run.code(), Some(130), "{signal}");
        assert_eq!(standing(&place), "suspended 1", "{signal}");
        goes_on_to_its_end(&place);
    }
}

#[test]
fn two_signals_end_what_runs_and_the_run_goes_on_later() {
    let place = Place::new();
    write_job(&place);
    let (mut run, _batch) = Held::start(&place, &["run", "held.yaml"]);
    run.send(Signal::SIGINT);
    run.wait_until_said(FIRST);
    run.send(Signal::SIGINT);
    run.wait_until_said(SECOND);
    assert_eq!(run.code(), Some(130));
    assert_eq!(standing(&place), "suspended 0");
    goes_on_to_its_end(&place);
}

#[test]
fn a_terminal_that_is_closed_suspends_the_run_without_a_word() {
    let place = Place::new();
    write_job(&place);
    let gate = gate(&place);
    let pty = openpty(None, None).unwrap();
    let end = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut command = place.mozart(&["run", "held.yaml"]);
    command.env("GATE", &gate).stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    drop(command);
    let _batch = File::options().write(true).open(&gate).unwrap();
    drop((pty.slave, pty.master));
    // Nothing can be said any more: the second, of another kind, so that they are two, ends what runs.
    send(&child, Signal::SIGHUP);
    send(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    goes_on_to_its_end(&place);
}
