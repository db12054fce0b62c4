//! What every rule needs: the tree for places, and where to report.

use std::path::{Path, PathBuf};

use crate::job::{
    load::{At, Form, Node, Overrides, Report, Value, snake},
    sources::Sources,
};

/// What every rule needs.
pub struct Context<'a> {
    /// The manifest's tree.
    pub tree: &'a Node,
    /// The job file, absolute.
    pub file: &'a Path,
    /// What the command line says.
    pub overrides: &'a Overrides,
    /// Where templates and items come from.
    pub sources: &'a dyn Sources,
    /// Where problems go.
    pub report: &'a mut Report,
}

impl Context<'_> {
    /// The folder that relative paths are relative to.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }

    /// A path of the job file, absolute, without `.` and `..`.
    pub fn resolve(&self, path: &str) -> PathBuf {
        let mut out = PathBuf::new();
        for component in self.folder().join(path).components() {
            match component {
                std::path::Component::ParentDir => {
                    out.pop();
                }
                std::path::Component::CurDir => {}
                other => out.push(other),
            }
        }
        out
    }

    /// Whether a field is written. Paths are the manifest's under `spec`: `batch.size`, `validations.0.path`.
    pub fn has(&self, path: &str) -> bool {
        self.find(path).2
    }

    /// A field as the user spells it.
    pub fn name(&self, path: &str) -> String {
        self.find(path).1
    }

    /// Reports an error at a field.
    pub fn error(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        let (at, name, _) = self.find(path);
        self.report.error(at, &name, message, help);
    }

    /// Reports a warning at a field.
    pub fn warning(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        let (at, name, _) = self.find(path);
        self.report.warning(at, &name, message, help);
    }

    /// A word in the form of the file.
    pub fn spell(&self, manifest: &str) -> String {
        match self.report.form {
            Form::Manifest => manifest.to_owned(),
            Form::Plain => snake(manifest),
        }
    }

    fn find(&self, path: &str) -> (At, String, bool) {
        let plain = self.report.form == Form::Plain;
        let whole = if path.starts_with("metadata") { path.to_owned() } else { format!("spec.{path}") };
        let (mut node, mut at, mut name, mut there) = (Some(self.tree), self.tree.at, String::new(), true);
        for segment in whole.split('.').filter(|segment| !segment.is_empty()) {
            if let (Some(Node { value: Value::List(nodes), .. }), Ok(index)) =
                (node, segment.parse::<usize>())
            {
                node = nodes.get(index);
                at = node.map_or(at, |node| node.at);
                name = format!("{name}[{index}]");
                continue;
            }
            let hidden = plain && name.is_empty() && matches!(segment, "spec" | "metadata");
            let spelled = if plain { snake(segment) } else { segment.to_owned() };
            let joined = match (hidden, name.is_empty()) {
                (true, _) => String::new(),
                (false, true) => spelled,
                (false, false) => format!("{name}.{spelled}"),
            };
            let entry = node.and_then(|node| node.entry(segment));
            there &= entry.is_some();
            name = entry.and_then(|entry| entry.key.written.clone()).filter(|_| !hidden).unwrap_or(joined);
            if let Some(entry) = entry {
                let block =
                    matches!(entry.value.value, Value::Map(_) | Value::List(_)) || entry.value.at.width <= 1;
                at = if block && entry.key.at.line > 0 { entry.key.at } else { entry.value.at };
            }
            node = entry.map(|entry| &entry.value);
        }
        (at, name, there)
    }
}
