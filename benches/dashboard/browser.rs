//! Large pages in a real Chromium: a run of 5,000 batches, and a log of 100,000 lines.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{report::Report, served::Served};

const LARGE: &str = "name: large
backend: {type: command, command: [bash, -c, \"read -r n; exit $((n % 50 == 0))\"]}
prompt: {template: \"{{ batch_num }}\"}
retry: {max_retries: 0, max_failed_in_a_row: 1000}
batch: {size: 1, total_items: 5000, parallelism: 8}
";
const LONG: &str = "name: long
backend: {type: command, command: [bash, -c, \"seq -f 'line %.0f is one of a hundred thousand' 100000\"]}
prompt: {template: batch}
batch: {size: 1, total_items: 1}
";

pub fn large_pages(report: &Report, folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join(".cache/browser/node_modules/playwright-core").is_dir() {
        report.note("large pages in Chromium", "not measured: run `make tools`", "");
        return;
    }
    let folder = tempfile::tempdir_in(folder).expect("room on the disk").keep();
    let home = folder.join("home");
    for (name, job, ends_with) in [("large", LARGE, 1), ("long", LONG, 0)] {
        let file = format!("{name}.yaml");
        fs::write(folder.join(&file), job).expect("room on the disk");
        let mut run = Command::new(env!("CARGO_BIN_EXE_mozart"));
        run.args(["local-run", &file]).current_dir(&folder).env("MOZART_HOME", &home);
        let ran = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert_eq!(ran.expect("the program").code(), Some(ends_with), "100 batches of the large one fail");
    }
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
    for (page, what) in [
        ("run", "a run of 5,000 batches, 100 failed, in Chromium"),
        ("log", "a log of 100,000 lines in Chromium, scrolled from its beginning to its end"),
    ] {
        for (name, unit, wanted, most) in [
            ("paint", "ms until it is painted", "at most 300 ms", 300.0),
            ("whole", "ms until its last line is there", "at most 3 s", 3_000.0),
            ("task", "ms the longest task", "at most 100 ms", 100.0),
            ("nodes", "nodes", "at most 2,500", 2_500.0),
            ("bytes", "bytes over the network in all", "at most 100 KB", 100_000.0),
        ] {
            if let Some(value) = seen[page][name].as_f64() {
                report.bound(what, &format!("{value:.0} {unit}"), "", wanted, value <= most);
            }
        }
    }
}
