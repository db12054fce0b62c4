//! Validations: every kind, passed and failed, in the words people read.

use std::{fs, time::Duration};

use mozart::{
    driver::ports::Launcher,
    job::{
        finding::Finding,
        model::Check,
        outcome::FailureClass,
        start::{Previous, Start},
    },
};
use regex::Regex;

use super::fixture::{Run, first, outcome, run};

fn exists(path: &str) -> Check {
    Check::FileExists { path: path.to_owned(), allow_existing: false }
}

fn modified(path: &str) -> Check {
    Check::FileModified { path: path.to_owned() }
}

fn contains(pattern: &str) -> Check {
    Check::ContentContains { path: "f".to_owned(), pattern: pattern.to_owned() }
}

fn matches(pattern: &str) -> Check {
    Check::ContentRegex { path: "f".to_owned(), pattern: Regex::new(pattern).unwrap() }
}

fn succeeds(command: &str) -> Check {
    Check::CommandSucceeds {
        command: command.to_owned(),
        working_directory: None,
        timeout: Duration::from_millis(300),
    }
}

#[tokio::test]
async fn every_kind_says_what_it_found() {
    // What the program does, what is checked, and what is found instead; `None` passes. `old` was there before.
    let table: [(&str, Check, Option<&str>); 26] = [
        ("touch f", exists("f"), None),
        ("", exists("f"), Some("no such file")),
        ("", exists("old"), Some("exists, but unchanged since before this batch began (")),
        ("touch old", exists("old"), Some("exists, but unchanged")),
        ("echo more >> old", exists("old"), None),
        ("printf ELD > old", exists("old"), None),
        ("", Check::FileExists { path: "old".to_owned(), allow_existing: true }, None),
        ("mkdir f", exists("f"), Some("a folder, not a file")),
        ("mkfifo f", exists("f"), Some("a pipe, not a file")),
        ("ln -s /etc/passwd f", exists("f"), Some("leads out of the workspace")),
        ("ln -s /nowhere/at/all f", exists("f"), Some("leads out of the workspace")),
        ("ln -s g f; echo x > g", exists("f"), None),
        ("", exists("../job.yaml"), Some("leaves the workspace")),
        ("touch old", modified("old"), Some("the same content as before this batch began (")),
        ("printf ELD > old", modified("old"), None),
        ("rm old", modified("old"), Some("no such file")),
        ("echo '## Evidence' > f", contains("## Evidence"), None),
        ("printf 'a\\nb\\n' > f", contains("c"), Some("2 lines without it")),
        ("mkfifo f", contains("x"), Some("it is a pipe")),
        ("truncate -s 65M f", contains("x"), Some("bytes, more than 67108864 are not searched")),
        ("echo 'Score: 7' > f", matches(r"(?m)^Score: \d+"), None),
        (": > f", matches("x"), Some("nothing but an empty text")),
        ("", succeeds("echo told me; false | true"), Some("told me\nexit 1")),
        ("", succeeds("sleep 600"), Some("no end within 0 s")),
        ("", succeeds("test -z \"$ANTHROPIC_API_KEY\" && test $MOZART_BATCH_NUM = 1"), None),
        ("echo hello", Check::OutputRegex { pattern: Regex::new("^hell").unwrap() }, None),
    ];
    for (script, check, found) in table {
        let fixture = Run::of(script).validated_by(check.clone());
        fs::write(fixture.workspace().join("old"), "OLD").unwrap();
        let launcher = fixture.open(&[]).await;
        let outcome = run(&launcher, first(1)).await;
        let findings = fs::read(fixture.directory(first(1)).join("checks.json")).unwrap();
        let findings: Vec<Finding> = serde_json::from_slice(&findings).unwrap();
        match found {
            None => assert_eq!(outcome.failure, None, "{script}: {check:?}"),
            Some(found) => {
                let failure = outcome.failure.unwrap_or_else(|| panic!("{script}: {check:?} passed"));
                assert_eq!(failure.class, FailureClass::Validation);
                assert!(findings[0].actual.contains(found), "{script}: {check:?}: {}", findings[0].actual);
            }
        }
    }
}

#[tokio::test]
async fn a_retry_need_not_do_again_what_an_earlier_attempt_did_and_is_told_what_is_missing() {
    let fixture = Run::of(
        "cat > prompt$MOZART_ATTEMPT_ORDINAL
         if [ $MOZART_ATTEMPT_ORDINAL = 1 ]; then echo section >> log; else echo report > report; echo end; fi",
    )
    .validated_by(modified("log"))
    .validated_by(exists("report"))
    .validated_by(succeeds("echo no report; test -e report"))
    .validated_by(Check::OutputContains { pattern: "end".to_owned() });
    fs::write(fixture.workspace().join("log"), "before\n").unwrap();
    let launcher = fixture.open(&[]).await;
    let failure = run(&launcher, first(1)).await.failure.expect("the report is missing");
    assert_eq!(failure.reason, "ValidationFailed");
    assert!(
        failure.message.contains("3 of 4 validations failed: report: expected the file"),
        "{}",
        failure.message
    );
    let key = first(1).next();
    let previous = Previous { class: failure.class, reason: failure.reason, session: None };
    let start = Start { key, attempt: 2, previous: Some(previous), canary: false, budget_micro_usd: None };
    launcher.launch(start).await;
    assert_eq!(outcome(&launcher, key).await.failure, None);
    let prompt = fs::read_to_string(fixture.workspace().join("prompt2")).unwrap();
    assert!(
        prompt.contains("report: expected the file, new or changed in this batch, found no such file"),
        "{prompt}"
    );
    assert!(prompt.contains("test -e report: expected exit 0, found no report\nexit 1"), "{prompt}");
    assert!(
        prompt.ends_with("\n- the answer: expected the text \"end\", found nothing but an empty text"),
        "{prompt}"
    );
    assert!(!prompt.contains("log:"), "{prompt}");
}

#[tokio::test]
async fn a_program_that_runs_away_is_kept_within_bounds() {
    let fixture = Run::of("head -c 20M /dev/zero | tr '\\0' x; echo the end");
    let launcher = fixture.open(&[]).await;
    assert_eq!(run(&launcher, first(1)).await.failure, None);
    let kept = fs::read_to_string(fixture.directory(first(1)).join("stdout.log")).unwrap();
    assert!(kept.len() < (8 << 20) + 100);
    assert!(kept.contains("\n[mozart: 12582920 bytes of 20971528 were left out here]\n"));
    assert!(kept.ends_with("the end\n"));
}
