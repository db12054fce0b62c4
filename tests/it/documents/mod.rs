//! The documents say what is there: links lead somewhere, what they name exists, and what they show can be done.

mod blocks;
mod commands;
mod files;
mod reasons;
mod shell;

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of every file under `folder` whose name ends so, with its path.
fn files(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Every document that people read.
fn documents() -> Vec<(PathBuf, String)> {
    let top = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"];
    let top = top.map(|name| root().join(name)).into_iter();
    let top = top.map(|path| (path.clone(), fs::read_to_string(&path).unwrap()));
    top.chain(files("docs", "md")).chain(files("charts", "md")).collect()
}

/// The links of a document that lead to files: where to, and to which heading there.
fn links(text: &str) -> Vec<(String, Option<String>)> {
    let link = regex::Regex::new(r"\]\(([^)#:]*)(?:#([^):]*))?\)").unwrap();
    link.captures_iter(text)
        .map(|found| (found[1].to_owned(), found.get(2).map(|anchor| anchor.as_str().to_owned())))
        .collect()
}

/// The anchors of a document's headings, as Git forges and mdBook make them.
fn anchors(text: &str) -> Vec<String> {
    let kept = |letter: char| letter.is_alphanumeric() || " -_".contains(letter);
    let mut fenced = false;
    let mut anchors = Vec::new();
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !fenced) {
            let heading: String =
                heading.trim_start_matches('#').trim().chars().filter(|c| kept(*c)).collect();
            anchors.push(heading.to_lowercase().replace(' ', "-"));
        }
    }
    anchors
}

#[test]
fn every_test_that_is_named_for_a_guarantee_a_rule_or_a_threat_exists() {
    let code: String =
        ["src", "tests"].into_iter().flat_map(|folder| files(folder, "rs")).map(|(_, text)| text).collect();
    let named = regex::Regex::new("`([a-z0-9]+(?:_[a-z0-9]+){3,})`").unwrap();
    for document in ["docs/guarantees.md", "docs/decisions/safety-rules.md", "docs/explanation/threats.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let names: Vec<_> = named.captures_iter(&text).map(|found| found[1].to_owned()).collect();
        assert!(names.len() > 10, "{document}: {names:?}");
        let missing: Vec<_> = names.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
        assert!(missing.is_empty(), "{document}: no such test: {missing:?}");
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    for (path, text) in documents() {
        for (target, anchor) in links(&text) {
            let file = if target.is_empty() { path.clone() } else { path.parent().unwrap().join(&target) };
            assert!(file.exists(), "{} links to {target}, which is not there", path.display());
            if let Some(anchor) = anchor {
                let headings = anchors(&fs::read_to_string(&file).unwrap());
                let path = path.display();
                assert!(
                    headings.contains(&anchor),
                    "{path} links to {target}#{anchor}; there are {headings:?}"
                );
            }
        }
    }
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let named = regex::Regex::new(
        r"`((?:src|tests|benches|examples|docs|hack|charts|crds|deploy)/[A-Za-z0-9_./-]+|[A-Z]+\.md)`",
    )
    .unwrap();
    for (path, text) in documents() {
        for found in named.captures_iter(&text) {
            assert!(
                root().join(&found[1]).exists(),
                "{} names {}, which is not there",
                path.display(),
                &found[1]
            );
        }
    }
}

#[test]
fn every_page_is_in_the_book_and_links_to_nothing_outside_it() {
    let folder = root().join("docs");
    let summary = fs::read_to_string(folder.join("SUMMARY.md")).unwrap();
    let decisions = fs::read_to_string(folder.join("decisions/README.md")).unwrap();
    let listed: Vec<_> = links(&summary)
        .into_iter()
        .map(|(target, _)| folder.join(target))
        .chain(links(&decisions).into_iter().map(|(target, _)| folder.join("decisions").join(target)))
        .collect();
    for (path, text) in files("docs", "md") {
        assert!(
            listed.contains(&path) || path.ends_with("SUMMARY.md"),
            "{} is not in the summary",
            path.display()
        );
        for (target, _) in links(&text).into_iter().filter(|(target, _)| !target.is_empty()) {
            let target = fs::canonicalize(path.parent().unwrap().join(target)).unwrap();
            assert!(
                target.starts_with(&folder),
                "{} links to {} outside the book",
                path.display(),
                target.display()
            );
        }
    }
}
