//! Every example is a job that loads, and that an editor can check.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mozart::{
    job::load::{Form, Overrides, load, schema_json},
    sources::LocalSources,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    found.sort();
    assert!(found.len() >= 5, "{found:?}");
    found
}

/// Compares a generated file with what is checked in; `MOZART_UPDATE=1` writes it instead.
pub(crate) fn check_generated(path: &str, text: &str) {
    let file = root().join(path);
    if std::env::var_os("MOZART_UPDATE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == text,
        "{path} is stale: run `MOZART_UPDATE=1 cargo test --test it`, and look at the difference"
    );
}

#[test]
fn every_example_loads_and_gives_no_cause_for_a_warning() {
    for path in examples() {
        let sources = LocalSources::new(path.parent().unwrap());
        let loaded = load(&path, &Overrides::default(), &sources);
        let problems = match loaded {
            Ok(loaded) => loaded.warnings,
            Err(problems) => problems,
        };
        let text = problems.render(|line, _| line.to_owned());
        // The original plan's own job names no model, and stays as it was written.
        let known = usize::from(path.ends_with("batch-review.yaml"));
        assert_eq!(problems.len(), known, "{}:\n{text}", path.display());
        assert!(!problems.has_errors(), "{}:\n{text}", path.display());
    }
}

#[test]
fn every_example_names_its_schema() {
    for path in examples() {
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap();
        let schema = first.strip_prefix("# yaml-language-server: $schema=");
        let schema = schema.unwrap_or_else(|| panic!("{} does not begin with its schema", path.display()));
        let wanted = if text.contains("\nkind: ") { "mozartjob.json" } else { "job-file.json" };
        assert_eq!(schema, format!("../docs/schema/{wanted}"), "{}", path.display());
    }
}

#[test]
fn the_schemas_are_those_of_the_types() {
    for (path, form) in
        [("docs/schema/job-file.json", Form::Plain), ("docs/schema/mozartjob.json", Form::Manifest)]
    {
        check_generated(path, &format!("{}\n", schema_json(form).trim_end()));
    }
}
