//! What was said on top of a job file, and items from standard input: kept with the run.

use std::process::Stdio;

use super::mozart::{Place, Ran};

const JOB: &str = "\
name: words
backend: {type: command, command: [tr, a-z, A-Z]}
batch: {size: 1, total_items: 2}
prompt: {template: \"item {{ start_item }} {{ items | join(' ') }}\"}
";

fn run_with_input(place: &Place, arguments: &[&str], input: &str) -> Ran {
    place.write("input", input);
    let mut command = place.mozart(arguments);
    command.stdin(Stdio::from(std::fs::File::open(place.work().join("input")).unwrap()));
    place.output_of(command)
}

#[test]
fn items_come_from_standard_input_and_are_not_read_again() {
    let place = Place::new();
    place.write("words.yaml", JOB);
    let ran = run_with_input(
        &place,
        &["run", "words.yaml", "--items", "-", "--limit", "1"],
        "one\n\"two\"\n{\"n\": 3}\n",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = place.run(&["resume"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("as when the run began: --items -"), "{}", ran.stderr);
    assert!(ran.stderr.contains("3/3 done"), "{}", ran.stderr);
    let answers = place.run(&["output"]).stdout;
    assert!(answers.contains("ONE") && answers.contains("TWO"), "{answers}");
}

#[test]
fn other_items_are_another_plan() {
    let place = Place::new();
    place.write("words.yaml", JOB);
    let arguments = ["run", "words.yaml", "--items", "-", "--limit", "1"];
    assert_eq!(run_with_input(&place, &arguments, "one\ntwo\n").code, 0);
    assert_eq!(run_with_input(&place, &arguments, "[\"one\", \"three\"]").code, 2);
    let ran = run_with_input(&place, &arguments, "[\"one\", \"two\"]");
    assert!(ran.code == 0 && ran.stderr.contains("2/2 done"), "{}", ran.stderr);
}

#[test]
fn a_wrong_item_is_named_by_its_line() {
    let place = Place::new();
    place.write("words.yaml", JOB);
    let ran = run_with_input(&place, &["run", "words.yaml", "--items", "-"], "one\n{oops\n");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--items -") && ran.stderr.contains("line 2"), "{}", ran.stderr);
}

#[test]
fn what_was_set_when_a_run_began_is_set_when_it_goes_on() {
    let place = Place::new();
    place.write("words.yaml", JOB);
    let other = place.work().join("other").display().to_string();
    let begin = ["run", "words.yaml", "--set", "batch.totalItems=3", "--workspace", &other, "--limit", "1"];
    for go_on in [&["resume", "--limit", "1"][..], &["run", "words.yaml"]] {
        if place.run(&["status", "words"]).code != 0 {
            assert_eq!(place.run(&begin).code, 0);
        }
        let ran = place.run(go_on);
        assert_eq!(ran.code, 0, "{go_on:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("as when the run began: --set batch.totalItems=3"), "{}", ran.stderr);
        assert!(ran.stderr.contains("workspace [place]/work/other"), "{}", ran.stderr);
    }
    // Of the next run nothing was said.
    let ran = place.run(&["run", "words.yaml", "--rerun=All"]);
    assert!(ran.code == 0 && ran.stderr.contains("2/2 done"), "{}", ran.stderr);
}

#[test]
fn a_run_that_could_go_on_is_ended_by_restart_only_when_a_person_says_yes() {
    let place = Place::new();
    place.write("words.yaml", JOB);
    assert_eq!(place.run(&["run", "words.yaml", "--limit", "1"]).code, 0);
    let (code, shown) = place.on_terminal(&["run", "words.yaml", "--restart"], "n\n");
    assert!(code == 2 && shown.contains("nothing was done"), "{shown}");
    assert!(place.run(&["status", "words"]).stdout.contains("words/1  Suspended"));
    let (code, shown) = place.on_terminal(&["run", "words.yaml", "--restart"], "y\n");
    assert!(code == 0 && shown.contains("words/2"), "{shown}");
    let (code, shown) = place.on_terminal(&["run", "words.yaml", "--restart", "--yes"], "");
    assert!(code == 0 && shown.contains("words/3"), "{shown}");
}
