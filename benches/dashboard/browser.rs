//! The page of a run of 5,000 batches in a real Chromium.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{report::Report, served::Served};

pub fn large_run(report: &Report, folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join(".cache/browser/node_modules/playwright-core").is_dir() {
        report.note("a run of 5,000 batches in Chromium", "not measured: run `make tools`", "");
        return;
    }
    let folder = tempfile::tempdir_in(folder).expect("room on the disk").keep();
    let job = "name: large\nbackend: {type: command, command: [bash, -c, \"read -r n; exit $((n % 50 == 0))\"]}\n\
               prompt: {template: \"{{ batch_num }}\"}\nretry: {max_retries: 0, max_failed_in_a_row: 1000}\n\
               batch: {size: 1, total_items: 5000, parallelism: 8}\n";
    fs::write(folder.join("job.yaml"), job).expect("room on the disk");
    let home = folder.join("home");
    let mut run = Command::new(env!("CARGO_BIN_EXE_mozart"));
    run.args(["local-run", "job.yaml"]).current_dir(&folder).env("MOZART_HOME", &home);
    let ran =
        run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the program");
    assert_eq!(ran.code(), Some(1), "100 of its batches fail");
    let served = Served::start(&home);
    let prepared = json!({ "address": format!("http://{}/?token={}", served.address, served.token) });
    let seen = Command::new("node")
        .arg(root.join("tests/browser/speed.mjs"))
        .env("MOZART_BROWSER_TEST", prepared.to_string())
        .stderr(Stdio::inherit())
        .output()
        .expect("node");
    assert!(seen.status.success(), "the browser has failed");
    let seen: Value = serde_json::from_slice(&seen.stdout).expect("JSON");
    let number = |name: &str| seen[name].as_f64().expect("a number");
    let what = "a run of 5,000 batches, 100 failed, in Chromium";
    for (name, unit, wanted, most) in [
        ("paint", "ms until it is painted", "at most 300 ms", 300.0),
        ("task", "ms the longest task", "at most 100 ms", 100.0),
        ("nodes", "nodes", "at most 2,500", 2_500.0),
        ("bytes", "bytes over the network in all", "at most 100 KB", 100_000.0),
    ] {
        let value = number(name);
        report.bound(what, &format!("{value:.0} {unit}"), "", wanted, value <= most);
    }
}
