//! The documents say what is there: links lead somewhere, and tests that they name exist.

use std::{fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of every file under `folder` whose name ends so, with its path.
fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// Every document that people read.
fn documents() -> Vec<(String, String)> {
    let top = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"];
    let top = top.map(|name| root().join(name)).into_iter();
    let top = top.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()));
    top.chain(files("docs", "md")).chain(files("charts", "md")).collect()
}

#[test]
fn every_test_that_is_named_for_a_guarantee_or_a_rule_exists() {
    let code: String =
        ["src", "tests"].into_iter().flat_map(|folder| files(folder, "rs")).map(|(_, text)| text).collect();
    let named = regex::Regex::new("`([a-z0-9]+(?:_[a-z0-9]+){3,})`").unwrap();
    for document in ["docs/guarantees.md", "docs/decisions/safety-rules.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let names: Vec<_> = named.captures_iter(&text).map(|found| found[1].to_owned()).collect();
        assert!(names.len() > 10, "{document}: {names:?}");
        let missing: Vec<_> = names.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
        assert!(missing.is_empty(), "{document}: no such test: {missing:?}");
    }
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    let link = regex::Regex::new(r"\]\(([^)#:]+)(?:#[^)]*)?\)").unwrap();
    for (path, text) in documents() {
        for found in link.captures_iter(&text) {
            let target = Path::new(&path).parent().unwrap().join(&found[1]);
            assert!(target.exists(), "{path} links to {}, which is not there", &found[1]);
        }
    }
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let named = regex::Regex::new(r"`((?:src|tests|benches|examples|docs|hack)/[A-Za-z0-9_./-]+)`").unwrap();
    for (path, text) in documents() {
        for found in named.captures_iter(&text) {
            assert!(root().join(&found[1]).exists(), "{path} names {}, which is not there", &found[1]);
        }
    }
}
