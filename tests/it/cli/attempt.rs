//! `mozart attempt`: one attempt from a plan file.

use std::{fs::File, process::Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    held::{gate, send},
    mozart::Place,
};

const JOB: &str = "\
name: one
backend: {type: command, command: [bash, -c, 'cat; [ \"$MOZART_BATCH_NUM\" != 2 ]; code=$?; if [ -n \"$GATE\" ]; then cat \"$GATE\"; fi; exit $code']}
batch: {size: 1, total_items: 3}
prompt: {template: \"item {{ batch_num }}\"}
";

/// Of a job of its own: what runs of another attempt of the same name is swept away, wherever it is.
fn plan(place: &Place, batch: u32) -> Value {
    json!({
        "job": { "text": JOB },
        "run": { "job": Uuid::new_v4(), "run": 7 },
        "start": { "key": { "batch": batch, "ordinal": 1 }, "attempt": 1, "previous": null, "canary": false },
        "directory": place.work().join("run"),
        "workspace": place.work().join("space"),
    })
}

fn outcome(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn an_attempt_runs_and_prints_its_outcome_also_when_it_is_a_failure() {
    let place = Place::new();
    place.write("plan.json", &plan(&place, 1).to_string());
    let ran = place.run(&["attempt", "plan.json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let good = outcome(&ran.stdout);
    assert_eq!((good["failure"].is_null(), &good["exitCode"]), (true, &json!(0)), "{good}");
    assert_eq!(good["usage"]["costUSD"], "0.00");
    let said = std::fs::read_to_string(place.work().join("run/b1/a1/stdout.log")).unwrap();
    assert_eq!(said.trim_end(), "item 1");
    assert!(place.work().join("space").is_dir());
    let again = place.run(&["attempt", "plan.json"]);
    assert_eq!(outcome(&again.stdout), good, "an attempt that has ended is not run again");

    place.write("job.yaml", JOB);
    let mut by_file = plan(&place, 2);
    by_file["job"] = json!({ "file": place.work().join("job.yaml") });
    place.write("plan.json", &by_file.to_string());
    let ran = place.run(&["attempt", "plan.json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(outcome(&ran.stdout)["failure"]["reason"], "ProgramFailed");
}

#[test]
fn a_plan_that_cannot_be_run_is_refused() {
    let place = Place::new();
    let with = |field: &str, value: Value| {
        let mut plan = plan(&place, 1);
        plan[field] = value;
        plan.to_string()
    };
    let table = [
        ("{".to_owned(), "is no plan of an attempt"),
        (with("surprise", json!(1)), "unknown field `surprise`"),
        (with("directory", json!("run")), "`directory` of the plan is run, which is not absolute"),
        (with("job", json!({ "text": "name: [" })), "error:"),
        (plan(&place, 4).to_string(), "the job has 3 batches, and no batch 4"),
    ];
    for (text, words) in table {
        place.write("plan.json", &text);
        let ran = place.run(&["attempt", "plan.json"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{text}");
        assert!(ran.stderr.contains(words), "{text}: {}", ran.stderr);
    }
    assert_eq!(place.run(&["attempt", "missing.json"]).code, 2);
}

#[test]
fn an_attempt_that_is_asked_to_end_says_so_in_its_outcome() {
    let place = Place::new();
    place.write("plan.json", &plan(&place, 1).to_string());
    let gate = gate(&place);
    let mut command = place.mozart(&["attempt", "plan.json"]);
    command.env("GATE", &gate).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let _open = File::options().write(true).open(&gate).unwrap();
    send(&child, Signal::SIGTERM);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let outcome = outcome(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(outcome["failure"]["class"], "disruption", "{outcome}");
}
