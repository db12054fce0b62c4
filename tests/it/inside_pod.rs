//! `mozart attempt --pod`, run here as the kubelet runs it there: what it leaves as its message and what it says.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, Output, Stdio},
};

use jiff::Timestamp;
use mozart::{
    attempt::{message, remote::RemoteCall},
    job::{
        finding::Finding,
        identity::{AttemptKey, BatchNum, RunId},
        items::hash_of,
        load::{Overrides, load},
        outcome::{FailureClass, Outcome},
        plan::{Plan, Settled},
        start::{Previous, Start},
    },
    launch::pod::said::{self, Said},
    sources::LocalSources,
};
use nix::{sys::signal, unistd::Pid};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Sandbox;

struct Place {
    sandbox: Sandbox,
    plan: String,
    /// Its own: attempts of one name end each other's processes.
    job: Uuid,
}

impl Place {
    /// A place for attempts at a job of the backend `command`.
    fn new(command: &[&str], more: &Value) -> Self {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path().join("workspace")).unwrap();
        let mut spec = json!({
            "backend": {"type": "command", "command": command, "timeoutSeconds": 30},
            "batch": {"size": 1, "totalItems": 3},
            "prompt": {"template": "batch {{ batch_num }}"},
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let manifest = json!({"apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": {"name": "inside"},
            "spec": spec});
        let file = sandbox.write("job.yaml", &manifest.to_string());
        let job = load(&file, &Overrides::default(), &LocalSources::new(sandbox.path())).unwrap().job;
        let plan = Plan::new(&manifest, &job, &Settled::default()).text();
        Self { sandbox, plan, job: Uuid::new_v4() }
    }

    fn call(&self, ordinal: u32) -> RemoteCall {
        let text = |name: &str| self.sandbox.path().join(name);
        // As two ConfigMaps would hold it.
        let (head, tail) = self.plan.split_at(self.plan.len() / 2);
        self.sandbox.write("plan-0", head);
        self.sandbox.write("plan-1", tail);
        let key = AttemptKey { batch: BatchNum(2), ordinal };
        let previous = (ordinal > 1).then(|| Previous {
            class: FailureClass::Validation,
            reason: "ValidationFailed".to_owned(),
            session: None,
        });
        RemoteCall {
            run: RunId { job: self.job, run: 3 },
            start: Start { key, attempt: ordinal, previous, canary: false, budget_micro_usd: None },
            plan_hash: hash_of(&self.plan),
            plan: vec![text("plan-0"), text("plan-1")],
            workspace: text("workspace"),
            folder: text("state").join(key.to_string()),
            message: text("message"),
            secrets: vec!["MY_SECRET".to_owned()],
        }
    }

    fn start(&self, call: &RemoteCall) -> Child {
        fs::write(&call.message, "").unwrap();
        let text = serde_json::to_string(call).unwrap();
        self.sandbox
            .mozart(["attempt", "--pod", &text])
            .env("HOME", self.sandbox.path().join("state/home"))
            .env("MY_SECRET", "sk-canary-123")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn run(&self, call: &RemoteCall) -> (Outcome, Output) {
        let output = self.start(call).wait_with_output().unwrap();
        (outcome(&call.message), output)
    }

    fn workspace(&self, name: &str) -> PathBuf {
        self.sandbox.path().join("workspace").join(name)
    }
}

fn outcome(message: &PathBuf) -> Outcome {
    let text = fs::read_to_string(message).unwrap();
    message::read(&text, (Timestamp::MIN, Timestamp::MAX)).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn reason(outcome: &Outcome) -> (FailureClass, &str) {
    let failure = outcome.failure.as_ref().unwrap();
    (failure.class, &failure.reason)
}

#[test]
fn an_attempt_runs_from_its_plan_and_leaves_its_outcome_and_its_lines() {
    let place = Place::new(
        &["bash", "-c", "echo $(cat) > out.txt; echo said; echo odd >&2"],
        &json!({"validations": [{"type": "content_contains", "path": "{workspace}/out.txt", "pattern": "batch 2"},
            {"type": "command_succeeds", "command": "test -f {workspace}/out.txt"}]}),
    );
    let (outcome, output) = place.run(&place.call(1));
    assert!(outcome.succeeded(), "{outcome:?}");
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let words: Vec<(&str, &str)> =
        said.lines().map(|line| (&line[..1], line.rsplit(' ').next().unwrap())).collect();
    assert!(words.contains(&("o", "said")) && words.contains(&("e", "odd")), "{said}");
    let findings: Vec<Finding> = findings(&said);
    let kinds: Vec<(&str, bool)> = findings.iter().map(|one| (one.kind.as_str(), one.passed)).collect();
    assert_eq!(kinds, [("content_contains", true), ("command_succeeds", true)], "{said}");
}

/// What the lines of a Pod's log say of its validations.
fn findings(said: &str) -> Vec<Finding> {
    let of = |line: &str| match said::read(line.as_bytes())? {
        (Said::Finding, text) => Some(said::finding(text).expect("what is written is read")),
        _ => None,
    };
    said.lines().filter_map(of).collect()
}

#[test]
fn what_a_validation_expected_and_found_is_on_the_log_of_the_pod_and_shows_no_secret() {
    let place = Place::new(
        &["bash", "-c", "echo $MY_SECRET > out.txt"],
        &json!({"validations": [{"type": "command_succeeds", "command": "cat {workspace}/out.txt; exit 3"},
            {"type": "file_exists", "path": "{workspace}/other.md", "description": "the report"}]}),
    );
    let (outcome, output) = place.run(&place.call(1));
    assert_eq!(reason(&outcome), (FailureClass::Validation, "ValidationFailed"));
    let said = String::from_utf8(output.stdout).unwrap();
    let found = findings(&said);
    assert_eq!(found.len(), 2, "{said}");
    assert!(found.iter().all(|one| !one.passed && !one.expected.is_empty()), "{found:?}");
    assert!(found[0].actual.contains("***") && !said.contains("sk-canary-123"), "{said}");
    assert_eq!(
        (found[1].path.as_deref(), found[1].description.as_deref()),
        (Some("other.md"), Some("the report"))
    );
}

#[test]
fn a_secret_is_shown_nowhere_though_the_program_prints_it() {
    let place = Place::new(&["bash", "-c", "env; echo $MY_SECRET >&2; exit 3"], &json!({}));
    let call = place.call(1);
    let (outcome, output) = place.run(&call);
    assert!(!outcome.succeeded());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("MY_SECRET=***"), "{said}");
    for text in [&output.stdout, &output.stderr, &fs::read(&call.message).unwrap()] {
        assert!(!String::from_utf8_lossy(text).contains("sk-canary-123"));
    }
}

#[test]
fn sigterm_ends_the_tree_and_the_attempt_says_that_it_was_interrupted() {
    let place = Place::new(&["bash", "-c", "setsid sleep 600 & echo ready; wait"], &json!({}));
    let call = place.call(1);
    let mut child = place.start(&call);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.ends_with("ready\n"), "{line}");
    signal::kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal::Signal::SIGTERM).unwrap();
    lines.read_to_string(&mut line).unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(reason(&outcome(&call.message)), (FailureClass::Disruption, "Interrupted"));
    // The keeper ends by itself when it sees that Mozart is gone; the program and what it started are gone by now.
    let left = place.sandbox.processes();
    assert!(left.iter().all(|(_, line)| line.ends_with("mozart keeper ")), "{left:?}");
}

#[test]
fn an_attempt_whose_own_process_is_killed_is_told_of_by_the_first_one() {
    let place = Place::new(&["bash", "-c", "echo ready; sleep 600"], &json!({}));
    let call = place.call(1);
    let mut child = place.start(&call);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut String::new()).unwrap();
    let below =
        place.sandbox.processes().into_iter().find(|(_, line)| line.contains("--below-the-first")).unwrap();
    signal::kill(Pid::from_raw(i32::try_from(below.0).unwrap()), signal::Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    assert_eq!(reason(&outcome(&call.message)), (FailureClass::Transient, "Killed"));
    // Where the first process is that of a container, all others go with it.
    while let Some((pid, _)) = place.sandbox.processes().pop() {
        let _ = signal::kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal::Signal::SIGKILL);
    }
}

#[test]
fn another_plan_than_the_runs_is_not_run() {
    let place = Place::new(&["bash", "-c", "touch ran"], &json!({}));
    let call = place.call(1);
    let plan = fs::read_to_string(&call.plan[1]).unwrap();
    fs::write(&call.plan[1], plan.replace("touch ran", "touch run")).unwrap();
    let (outcome, _) = place.run(&call);
    assert_eq!(reason(&outcome), (FailureClass::JobFatal, "PlanTampered"));
    assert!(!place.workspace("ran").exists() && !place.workspace("run").exists());
}

#[test]
fn the_baseline_of_a_batch_goes_from_pod_to_pod_and_nothing_stays_in_the_workspace() {
    let script = "grep -q again done.txt 2>/dev/null || echo again > done.txt; test -e second || { touch second; exit 1; }";
    let place = Place::new(
        &["bash", "-c", script],
        &json!({"validations": [{"type": "file_modified", "path": "{workspace}/done.txt"}]}),
    );
    fs::write(place.workspace("done.txt"), "before").unwrap();
    let kept = format!(".mozart/{}-r3/b2.json", &place.job.to_string()[..8]);
    let (first, _) = place.run(&place.call(1));
    assert!(!first.succeeded());
    assert!(place.workspace(&kept).exists());
    fs::remove_dir_all(place.sandbox.path().join("state")).unwrap();
    // By a baseline of its own the second would have changed nothing.
    let (second, _) = place.run(&place.call(2));
    assert!(second.succeeded(), "{second:?}");
    assert!(!place.workspace(".mozart").exists());
}

/// The most memory that the attempt's own processes had so far, in KiB, by pid.
fn peaks(place: &Place) -> BTreeMap<u32, u64> {
    let of = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    let own = place.sandbox.processes().into_iter().filter(|(_, line)| line.contains("mozart attempt --pod"));
    own.filter_map(|(pid, _)| Some((pid, of(pid)?))).collect()
}

#[test]
fn r27_a_flood_without_line_ends_with_nul_and_bytes_that_are_no_text_is_cut_marked_and_held_in_little_memory()
{
    let script = "echo ready; head -c 128000000 /dev/zero | tr '\\0' x; printf '\\n\\0nul \\377\\376 bad\\n'; \
                  yes \"$(printf %0100d 7)\" | head -c 30000000; echo; echo last";
    let place = Place::new(&["bash", "-c", script], &json!({}));
    let call = place.call(1);
    let mut child = place.start(&call);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (mut line, mut bytes, mut lines) = (Vec::new(), 0, Vec::new());
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    while output.read_until(b'\n', &mut line).unwrap() > 0 {
        bytes += line.len();
        if lines.is_empty() {
            before = peaks(&place);
        } else if lines.len().is_multiple_of(10_000) {
            // What is said at the end is said while everything that is kept is in memory.
            after.append(&mut peaks(&place));
        }
        lines.push(String::from_utf8(std::mem::take(&mut line)).unwrap());
    }
    assert!(child.wait().unwrap().success());
    assert!(outcome(&call.message).succeeded());
    assert!(bytes <= (8 << 20) + 200, "{bytes} bytes were said");
    let texts: Vec<&str> = lines.iter().map(|line| line.splitn(3, ' ').nth(2).unwrap().trim_end()).collect();
    assert_eq!(texts[0], "ready");
    assert!(texts[1].starts_with("xxxx") && texts[1].ends_with("bytes of this line were left out]"));
    assert_eq!(texts[2], "\0nul \u{fffd}\u{fffd} bad");
    assert_eq!(texts.iter().filter(|text| text.ends_with("bytes were left out here]")).count(), 1);
    assert_eq!(texts.last(), Some(&"last"));
    assert!(!before.is_empty() && !after.is_empty());
    for (pid, peak) in after {
        let grown = peak.saturating_sub(before.get(&pid).copied().unwrap_or(0));
        assert!(grown <= 20 << 10, "process {pid} grew by {grown} KiB");
    }
}

#[test]
fn r28_a_prompt_of_megabytes_reaches_the_program_by_its_standard_input() {
    for bytes in [100_000, 1 << 20, 5 << 20] {
        let template = format!("{{{{ 'x' * {bytes} }}}}");
        let place = Place::new(&["bash", "-c", "wc -c > count"], &json!({"prompt": {"template": template}}));
        let (outcome, _) = place.run(&place.call(1));
        assert!(outcome.succeeded(), "{bytes}: {outcome:?}");
        let count: usize = fs::read_to_string(place.workspace("count")).unwrap().trim().parse().unwrap();
        assert!(count >= bytes, "{count} of {bytes}");
    }
}

#[test]
fn a_program_is_installed_whole() {
    let sandbox = Sandbox::new();
    let path = sandbox.path().join("mozart");
    let output = sandbox.mozart(["install", path.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read(&path).unwrap(), fs::read(env!("CARGO_BIN_EXE_mozart")).unwrap());
}
