//! What was said on top of a job file when its run began: kept with the run, so that whoever goes on with it need not
//! say it again.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{pinned::reads_anew, verb::Verb};
use crate::{
    history::{HistoryError, Reader},
    job::identity::RunId,
    store::home::Home,
};

/// The name that `--items -` gives the items of standard input.
pub const STANDARD_INPUT: &str = "-";

/// What is said on top of a job file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OnTop {
    /// Fields and their values, in the order in which they count.
    pub set: Vec<(String, String)>,
    /// The workspace, absolute.
    pub workspace: Option<PathBuf>,
    /// The file of the items, absolute, or [`STANDARD_INPUT`].
    pub items: Option<String>,
}

/// It cannot be kept with the run.
#[derive(Debug, thiserror::Error)]
#[error("what was said on top of the job file cannot be kept in {}", path.display())]
pub struct OnTopError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl OnTop {
    /// This, and of `earlier` what it does not say itself.
    #[must_use]
    pub fn over(self, earlier: Self) -> Self {
        let Self { set, workspace, items } = self;
        let mut all = earlier.set;
        all.retain(|(path, _)| !set.iter().any(|(newer, _)| newer == path));
        all.extend(set);
        Self { set: all, workspace: workspace.or(earlier.workspace), items: items.or(earlier.items) }
    }

    /// As it is typed.
    pub fn words(&self) -> String {
        let set = self.set.iter().map(|(path, value)| format!("--set {path}={value}"));
        let workspace = self.workspace.iter().map(|path| format!("--workspace {}", path.display()));
        let items = self.items.iter().map(|file| format!("--items {file}"));
        set.chain(workspace).chain(items).collect::<Vec<_>>().join(" ")
    }
}

/// Keeps it with a run; when it returns, whoever goes on finds it. Nothing is written where nothing was said.
///
/// # Errors
/// It could not be written.
pub(super) fn keep(home: &Home, run: &RunId, on_top: &OnTop) -> Result<(), OnTopError> {
    let path = file(home, run);
    let written = if *on_top == OnTop::default() {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    } else {
        write(&path, on_top)
    };
    written.map_err(|source| OnTopError { path, source })
}

fn write(path: &Path, on_top: &OnTop) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(&serde_json::to_vec(on_top)?)?;
    new.as_file().sync_all()?;
    new.persist(path)?;
    Ok(())
}

/// What the last run of the job file `file` (absolute) was begun with, and the job's name, where `verb` goes on with
/// what that run was.
///
/// # Errors
/// The state cannot be read.
pub async fn of_last(
    home: &Home,
    reader: &Reader,
    file: &Path,
    verb: &Verb,
) -> Result<Option<(String, OnTop)>, HistoryError> {
    let Some(job) = reader.jobs().await?.into_iter().find(|job| job.file == file) else { return Ok(None) };
    let Some(last) = reader.last_run(job.uid).await?.filter(|last| !reads_anew(verb, last)) else {
        return Ok(None);
    };
    Ok(read(home, &last.run).map(|on_top| (job.name, on_top)))
}

fn read(home: &Home, run: &RunId) -> Option<OnTop> {
    let path = file(home, run);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "what was said on top of the job file is left out");
            return None;
        }
    };
    serde_json::from_slice(&text)
        .inspect_err(|error| {
            tracing::warn!(file = %path.display(), %error, "what was said on top of the job file is left out");
        })
        .ok()
}

fn file(home: &Home, run: &RunId) -> PathBuf {
    home.run(run).join("on-top.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_now_wins_over_what_was_said_before() {
        let say = |set: &[(&str, &str)], workspace: Option<&str>, items: Option<&str>| OnTop {
            set: set.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect(),
            workspace: workspace.map(PathBuf::from),
            items: items.map(ToOwned::to_owned),
        };
        let before = say(&[("batch.size", "2"), ("backend.model", "a")], Some("/before"), Some("-"));
        let now = say(&[("batch.size", "3")], None, None);
        let both = say(&[("backend.model", "a"), ("batch.size", "3")], Some("/before"), Some("-"));
        assert_eq!(now.over(before.clone()), both);
        assert_eq!(OnTop::default().over(before.clone()), before);
        assert_eq!(both.words(), "--set backend.model=a --set batch.size=3 --workspace /before --items -");
    }
}
