//! Where problems are collected while a job file is read.

use super::tree::{At, Texts};
use crate::job::problem::{Problem, Problems, Severity};

/// In which of its two spellings a job file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `apiVersion: mozart.dev/v1alpha1`, camelCase.
    Manifest,
    /// The original Mozart's job file, `snake_case`.
    Plain,
}

/// Collects problems, and knows the texts that they stand in.
#[derive(Debug)]
pub struct Report {
    /// The spelling of the job file.
    pub form: Form,
    /// The texts.
    pub texts: Texts,
    /// What was found so far.
    pub problems: Problems,
}

impl Report {
    /// Adds an error.
    pub fn error(&mut self, at: At, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, at, path, message.into(), help.into());
    }

    /// Adds a warning.
    pub fn warning(&mut self, at: At, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Warning, at, path, message.into(), help.into());
    }

    fn push(&mut self, severity: Severity, at: At, path: &str, message: String, help: String) {
        let help = (!help.is_empty()).then_some(help);
        let place = self.texts.place(at);
        self.problems.push(Problem { severity, place, path: path.to_owned(), message, help });
    }

    /// A field's name in the form of the file.
    pub fn spell<'a>(&self, manifest: &'a str, plain: &'a str) -> &'a str {
        match self.form {
            Form::Manifest => manifest,
            Form::Plain => plain,
        }
    }
}

/// The word of `known` that is nearest to `word`, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
    let folded = fold(word);
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&folded, &fold(candidate)), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate)
}

/// The path of a field: `batch.size`.
pub fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}
