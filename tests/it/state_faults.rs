//! State that cannot be written at its Nth step, for every N: the program itself, under a limit on the size of files.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Output, Stdio},
    thread,
};

use crate::support::Sandbox;

const BATCHES: usize = 8;

fn job(state: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "job.yaml",
        &format!(
            "name: full\nbackend:\n  type: command\n  \
             command: [bash, -c, 'echo $MOZART_BATCH_NUM >> ../started; sleep 0.02']\n\
             batch: {{size: 1, total_items: {BATCHES}}}\nprompt: {{template: do}}\nstate_backend: {state}\n"
        ),
    );
    sandbox
}

/// Runs the job where no file may grow beyond `limit` KiB, and every write that would fails as on a full disk.
fn run_limited(sandbox: &Sandbox, limit: u32) -> Output {
    let mozart = sandbox.mozart(["local-run", "job.yaml"]);
    let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"");
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).arg(mozart.get_program()).args(mozart.get_args());
    shell.envs(mozart.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(sandbox.path()).stdin(Stdio::null()).output().unwrap()
}

/// The batches that the state has as succeeded; `None` where no run was begun.
fn recorded(sandbox: &Sandbox) -> Option<Vec<String>> {
    let output = sandbox.mozart(["history", "full", "--batches", "-o", "json"]).output().unwrap();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("no job") || said.contains("no run yet"), "{said}");
        return None;
    }
    let batches: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let succeeded = batches.iter().filter(|batch| batch["state"] == "succeeded");
    Some(succeeded.map(|batch| batch["batch"].to_string()).collect())
}

fn starts(sandbox: &Sandbox) -> BTreeMap<String, usize> {
    let mut starts = BTreeMap::new();
    for line in fs::read_to_string(sandbox.path().join("started")).unwrap_or_default().lines() {
        *starts.entry(line.to_owned()).or_default() += 1;
    }
    starts
}

/// What came of a run under a limit.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Whole,
    NotBegun,
    FailedMidway,
}

/// Runs the job under the limit, and then again without.
fn try_limit(state: &str, limit: u32) -> Came {
    let sandbox = job(state);
    let output = run_limited(&sandbox, limit);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let recorded = recorded(&sandbox);
    if output.status.success() {
        assert_eq!(recorded.unwrap().len(), BATCHES, "{state}, {limit} KiB: no false success: {said}");
        return Came::Whole;
    }
    assert_eq!(output.status.code(), Some(2), "{state}, {limit} KiB: {said}");
    let advised =
        said.contains("the disk is full: make room") || said.contains("reports an error: see the cause");
    assert!(said.contains("error: ") && advised, "{state}, {limit} KiB: {said}");
    assert!(!said.contains("Complete"), "{state}, {limit} KiB: {said}");

    // What was not begun cannot be resumed.
    let mut again = match &recorded {
        Some(_) => sandbox.mozart(["resume", "full"]),
        None => sandbox.mozart(["local-run", "job.yaml"]),
    };
    let again = again.output().unwrap();
    assert!(again.status.success(), "{state}, {limit} KiB: {}", String::from_utf8_lossy(&again.stderr));
    let starts = starts(&sandbox);
    assert_eq!(starts.len(), BATCHES, "{state}, {limit} KiB: every batch ran");
    for batch in recorded.iter().flatten() {
        assert_eq!(starts[batch], 1, "{state}, {limit} KiB: batch {batch} was done already");
    }
    if recorded.is_some() { Came::FailedMidway } else { Came::NotBegun }
}

/// All at once: a run that cannot save waits half a minute for the disk before it stops.
fn try_limits(state: &str, limits: impl Iterator<Item = u32>) {
    let came: Vec<Came> = thread::scope(|scope| {
        let tries: Vec<_> = limits.map(|limit| scope.spawn(move || try_limit(state, limit))).collect();
        tries.into_iter().map(|tried| tried.join().unwrap()).collect()
    });
    for kind in [Came::NotBegun, Came::FailedMidway, Came::Whole] {
        assert!(came.contains(&kind), "{state}: {came:?}");
    }
}

#[test]
fn wherever_an_sqlite_file_cannot_grow_the_run_stops_in_the_open_and_resumes() {
    // A page of the database at a time: from none over the tables and the beginning of the run to its last save.
    try_limits("sqlite", (0..=40).step_by(20).chain((44..=120).step_by(4)).chain([1000]));
}

#[test]
fn wherever_a_json_file_cannot_grow_the_run_stops_in_the_open_and_resumes() {
    try_limits("json", (0..=4).chain([100]));
}
