//! The rules of the source tree that the compiler does not check.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each part and the parts that it may use: data flows one way, from the job file to the outside.
const EDGES: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("job", &["api"]),
    ("sources", &["api", "job"]),
    ("engine", &["job"]),
    ("backend", &["job"]),
    ("attempt", &["backend", "job"]),
    ("driver", &["engine", "job"]),
    ("launch", &["api", "attempt", "backend", "driver", "engine", "job"]),
    ("store", &["driver", "engine", "job"]),
    ("history", &["driver", "engine", "job", "store"]),
    ("notify", &["driver", "engine", "job"]),
    ("show", &[]),
    ("trace", &["driver", "engine", "job"]),
    ("dashboard", &["attempt", "driver", "engine", "history", "job", "show", "store"]),
    (
        "local",
        &[
            "api",
            "attempt",
            "backend",
            "dashboard",
            "driver",
            "engine",
            "history",
            "job",
            "launch",
            "notify",
            "sources",
            "store",
            "trace",
        ],
    ),
    (
        "cluster",
        &[
            "api",
            "attempt",
            "backend",
            "dashboard",
            "driver",
            "engine",
            "history",
            "job",
            "launch",
            "notify",
            "sources",
            "store",
            "trace",
        ],
    ),
    (
        "cli",
        &[
            "api",
            "attempt",
            "backend",
            "cluster",
            "dashboard",
            "driver",
            "engine",
            "history",
            "job",
            "launch",
            "local",
            "notify",
            "show",
            "sources",
            "store",
            "trace",
        ],
    ),
];

/// The most lines of a file, tests included.
const MAX_LINES: usize = 500;

/// What the engine must not name: it is pure, time is an argument.
const IMPURE: &[&str] =
    &["Instant", "SystemTime", "Timestamp::now", "fastrand", "std::fs", "tokio", "tracing", "Uuid::new"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under `folder`, with its path relative to the package.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("a readable folder").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8 source");
                found.push((path.strip_prefix(root()).expect("inside the package").to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// The text without its comments and without an inline test module.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| matches!(part.to_str(), Some("tests" | "tests.rs" | "sim" | "fixtures.rs")))
}

/// The parts that `code` names: `crate::engine::…`, `use crate::{engine::…, job::…}`, and the same by `super`.
fn parts_used(code: &str, depth: usize) -> BTreeSet<String> {
    let to_root = "super::".repeat(depth);
    let mut used = BTreeSet::new();
    for prefix in ["crate::", to_root.as_str()] {
        for (at, _) in code.match_indices(prefix) {
            let word_before = code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == ':');
            let rest = &code[at + prefix.len()..];
            if word_before {
                continue;
            }
            match rest.strip_prefix('{') {
                Some(group) => used.extend(heads_of_group(group)),
                None => used.extend(head(rest)),
            }
        }
    }
    used
}

fn head(path: &str) -> Option<String> {
    let word: String = path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// The first words of the paths in `{a::b, c::{d, e}}`, of which `group` is what follows the first brace.
fn heads_of_group(group: &str) -> Vec<String> {
    let mut depth = 1_usize;
    let mut start = 0;
    let mut heads = Vec::new();
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if (character == ',' && depth == 1) || depth == 0 {
            heads.extend(head(&group[start..at]));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

/// How many `super::` lead from the module of a file under `src` to the crate's root.
fn module_depth(path: &Path) -> usize {
    let parts = path.iter().count() - 1;
    if path.file_name().is_some_and(|name| name == "mod.rs") { parts - 1 } else { parts }
}

fn forbidden_edges(files: &[(PathBuf, String)]) -> Vec<String> {
    let known: BTreeSet<&str> = EDGES.iter().map(|(part, _)| *part).collect();
    let mut problems = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !is_test(path)) {
        let Some(part) = path.iter().nth(1).and_then(|part| part.to_str()) else { continue };
        let part = part.strip_suffix(".rs").unwrap_or(part);
        if matches!(part, "main" | "lib") {
            continue;
        }
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == part) else {
            problems.push(format!("{}: `{part}` is a part that this test does not know", path.display()));
            continue;
        };
        for used in parts_used(&code(text), module_depth(path)) {
            if known.contains(used.as_str()) && used != part && !allowed.contains(&used.as_str()) {
                problems.push(format!("{}: `{part}` must not use `{used}`", path.display()));
            }
        }
    }
    problems
}

#[test]
fn data_flows_one_way() {
    let problems = forbidden_edges(&sources("src"));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_forbidden_edge_is_seen_however_it_is_written() {
    for line in [
        "use crate::local::lock;",
        "use crate::{job::model::Job, local};",
        "use crate::{\n    job::{model, outcome},\n    local::lock,\n};",
        "fn f(_: &crate::local::Lock) {}",
        "use super::super::local::lock;",
    ] {
        let files = [(PathBuf::from("src/engine/plan.rs"), line.to_owned())];
        assert_eq!(forbidden_edges(&files), ["src/engine/plan.rs: `engine` must not use `local`"], "{line}");
    }
}

#[test]
fn the_engine_is_pure() {
    for (path, text) in sources("src/engine").iter().filter(|(path, _)| !is_test(path)) {
        let code = code(text);
        let found: Vec<_> = IMPURE.iter().filter(|word| code.contains(*word)).collect();
        assert!(found.is_empty(), "{} names {found:?}: time and chance are arguments there", path.display());
    }
}

#[test]
fn a_file_is_one_concept() {
    for folder in ["src", "tests", "benches"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(
                lines <= MAX_LINES,
                "{} has {lines} lines, at most {MAX_LINES} are wanted",
                path.display()
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    // A unit test's file says it by its name.
    let silent = |(path, text): &(PathBuf, String)| !text.starts_with("//! ") && !is_test(path);
    let files: Vec<_> = ["src", "tests/it", "benches"].into_iter().flat_map(sources).filter(silent).collect();
    let paths: Vec<_> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    assert!(paths.is_empty(), "no module doc at the beginning of {}", paths.join(", "));
}

#[test]
fn a_lint_is_expected_with_a_reason_never_allowed() {
    let marks = [concat!("#[", "allow("), concat!("#![", "allow(")];
    for folder in ["src", "tests", "benches"] {
        for (path, text) in sources(folder) {
            let found = marks.iter().any(|mark| text.contains(mark));
            assert!(!found, "{}: write #[expect(lint, reason = \"…\")]", path.display());
        }
    }
}

#[test]
fn no_test_is_ignored() {
    let mark = concat!("#[", "ignore");
    for folder in ["src", "tests"] {
        for (path, text) in sources(folder) {
            assert!(!text.contains(mark), "{}: a test that does not run holds nothing", path.display());
        }
    }
}
