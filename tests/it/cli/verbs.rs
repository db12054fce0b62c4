//! The table "Verbs and states": what each verb does to a job, by where its last run stands.

use super::{
    held::{Held, write_job},
    mozart::Place,
};

/// Runs every verb and checks its exit code and a piece of what it says. `renew` makes the state anew for each.
fn check(state: &str, renew: impl Fn() -> Place, table: &[(&[&str], i32, &str)]) {
    for (arguments, code, words) in table {
        let place = renew();
        let ran = place.run(arguments);
        assert_eq!(ran.code, *code, "{state}: mozart {}\n{}", arguments.join(" "), ran.stderr);
        assert!(
            ran.stderr.contains(words),
            "{state}: mozart {} does not say `{words}`:\n{}",
            arguments.join(" "),
            ran.stderr
        );
    }
}

/// A job whose second batch fails until the file `fixed` is there.
const JOB: &str = "\
name: held
backend: {type: command, command: [bash, -c, '[ \"$MOZART_BATCH_NUM\" != 2 ] || [ -e ../fixed ]']}
batch: {size: 1, total_items: 3}
prompt: {template: \"item {{ batch_num }}\"}
retry: {max_retries: 0}
";

fn ran(arguments: &[&str], code: i32, fixed: bool) -> Place {
    let place = Place::new();
    place.write("held.yaml", JOB);
    if fixed {
        place.write("fixed", "");
    }
    assert_eq!(place.run(arguments).code, code);
    place
}

#[test]
fn without_a_run_only_run_does_something() {
    let none = || {
        let place = Place::new();
        write_job(&place);
        place
    };
    let no_job = "there is no job `held`";
    check(
        "no run",
        none,
        &[
            (&["local-run", "held.yaml"], 0, "held/1 Complete"),
            (&["run", "held.yaml", "--batches", "2"], 0, "1/1 done"),
            (&["resume", "held"], 2, no_job),
            (&["resume"], 2, "no job was run in this directory"),
            (&["retry", "held", "--failed"], 2, no_job),
            (&["suspend", "held"], 2, no_job),
            (&["stop", "held"], 2, no_job),
        ],
    );
}

#[test]
fn an_active_run_is_left_alone_but_by_suspend_and_stop() {
    let place = Place::new();
    write_job(&place);
    let (mut run, batch) = Held::start(&place, &["run", "held.yaml"]);
    let table: &[(&[&str], i32, &str)] = &[
        (&["run", "held.yaml"], 2, "job held is in use by held/1, process "),
        (&["run", "held.yaml", "--restart"], 2, "job held is in use by held/1, process "),
        (&["resume", "held"], 0, "held/1 runs already, in process "),
        (&["retry", "held", "--failed"], 2, "job held is in use by held/1, process "),
        (&["suspend", "held"], 0, "lets what runs finish and suspends held/1"),
    ];
    for (arguments, code, words) in table {
        let ran = place.run(arguments);
        assert_eq!(ran.code, *code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
    let another = Place::new();
    write_job(&another);
    let workspace = place.work().join("workspace").display().to_string();
    let refused = another.run(&["run", "held.yaml", "--workspace", &workspace]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("is in use by held/1, process "), "{}", refused.stderr);
    run.wait_until_said("asks to suspend");
    drop(batch);
    assert_eq!(run.code(), Some(0), "it was suspended as it was asked for");

    let (run, batch) = Held::start(&place, &["resume", "held"]);
    let ran = place.run(&["stop", "held", "--now"]);
    assert!(ran.code == 0 && ran.stderr.contains("ends held/1"), "{}", ran.stderr);
    assert_eq!(run.code(), Some(1));
    drop(batch);
}

#[test]
fn a_suspended_run_goes_on_or_is_stopped() {
    let suspended = || ran(&["run", "held.yaml", "--limit", "1"], 0, true);
    check(
        "suspended",
        suspended,
        &[
            (&["run", "held.yaml"], 0, "held/1 goes on: 1/3 done"),
            (&["resume"], 0, "held/1 goes on: 1/3 done"),
            (&["retry", "--failed"], 2, "the last run is suspended, not ended"),
            (&["run", "held.yaml", "--rerun"], 2, "the last run is suspended, not ended"),
            (
                &["run", "held.yaml", "--set", "prompt.template=other"],
                2,
                "has changed since the suspended run began",
            ),
            (&["run", "held.yaml", "--set", "prompt.template=other", "--continue"], 0, "held/1 Complete"),
            (&["run", "held.yaml", "--set", "batch.size=2", "--continue"], 2, "into other batches"),
            (&["run", "held.yaml", "--restart"], 0, "held/2 Complete"),
            (&["suspend"], 0, "held/1 is suspended already"),
            (&["stop"], 0, "held/1 has ended: no process drove it"),
        ],
    );
}

#[test]
fn a_complete_run_is_said_to_be_and_run_again_only_when_asked() {
    let complete = || ran(&["run", "held.yaml"], 0, true);
    check(
        "complete",
        complete,
        &[
            (&["run", "held.yaml"], 0, "every batch is done already"),
            (&["run", "held.yaml", "--rerun=All"], 0, "held/2 Complete"),
            (&["run", "held.yaml", "--set", "prompt.template=other"], 2, "has changed since"),
            (&["run", "held.yaml", "--set", "prompt.template=other", "--rerun=All"], 0, "held/2 Complete"),
            (&["resume"], 0, "every batch is done already"),
            (&["retry", "--failed"], 2, "no batch"),
            (&["retry", "--batches", "2"], 0, "held/2 Complete"),
            (&["suspend"], 0, "held/1 has ended already: Complete"),
            (&["stop"], 0, "held/1 has ended already: Complete"),
        ],
    );
}

#[test]
fn a_failed_run_is_shown_and_what_it_left_is_run_again_when_asked() {
    let failed = || {
        let place = ran(&["run", "held.yaml"], 1, false);
        place.write("fixed", "");
        place
    };
    check(
        "failed",
        failed,
        &[
            (&["run", "held.yaml"], 1, "ProgramFailed batch 2"),
            (&["run", "held.yaml", "--rerun"], 0, "held/2 Complete"),
            (&["run", "held.yaml", "--rerun=Failed"], 0, "held/2 Complete"),
            (&["resume"], 0, "held/2 Complete"),
            (&["retry", "--failed"], 0, "held/2 Complete"),
            (&["retry", "--batches", "1-2"], 0, "2/2 done"),
            (&["suspend"], 0, "held/1 has ended already: Failed"),
            (&["stop"], 0, "held/1 has ended already: Failed"),
        ],
    );
}

#[test]
fn a_run_is_stopped_and_suspended_also_when_its_job_file_is_gone_or_broken() {
    let gone = || {
        let place = ran(&["run", "held.yaml", "--limit", "1"], 0, true);
        std::fs::remove_file(place.work().join("held.yaml")).unwrap();
        place
    };
    let broken = || {
        let place = ran(&["run", "held.yaml", "--limit", "1"], 0, true);
        place.write("held.yaml", "name: [");
        place
    };
    let table: &[(&[&str], i32, &str)] = &[
        (&["stop", "held"], 0, "held/1 has ended"),
        (&["suspend", "held"], 0, "held/1 is suspended already"),
        (&["status", "held"], 0, ""),
    ];
    check("gone", gone, table);
    check("broken", broken, table);
    let gone = gone();
    let ran = gone.run(&["resume"]);
    assert!(ran.code == 2 && ran.stderr.contains("is no longer there"), "{}", ran.stderr);
}
