//! The commands that documents show but no test runs: they are there, and take what is written behind them.

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::Value;

use super::{blocks, documents, root};

/// The commands in a block of the language `console` or `sh`, a line each, without the prompt.
fn lines(block: &blocks::Block) -> Vec<String> {
    let joined = block.text.replace("\\\n", " ");
    let typed = |line: &str| match block.language.as_str() {
        "console" => line.strip_prefix("$ ").map(str::to_owned),
        _ => Some(line.to_owned()),
    };
    joined.lines().filter_map(typed).collect()
}

/// The arguments of each `mozart` in a line of a shell.
fn calls(line: &str) -> Vec<Vec<String>> {
    let ends = regex::Regex::new(r" \| | \|\| | && |; | > |  +| #").unwrap();
    let calls = ends.split(line).filter_map(|part| part.trim().strip_prefix("mozart "));
    calls
        .map(|call| call.split_whitespace().map(|word| word.trim_matches(['\'', '"'])))
        // A place for something, as in `<FILE>` and `[JOB]`, and what is left out.
        .map(|words| words.filter(|word| !word.starts_with(['<', '[', '…'])).map(str::to_owned).collect())
        .collect()
}

#[test]
fn every_command_of_mozart_that_a_document_shows_is_one() {
    let mut shown: BTreeMap<Vec<String>, String> = BTreeMap::new();
    for block in blocks::all().into_iter().filter(|block| ["console", "sh"].contains(&&*block.language)) {
        for call in lines(&block).iter().flat_map(|line| calls(line)) {
            shown.insert(call, block.place.clone());
        }
    }
    let inline = regex::Regex::new("`(mozart [^`]+)`").unwrap();
    for (path, text) in documents() {
        for found in inline.captures_iter(&text) {
            for call in calls(&found[1]) {
                shown.insert(call, path.display().to_string());
            }
        }
    }
    assert!(shown.len() > 60, "{shown:?}");
    for (call, place) in shown {
        let output = Command::new(env!("CARGO_BIN_EXE_mozart")).args(&call).arg("--help").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // An option may be named without its value.
        let fits = output.status.success() || said.contains("a value is required for");
        assert!(fits, "{place}: mozart {}\n{said}", call.join(" "));
    }
}

#[test]
fn every_value_of_the_chart_that_a_document_sets_is_one() {
    let values = fs::read_to_string(root().join("charts/mozart/values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&values).unwrap();
    let set = regex::Regex::new(r"--set '?([A-Za-z.]+)").unwrap();
    let mut seen = 0;
    for block in blocks::all() {
        for line in lines(&block).iter().filter(|line| line.starts_with("helm ")) {
            for found in set.captures_iter(line) {
                let pointer = format!("/{}", found[1].replace('.', "/"));
                assert!(values.pointer(&pointer).is_some(), "{}: no value {}", block.place, &found[1]);
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen} values");
}
