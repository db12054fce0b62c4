//! From a job file to a [`Job`]: YAML to a tree with places, the plain form to the manifest's tree, the schema walked
//! over it, and what then remains to be checked.

mod check;
mod document;
mod overrides;
mod plain;
mod report;
mod scalar;
mod schema;
mod tree;
mod yaml;

pub use self::{
    document::{manifest_json, manifest_json_of, manifest_yaml, schema_json},
    report::Form,
};
pub(super) use self::{
    report::{Report, nearest},
    schema::snake,
    tree::{At, Node, Value},
};

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use super::{
    items::PinnedItems,
    model::Job,
    problem::{Problem, Problems, Severity},
    validate,
};
use crate::{
    api::MozartJob,
    job::sources::{self, SourceError, Sources},
};

/// What the command line says about a job, on top of its file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--set batch.totalItems=20`: a path and a value. Paths are the manifest's (with or without `spec.`); for a plain
    /// file its own too.
    pub set: Vec<(String, String)>,
    /// Another workspace, absolute.
    pub workspace: Option<PathBuf>,
    /// Another parallelism.
    pub parallelism: Option<NonZeroU32>,
    /// A file of items, as for `batch.itemsFrom.file`, instead of whatever the job file says the items are.
    pub items_file: Option<String>,
    /// The items that runs of jobs of this file have pinned.
    pub items: Vec<PinnedItems>,
    /// Whether every batch is rendered once.
    pub rehearsal: Rehearsal,
}

/// Whether every batch is rendered once before the job counts as sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rehearsal {
    /// Every one.
    #[default]
    Whole,
    /// None: it was done when the run's plan was made.
    None,
}

/// Whether a text without quotes is read as that text.
pub(super) fn is_plain_text(text: &str) -> bool {
    matches!(scalar::resolve(text), Ok(Value::String(_)))
}

/// A job, and what there is to say about its file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The job.
    pub job: Job,
    /// Warnings only.
    pub warnings: Problems,
}

/// A job file that fits the schema: the manifest's tree, with places.
#[derive(Debug)]
pub(super) struct Document {
    pub tree: Node,
    pub report: Report,
}

/// Loads a job: reads its file and what it names, and renders every batch once.
///
/// It reads files, may run `batch.itemsFrom.command`, and uses the processor for up to 10 s: call it where it may
/// block.
///
/// # Errors
/// Everything that is wrong, each with its place and a way out.
pub fn load(path: &Path, overrides: &Overrides, sources: &dyn Sources) -> Result<Loaded, Problems> {
    let text = read(path)?;
    load_text(&text, path, overrides, sources)
}

/// The same for a text that is already there; `path` says where it stands.
///
/// # Errors
/// As [`load`].
pub fn load_text(
    text: &str,
    path: &Path,
    overrides: &Overrides,
    sources: &dyn Sources,
) -> Result<Loaded, Problems> {
    let Document { mut tree, mut report } = parse(text, path, &overrides.set)?;
    if let Some(file) = &overrides.items_file {
        overrides::replace_items(&mut tree, file, &mut report);
    }
    if report.form == Form::Manifest {
        sort_untyped(&mut tree);
    }
    let api: MozartJob = serde_json::from_value(tree.to_json()).map_err(|error| {
        report.error(tree.at, "", format!("the job file cannot be read: {error}"), "");
        std::mem::take(&mut report.problems)
    })?;
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let job = validate::job(&api, &tree, &file, overrides, sources, &mut report);
    let problems = report.problems.sorted();
    match job {
        Some(job) if !problems.has_errors() => Ok(Loaded { job, warnings: problems }),
        _ => Err(problems),
    }
}

/// Reads a job file as text.
///
/// # Errors
/// It cannot be read, is too large or no UTF-8.
fn read(path: &Path) -> Result<String, Problems> {
    let name = path.display().to_string();
    let whole = |message: String, help: &str| {
        let mut problems = Problems::default();
        problems.push(Problem {
            severity: Severity::Error,
            place: None,
            path: String::new(),
            message: format!("{name}: {message}"),
            help: Some(help.to_owned()),
        });
        problems
    };
    sources::read_text(path).map_err(|error| match error {
        SourceError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            whole("there is no such file".to_owned(), "name the job file, or make one with `mozart init`")
        }
        SourceError::Read { source, .. } => {
            whole(format!("it cannot be read: {source}"), "name a file that you may read")
        }
        SourceError::NotUtf8 { at, .. } => whole(
            format!("it is not UTF-8: byte {} begins no character", at + 1),
            "save it as UTF-8; `file` and `iconv` tell and change an encoding",
        ),
        other => whole(other.to_string(), "keep long lists in a file of their own: batch.itemsFrom.file"),
    })
}

/// From text to a manifest's tree that fits the schema.
///
/// # Errors
/// Everything that does not fit.
pub(super) fn parse(text: &str, path: &Path, set: &[(String, String)]) -> Result<Document, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut report =
        Report { form: Form::Manifest, texts: tree::Texts::default(), problems: Problems::default() };
    let start = At { text: 0, line: 1, column: 1, width: 1 };
    if text.len() > yaml::MAX_BYTES {
        report.texts.add(path.display().to_string(), "");
        let message = format!("the job file is larger than {} MiB", yaml::MAX_BYTES >> 20);
        report.error(start, "", message, "keep long lists in a file of their own: batch.itemsFrom.file");
        return Err(report.problems);
    }
    report.texts.add(path.display().to_string(), text);
    let root = match yaml::parse(text, 0) {
        Ok(root) => root,
        Err(faults) => {
            for yaml::Fault { at, message, help } in faults {
                report.error(at, "", message, help.unwrap_or_default());
            }
            return Err(report.problems);
        }
    };
    let manifest = match &root.value {
        Value::Null => {
            report.error(start, "", "the job file is empty", "`mozart init` writes one to begin with");
            return Err(report.problems);
        }
        Value::Map(_) => ["apiVersion", "kind", "spec"].iter().any(|key| root.get(key).is_some()),
        other => {
            let message = format!("the job file is {}, and must be a map", other.kind());
            report.error(
                root.at,
                "",
                message,
                "begin it with `name: …`, or with `apiVersion: mozart.dev/v1alpha1`",
            );
            return Err(report.problems);
        }
    };
    let schema = &schema::MANIFEST;
    let mut tree = root;
    if !manifest {
        report.form = Form::Plain;
        tree = plain::to_manifest(tree, schema, &mut report);
    }
    overrides::apply(&mut tree, set, schema, &mut report);
    check::check(&tree, schema, "", &mut report);
    if report.problems.has_errors() {
        return Err(report.problems.sorted());
    }
    Ok(Document { tree, report })
}

/// A cluster forgets the order of a map's keys, and a prompt may go through a map: a manifest means the same everywhere.
fn sort_untyped(manifest: &mut Node) {
    for (part, field) in [("prompt", "variables"), ("batch", "items")] {
        let written = manifest.get_mut("spec").and_then(|spec| spec.get_mut(part));
        if let Some(untyped) = written.and_then(|part| part.get_mut(field)) {
            untyped.sort();
        }
    }
}

#[cfg(test)]
mod tests;
