//! What a batch's files were before its first attempt of a run, so that neither a leftover nor an obedient retry is
//! judged wrong.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Attempt, BeginError, checks::paths};
use crate::job::{expand::expand_path, model::Check};

/// Of every path that a validation compares: what was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// When it was taken.
    pub taken: Timestamp,
    /// By absolute path; what was not there is not in it.
    files: BTreeMap<PathBuf, State>,
}

/// A file's content, without keeping it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    bytes: u64,
    /// SHA-256, in hex.
    sha256: String,
}

impl Baseline {
    /// Reads the batch's baseline, or takes and writes it. A job without such validations has an empty one.
    pub(super) fn load_or_take(attempt: &Attempt) -> Result<Self, BeginError> {
        let mut baseline = Self { taken: attempt.record.began, files: BTreeMap::new() };
        let compared: Vec<&str> =
            attempt.job.validations.iter().filter_map(|it| compared(&it.check)).collect();
        if compared.is_empty() {
            return Ok(baseline);
        }
        let file = attempt.directory.files.baseline();
        if let Some(known) = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(known);
        }
        for written in compared {
            // What cannot be expanded or lies outside fails as a validation, where it can be said.
            let Ok(path) = expand_path(&attempt.job, attempt.batch, written) else { continue };
            let Ok(found) = paths::inside(&path, &attempt.job.workspace.path) else { continue };
            if let Ok(state) = State::of(&found) {
                baseline.files.insert(path, state);
            }
        }
        let written = serde_json::to_vec(&baseline).map_err(io::Error::from);
        // By rename: a torn baseline would be taken anew, after the first attempt has worked.
        let draft = file.with_extension("draft");
        let written =
            written.and_then(|bytes| fs::write(&draft, bytes)).and_then(|()| fs::rename(&draft, &file));
        written.map_err(|source| BeginError::Files { path: file.display().to_string(), source })?;
        Ok(baseline)
    }

    /// Whether the content of `found` (where `path` leads) is other than it was, or the file is new.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn has_changed(&self, path: &Path, found: &Path) -> io::Result<bool> {
        let Some(before) = self.files.get(path) else { return Ok(true) };
        if fs::metadata(found)?.len() != before.bytes {
            return Ok(true);
        }
        Ok(State::of(found)? != *before)
    }
}

fn compared(check: &Check) -> Option<&str> {
    match check {
        Check::FileExists { path, allow_existing: false } | Check::FileModified { path } => Some(path),
        _ => None,
    }
}

impl State {
    fn of(path: &Path) -> io::Result<Self> {
        let mut file = paths::open_regular(path)?;
        let mut hash = Sha256::new();
        let bytes = copy(&mut file, &mut hash)?;
        let mut sha256 = String::with_capacity(64);
        for byte in hash.finalize() {
            sha256.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            sha256.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        Ok(Self { bytes, sha256 })
    }
}

fn copy(file: &mut File, hash: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(bytes);
        }
        hash.update(&buffer[..count]);
        bytes += count as u64;
    }
}
