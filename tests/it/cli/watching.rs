//! `watch` and `wait` on this machine: how a run goes on, and nothing but its end.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
};

use super::{
    held::{Held, write_job},
    mozart::Place,
};

#[test]
fn a_run_is_watched_and_waited_for_to_its_end() {
    let place = Place::new();
    write_job(&place);
    let (run, first) = Held::start(&place, &["run", "held.yaml", "--set", "batch.total_items=1"]);
    let waiting = place.mozart(&["wait", "held"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut watching =
        place.mozart(&["watch", "held"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(watching.stdout.take().unwrap());
    let mut lines = String::new();
    said.read_line(&mut lines).unwrap();
    assert!(lines.contains("held/1 Running 0/1 done"), "{lines}");
    drop(first);
    assert_eq!(run.code(), Some(0));
    let waited = waiting.wait_with_output().unwrap();
    assert_eq!((waited.status.code(), waited.stdout), (Some(0), b"held/1 complete\n".to_vec()));
    said.read_to_string(&mut lines).unwrap();
    assert!(lines.trim_end().ends_with("held/1 Complete 1/1 done"), "{lines}");
    assert_eq!(watching.wait().unwrap().code(), Some(0));
}

#[test]
fn a_run_that_has_ended_is_told_at_once_by_the_exit_code() {
    let place = Place::new();
    write_job(&place);
    let fails = ["--set", "backend.command=[\"false\"]", "--set", "retry.max_retries=0"];
    assert_eq!(place.run(&[&["run", "held.yaml"][..], &fails].concat()).code, 1);
    let ran = place.run(&["wait", "held", "--timeout", "60"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "held/1 failed\n"), "{}", ran.stderr);
    let ran = place.run(&["watch", "held"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("mozart logs held/1 --failed"), "{}", ran.stderr);
}

#[test]
fn a_run_that_nobody_drives_is_not_waited_for() {
    let place = Place::new();
    write_job(&place);
    assert_eq!(place.run(&["run", "held.yaml", "--limit", "1"]).code, 0);
    for verb in ["wait", "watch"] {
        let ran = place.run(&[verb, "held"]);
        assert_eq!(ran.code, 2, "{}", ran.stdout);
        assert!(ran.stderr.contains("nobody drives held/1 (Suspended)"), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: mozart resume held/1 goes on"), "{}", ran.stderr);
    }
}
