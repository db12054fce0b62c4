//! What is wrong with a job file: every problem at once, each with its place and a way out.

use std::fmt::{self, Write as _};

use serde::Serialize;

/// The most problems that are kept; more do not help anybody.
const MAX_PROBLEMS: usize = 100;

/// The most characters of a line that a snippet shows.
const SNIPPET_CHARS: usize = 100;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The job does not run.
    Error,
    /// It runs, perhaps not as meant.
    Warning,
}

/// Where in which text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as people know it, or `--set batch.size`.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// How many characters it spans on that line, at least 1.
    pub width: u32,
    /// The line's text.
    pub snippet: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Option<Place>,
    /// The field in the user's own spelling (`batch.total_items`); empty where no field is meant.
    pub path: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// What is wrong with a job file, in the order of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    /// Adds one, unless it is known or there are a hundred.
    pub fn push(&mut self, problem: Problem) {
        if self.list.len() < MAX_PROBLEMS && !self.list.contains(&problem) {
            self.list.push(problem);
        }
    }

    /// Adds those of another list.
    pub fn extend(&mut self, other: Problems) {
        for problem in other.list {
            self.push(problem);
        }
    }

    /// Whether the job cannot run.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether no more are kept: who looks for problems may stop.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_PROBLEMS
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// The same, in the order of the lines.
    pub fn sorted(mut self) -> Self {
        let key = |problem: &Problem| problem.place.as_ref().map(|place| (place.line, place.column));
        self.list.sort_by_key(|problem| (key(problem).is_none(), key(problem)));
        self
    }

    /// For people, each problem as
    /// ```text
    /// error: job.yaml:4:3: `batch.siez` is not a field
    ///   4 |   siez: 10
    ///     |   ^^^^
    ///   help: did you mean `size`?
    /// ```
    /// without a newline at the end. `paint` may colour a whole line; it is given the line and what kind it is.
    pub fn render(&self, paint: impl Fn(&str, LineKind) -> String) -> String {
        let mut out = Vec::new();
        for problem in &self.list {
            problem.render(&paint, &mut out);
        }
        out.join("\n")
    }

    /// As a JSON array of objects: `severity`, `place` (`file`, `line`, `column`, `width`, `snippet`), `path`,
    /// `message`, `help`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(&self.list).unwrap_or_default()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(|line, _| line.to_owned()))
    }
}

impl std::error::Error for Problems {}

/// What a line of [`Problems::render`] is, for who colours it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// The first line of an error.
    Error,
    /// The first line of a warning.
    Warning,
    /// The file's own line.
    Snippet,
    /// The caret under it.
    Caret,
    /// What to do.
    Help,
}

impl Problem {
    fn render(&self, paint: &impl Fn(&str, LineKind) -> String, out: &mut Vec<String>) {
        let (word, kind) = match self.severity {
            Severity::Error => ("error", LineKind::Error),
            Severity::Warning => ("warning", LineKind::Warning),
        };
        let mut head = format!("{word}: ");
        if let Some(Place { file, line, column, .. }) = &self.place {
            let _ = write!(head, "{file}:{line}:{column}: ");
        }
        head.push_str(&self.message);
        out.push(paint(&head, kind));
        if let Some(place) = &self.place
            && !place.snippet.trim().is_empty()
        {
            let (snippet, indent) = cut(&place.snippet, place.column as usize - 1);
            let number = place.line.to_string();
            let room = snippet.chars().count().saturating_sub(indent).max(1);
            let caret = "^".repeat((place.width as usize).clamp(1, room));
            out.push(paint(&format!("  {number} | {snippet}"), LineKind::Snippet));
            out.push(paint(
                &format!("  {:1$} | {2:3$}{caret}", "", number.len(), "", indent),
                LineKind::Caret,
            ));
        }
        if let Some(help) = &self.help {
            out.push(paint(&format!("  help: {help}"), LineKind::Help));
        }
    }
}

/// The part of a line around `column` (from 0) that fits, and where `column` is in it. Control characters become
/// spaces, so that a file cannot drive the terminal and a caret stands where it should.
fn cut(line: &str, column: usize) -> (String, usize) {
    let start = column.saturating_sub(SNIPPET_CHARS * 3 / 4);
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    let mut text: String = line.chars().skip(start).take(SNIPPET_CHARS).map(clean).collect();
    let mut indent = column - start;
    if start > 0 {
        text.insert(0, '…');
        indent += 1;
    }
    if line.chars().count() > start + SNIPPET_CHARS {
        text.push('…');
    } else {
        text.truncate(text.trim_end().len());
    }
    (text, indent)
}
