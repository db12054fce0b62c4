//! How long a command takes that does nothing but start, and one that reads a job file.

use std::{fmt::Write, fs, path::Path, process::Command, time::Duration};

use crate::{
    report::Report,
    sample::{in_turn, time},
};

const REPEATS: usize = 50;

pub fn compare(report: &Report, folder: &Path) {
    let mozart = || Command::new(env!("CARGO_BIN_EXE_mozart"));
    let (peer, argument) =
        if Command::new("rg").arg("--version").output().is_ok() { ("rg", "--version") } else { ("true", "") };
    let other = || time(Command::new(peer).arg(argument));
    let peer_name = format!("{peer} {argument}");

    let (own, peers) = in_turn(REPEATS, || time(mozart().arg("--version")), other);
    let peers_text = format!("`{}` {}", peer_name.trim(), peers.text());
    let kept = own.median() <= Duration::from_millis(10);
    report.bound("`mozart --version`", &own.text(), &peers_text, "at most 10 ms", kept);

    let file = folder.join("validate.yaml");
    fs::write(&file, job_of_500_batches()).expect("room on the disk");
    let (own, peers) = in_turn(REPEATS, || time(mozart().arg("validate").arg(&file)), other);
    let peers_text = format!("`{}` {}", peer_name.trim(), peers.text());
    let kept = own.median() <= Duration::from_millis(25);
    report.bound("`mozart validate`, 500 batches", &own.text(), &peers_text, "at most 25 ms", kept);
}

/// 1,000 items in twos, with a template, a label and validations that have to be rendered for every batch.
fn job_of_500_batches() -> String {
    let mut job = String::from(
        "name: validate-500\nbackend: {type: command, command: [\"true\"]}\n\
         prompt:\n  template: |\n    Batch {{ batch_num }} of {{ total_batches }}:\n    {% for item in items %}- {{ item }}\n    {% endfor %}\n\
         validations:\n  - {type: file_exists, path: \"{workspace}/report-{batch_num}.md\"}\n\
         batch:\n  size: 2\n  label: \"{{ items[0] }}\"\n  items:\n",
    );
    for item in 1..=1000 {
        writeln!(job, "    - the item with the number {item}").expect("text grows");
    }
    job
}
