//! What each command prints, as people read it.

use std::fmt::Write as _;

use super::{
    held::{Held, write_job},
    mozart::Place,
};

/// Four batches; the last fails until the file `fixed` is there.
const JOB: &str = "\
name: shout
backend:
  type: command
  command: [bash, -c, 'tr a-z A-Z; if [ \"$MOZART_BATCH_NUM\" = 4 ] && [ ! -e ../fixed ]; then echo no such thing >&2; exit 3; fi; echo x > out$MOZART_BATCH_NUM.txt']
batch: {size: 1, total_items: 4}
prompt: {template: \"item {{ batch_num }}\"}
retry: {max_retries: 1, base_delay_seconds: 0.01, jitter: false}
validations:
  - {type: file_exists, path: \"{workspace}/out{batch_num}.txt\"}
";

/// Fails as a service does that is asked too often.
const THROTTLED: &str = "\
name: throttled
backend: {type: command, command: [bash, -c, 'echo too many requests >&2; exit 75']}
batch: {size: 1, total_items: 2}
prompt: {template: \"item {{ batch_num }}\"}
";

/// Times, processes and keys are other ones in every run.
fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    for (pattern, shown) in [
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[time]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ?", "[time]"),
        (r"not before \d{4}-\d\d-\d\d \d\d:\d\dZ", "not before [then]"),
        (r"\d\d:\d\d:\d\d", "[clock]"),
        (r"(at|until) (\w{3} )?\d\d:\d\d \(in [0-9a-z]+\)", "$1 [then]"),
        // Whether it is saved yet that a batch runs is a matter of time.
        (r"  batch 1 runs, attempt 1\n", ""),
        (r"process \d+ on \S+, since", "process [pid] on [host], since"),
        (r"process \d+", "process [pid]"),
        (r"TOOK +", "TOOK  "),
        (r"USED +", "USED  "),
        (r"\b\d+s( ago)? +(\S)", "[took]$1  $2"),
        (r"\b(\d+m)?\d+s\b", "[took]"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "[uid]"),
        (r"[0-9a-f]{64}", "[hash]"),
        (r"(?m)^[0-9a-f]{8}  ", "[key]     "),
    ] {
        settings.add_filter(pattern, shown);
    }
    settings
}

/// The commands and what each printed, one after the other.
struct Page<'a> {
    place: &'a Place,
    text: String,
}

impl<'a> Page<'a> {
    fn of(place: &'a Place) -> Self {
        Self { place, text: String::new() }
    }

    fn run(&mut self, arguments: &[&str]) -> &mut Self {
        let ran = self.place.run(arguments);
        let (code, stdout, stderr) = (ran.code, ran.stdout, ran.stderr);
        let _ = write!(self.text, "$ mozart {}\n{stdout}", arguments.join(" "));
        if !stderr.is_empty() {
            let _ = write!(self.text, "-- stderr\n{stderr}");
        }
        let _ = write!(self.text, "[{code}]\n\n");
        self
    }

    fn on_terminal(&mut self, arguments: &[&str]) -> &mut Self {
        let (code, shown) = self.place.on_terminal(arguments, "");
        let _ = write!(self.text, "$ mozart {}\n{shown}\n[{code}]\n\n", arguments.join(" "));
        self
    }

    fn check(&self, name: &str) {
        settings().bind(|| insta::assert_snapshot!(name, self.text.trim_end()));
    }
}

#[test]
fn a_run_that_fails_and_is_mended() {
    let place = Place::new();
    place.write("shout.yaml", JOB);
    Page::of(&place)
        .run(&["run", "shout.yaml"])
        .run(&["run", "shout.yaml"])
        .run(&["status"])
        .run(&["status", "-o", "json"])
        .run(&["list"])
        .run(&["history"])
        .run(&["history", "--batches"])
        .run(&["logs", "--failed"])
        .run(&["logs", "-b", "1"])
        .run(&["output", "-b", "1-2"])
        .run(&["output", "--to", "answers"])
        .check("failed");
    place.write("fixed", "");
    Page::of(&place)
        .run(&["retry", "--failed"])
        .run(&["status"])
        .run(&["resume"])
        .run(&["retry", "--failed"])
        .run(&["stop"])
        .run(&["suspend"])
        .run(&["history"])
        .check("mended");
}

#[test]
fn a_batch_whose_validations_fail() {
    let place = Place::new();
    place.write(
        "review.yaml",
        "\
name: review
backend: {type: command, command: [bash, -c, 'cat > /dev/null; echo no > report$MOZART_BATCH_NUM.md']}
batch: {size: 1, total_items: 2}
prompt: {template: \"item {{ batch_num }}\"}
retry: {max_retries: 0}
validations:
  - {type: file_exists, path: \"{workspace}/report{batch_num}.md\"}
  - {type: content_contains, path: \"{workspace}/report{batch_num}.md\", pattern: \"## Evidence\", description: every claim has evidence}
  - {type: command_succeeds, command: \"echo 3 tests; exit 2\"}
",
    );
    Page::of(&place)
        .run(&["run", "review.yaml", "--batches", "2"])
        .run(&["status"])
        .run(&["status", "-b", "2"])
        .run(&["status", "-b", "2", "-o", "json"])
        .run(&["status", "-b", "1"])
        .run(&["logs", "--failed"])
        .check("checked");
}

#[test]
fn a_run_on_a_terminal() {
    let place = Place::new();
    place.write("shout.yaml", JOB);
    Page::of(&place)
        .on_terminal(&["run", "shout.yaml"])
        .on_terminal(&["status"])
        .on_terminal(&["history", "--batches"])
        .check("terminal");
}

#[test]
fn a_run_that_is_suspended_and_whose_file_changes() {
    let place = Place::new();
    place.write("shout.yaml", JOB);
    let mut page = Page::of(&place);
    page.run(&["run", "shout.yaml", "--limit", "1"]).run(&["status"]);
    place.write("shout.yaml", &JOB.replace("item {{", "number {{"));
    page.run(&["run", "shout.yaml"]).run(&["resume"]).run(&["stop"]).run(&["status"]).check("suspended");
}

#[test]
fn a_run_that_waits_for_a_limit() {
    let place = Place::new();
    place.write("throttled.yaml", THROTTLED);
    Page::of(&place)
        .run(&["run", "throttled.yaml", "--no-wait"])
        .run(&["status"])
        .run(&["credential", "list"])
        .run(&["credential", "resume"])
        .check("waiting");
}

#[test]
fn a_run_that_another_process_drives() {
    let place = Place::new();
    write_job(&place);
    let (run, batch) = Held::start(&place, &["run", "held.yaml"]);
    Page::of(&place)
        .run(&["run", "held.yaml"])
        .run(&["resume"])
        .run(&["status"])
        .run(&["stop", "--now"])
        .check("driven");
    assert_eq!(run.code(), Some(1));
    drop(batch);
}

#[test]
fn job_files_are_checked_and_turned_into_manifests() {
    let place = Place::new();
    place.write("shout.yaml", JOB);
    place.write("warned.yaml", "name: warned\nbatch: {size: 5, total_items: 7}\nprompt: {template: go}\n");
    place.write("wrong.yaml", "name: Wrong\nbackend: {type: comand}\nbatch: {siez: 1, total_items: 4}\nprompt: {template: \"{{ itms }}\"}\n");
    Page::of(&place)
        .run(&["validate", "shout.yaml", "warned.yaml", "wrong.yaml"])
        .run(&["validate", "warned.yaml", "-o", "json"])
        .run(&["manifest", "shout.yaml"])
        .run(&["run", "shout.yaml", "--dry-run", "--batches", "4"])
        .run(&["run", "missing.yaml"])
        .check("files");
}

#[test]
fn without_a_job_every_command_says_how_to_begin() {
    let place = Place::new();
    Page::of(&place)
        .run(&["list"])
        .run(&["status"])
        .run(&["status", "review"])
        .run(&["credential", "list"])
        .run(&["doctor", "missing.yaml"])
        .check("nothing");
}
