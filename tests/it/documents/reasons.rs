//! The closed words that programs are told, and the pages that explain each of them.

use std::{collections::BTreeSet, fs};

use super::{files, root};

/// Where reasons are given.
const SOURCES: [&str; 7] = [
    "src/attempt",
    "src/backend",
    "src/cluster/credential",
    "src/cluster/operator",
    "src/engine",
    "src/launch",
    "src/local/pod",
];

/// Words of others: Kubernetes' own, tools of Claude Code, names of types.
const FOREIGN: [&str; 46] = [
    "AlreadyExists",
    "AttemptEnded",
    "AttemptStarted",
    "BatchFailed",
    "BatchSucceeded",
    "ClockSet",
    "ContainerCannotRun",
    "ContainerStatusUnknown",
    "CreateContainerConfigError",
    "CreateContainerError",
    "CronCreate",
    "CronDelete",
    "CronList",
    "DeletionByTaintManager",
    "DisruptionTarget",
    "EnterWorktree",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ExitWorktree",
    "FallbackToLogsOnError",
    "GateOpened",
    "ImageInspectError",
    "ImagePullBackOff",
    "ListAgents",
    "NoticeJoined",
    "NoticeQueued",
    "NoticeSettled",
    "OnRootMismatch",
    "PodScheduled",
    "PreToolUse",
    "PreemptionByScheduler",
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "RegistryUnavailable",
    "RemoteTrigger",
    "RetryScheduled",
    "RunContainerError",
    "RunEnded",
    "RuntimeDefault",
    "ScheduleWakeup",
    "SendMessage",
    "SignatureValidationFailed",
    "StartError",
    "TerminationByKubelet",
    "WorkloadEvictedDueToPreempted",
];

/// The words of two parts in the program's text, tests left out.
fn given() -> BTreeSet<String> {
    let word = regex::Regex::new(r#""((?:[A-Z]+[a-z]+){2,})""#).unwrap();
    let mut given = BTreeSet::new();
    let status = root().join("src/cluster/status.rs");
    let status = (status.clone(), fs::read_to_string(&status).unwrap());
    for (path, text) in SOURCES.into_iter().flat_map(|folder| files(folder, "rs")).chain([status]) {
        let name = path.display().to_string();
        if name.contains("/tests") || name.contains("/sim/") || name.ends_with("_tests.rs") {
            continue;
        }
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        given.extend(word.captures_iter(text).map(|found| found[1].to_owned()));
    }
    for foreign in FOREIGN {
        assert!(given.remove(foreign), "{foreign} is not in the program any more");
    }
    given
}

/// The words that the pages explain.
fn explained() -> BTreeSet<String> {
    let word = regex::Regex::new("`((?:[A-Z]+[a-z]+){2,})`").unwrap();
    let pages = ["docs/reference/reasons.md", "docs/pods.md"];
    let text: String = pages.map(|page| fs::read_to_string(root().join(page)).unwrap()).concat();
    word.captures_iter(&text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_reason_that_is_given_is_explained() {
    let explained = explained();
    let missing: Vec<_> = given().into_iter().filter(|word| !explained.contains(word)).collect();
    assert!(missing.is_empty(), "on no page: {missing:?}");
}

#[test]
fn every_reason_that_is_explained_is_given() {
    let code: String = files("src", "rs").into_iter().map(|(_, text)| text).collect();
    let gone: Vec<_> = explained()
        .into_iter()
        .filter(|word| !code.contains(&format!("\"{word}\"")) && !code.contains(&format!(" {word}")))
        .collect();
    assert!(gone.is_empty(), "in no source: {gone:?}");
}
