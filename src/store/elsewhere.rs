//! The state files that job files name themselves (`state_path`): noted, so that `mozart list` finds them without the
//! job file.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    error::{OpenError, Trouble},
    files::{Files, exclusively},
    home::Home,
};
use crate::job::model::StateKind;

/// A state file outside of the state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    json: bool,
    path: std::path::PathBuf,
}

impl Elsewhere {
    /// Where.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// In what form.
    pub fn kind(&self) -> StateKind {
        if self.json { StateKind::Json } else { StateKind::Sqlite }
    }
}

/// Notes the state file at `path`.
pub fn note(home: &Home, kind: StateKind, path: &Path) -> Result<(), OpenError> {
    let list = home.elsewhere();
    let noted = Elsewhere { json: kind == StateKind::Json, path: path.to_owned() };
    let written = fs::create_dir_all(home.path()).and_then(|()| {
        exclusively(&list, || {
            let mut all = read(&list)?;
            if !all.contains(&noted) {
                all.push(noted);
                let text = serde_json::to_string(&all).map_err(io::Error::from)? + "\n";
                Files::default().replace(&list, text.as_bytes())?;
            }
            Ok(())
        })
    });
    written.map_err(|error: io::Error| unavailable(&list, error))
}

/// The state files that were noted and are still there.
pub fn list(home: &Home) -> Result<Vec<Elsewhere>, OpenError> {
    let list = home.elsewhere();
    let mut all = read(&list).map_err(|error| unavailable(&list, error))?;
    all.retain(|elsewhere| elsewhere.path.exists());
    Ok(all)
}

fn read(list: &Path) -> io::Result<Vec<Elsewhere>> {
    match fs::read(list) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn unavailable(path: &Path, error: io::Error) -> OpenError {
    let advice = Trouble::of_io(&error).advice();
    OpenError::Unavailable { path: path.to_owned(), advice, source: error.into() }
}
