//! The gates of credentials: one small file each, shared by every Mozart of the user whatever the form of its state.
//!
//! `<state>/gates/<key>.json`, changed under a lock and replaced whole. The key is a keyed hash, so that neither the
//! file's name nor what is in it tells anything of the credential.

mod key;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

pub use self::key::{Credential, gate_key};
use super::{
    error::Trouble,
    files::{Files, exclusively},
    home::Home,
};
use crate::{
    driver::ports::{Gates, StoreError},
    engine::gate::{Gate, GateReport},
};

/// How often another process's change is looked for. A look is one `stat`.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A file changed so lately may be changed again without its times showing it: they move in ticks of up to 10 ms.
const UNSETTLED: Duration = Duration::from_millis(50);

/// Whose gate it is, for `mozart credential list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateName {
    /// The file's name, from [`gate_key`].
    pub key: String,
    /// The credential for people, never the secret: `claude.ai login`, `API key from ANTHROPIC_API_KEY`.
    pub credential: String,
    /// The model family that the limit is for: `opus`, `sonnet`, …
    pub family: String,
}

/// A gate and whose it is: what a gate's file holds, and `mozart credential list -o json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedGate {
    /// Whose.
    #[serde(flatten)]
    pub name: GateName,
    /// How it is.
    pub gate: Gate,
}

/// The gate of one credential and model family, in its file.
#[derive(Debug)]
pub struct FileGates {
    name: GateName,
    path: PathBuf,
    files: Files,
    seen: Mutex<Seen>,
}

/// What the last look saw.
#[derive(Debug, Default)]
struct Seen {
    mark: Option<Mark>,
    gate: Gate,
}

/// What tells one version of a file from another, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl FileGates {
    /// The gate called `name` in the state folder. Without a file it is open.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(home: &Home, name: GateName) -> Result<Self, StoreError> {
        let folder = home.gates();
        fs::create_dir_all(&folder)
            .map_err(|error| Trouble::of_io(&error).met("make the folder of gates", &folder, error))?;
        let path = folder.join(format!("{}.json", name.key));
        Ok(Self { name, path, files: Files::default(), seen: Mutex::default() })
    }

    /// Every gate that was ever told anything, by credential and family.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(home: &Home) -> Result<Vec<NamedGate>, StoreError> {
        let folder = home.gates();
        let read = || -> io::Result<Vec<NamedGate>> {
            let mut gates = Vec::new();
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "json") {
                    gates.extend(read_gate(&path)?);
                }
            }
            Ok(gates)
        };
        let mut gates = match read() {
            Ok(gates) => gates,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Trouble::of_io(&error).met("read the gates in", &folder, error)),
        };
        gates.sort_by(|a, b| (&a.name.credential, &a.name.family).cmp(&(&b.name.credential, &b.name.family)));
        Ok(gates)
    }

    /// Applies `report` under the file's lock.
    fn tell(path: &Path, files: &Files, name: GateName, report: &GateReport) -> io::Result<Gate> {
        exclusively(path, || {
            let before = read_gate(path)?.map(|named| named.gate);
            let gate = before.clone().unwrap_or_default().after(report);
            if before.as_ref() != Some(&gate) {
                let named = NamedGate { name, gate: gate.clone() };
                let text = serde_json::to_string(&named).map_err(io::Error::from)? + "\n";
                files.replace(path, text.as_bytes())?;
            }
            Ok(gate)
        })
    }

    fn see(&self) -> io::Result<Gate> {
        let mark = mark_of(&self.path)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if mark.is_none() || seen.mark != mark || mark.is_some_and(unsettled) {
            seen.gate = read_gate(&self.path)?.map(|named| named.gate).unwrap_or_default();
            seen.mark = mark;
        }
        Ok(seen.gate.clone())
    }
}

impl Gates for FileGates {
    async fn look(&self) -> Gate {
        match self.see() {
            Ok(gate) => gate,
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "the gate cannot be read; the last known one holds");
                self.seen.lock().unwrap_or_else(PoisonError::into_inner).gate.clone()
            }
        }
    }

    async fn report(&self, report: GateReport) -> Result<Gate, StoreError> {
        let (path, files, name) = (self.path.clone(), self.files.clone(), self.name.clone());
        let told = tokio::task::spawn_blocking(move || Self::tell(&path, &files, name, &report)).await;
        told.unwrap_or_else(|error| Err(error.into()))
            .map_err(|error| Trouble::of_io(&error).met("write the gate", &self.path, error))
    }

    async fn changed(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let mark = mark_of(&self.path).ok().flatten();
            if mark != self.seen.lock().unwrap_or_else(PoisonError::into_inner).mark {
                return;
            }
        }
    }
}

/// The gate in a file; `None` when there is no file, or nothing of ours in it: then it counts as open, and whoever
/// meets a limit closes it.
fn read_gate(path: &Path) -> io::Result<Option<NamedGate>> {
    match fs::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text)
            .inspect_err(|error| {
                tracing::warn!(%error, path = %path.display(), "the gate's file makes no sense; the gate counts as open");
            })
            .ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn mark_of(path: &Path) -> io::Result<Option<Mark>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Mark {
            inode: metadata.ino(),
            length: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn unsettled(mark: Mark) -> bool {
    let (seconds, nanoseconds) = mark.changed;
    let changed = u64::try_from(seconds).ok().map(Duration::from_secs).zip(u32::try_from(nanoseconds).ok());
    changed.is_none_or(|(seconds, nanoseconds)| {
        let changed = SystemTime::UNIX_EPOCH + seconds + Duration::from_nanos(nanoseconds.into());
        // A clock that was set back makes it lie ahead: not settled either.
        changed.elapsed().is_ok_and(|age| age < UNSETTLED) || changed.elapsed().is_err()
    })
}
