//! What Claude Code keeps of its sessions, below its own folder.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;

use crate::job::identity::SessionId;

/// A transcript that was written later than this after its attempt was judged is somebody else's work.
const LAST_WORDS: Duration = Duration::from_mins(1);

/// What became of the sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// How many were deleted.
    pub sessions: u64,
    /// Their transcripts' bytes.
    pub bytes: u64,
    /// How many were left, since somebody went on with them.
    pub left: u64,
}

/// Claude Code's folder: `CLAUDE_CONFIG_DIR`, else `~/.claude`; `None` without a home.
pub fn folder() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("CLAUDE_CONFIG_DIR").or_else(|| set("HOME").map(|home| home.join(".claude")))
}

/// Deletes what `folder` has of these sessions, each with the time at which its last attempt was judged. A session that
/// was written to later is left.
///
/// # Errors
/// With the path: something cannot be read or deleted.
pub fn delete(folder: &Path, sessions: &[(SessionId, Timestamp)]) -> Result<Deleted, (PathBuf, io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    let projects = folder.join("projects");
    let mut places = Vec::new();
    match fs::read_dir(&projects) {
        Ok(entries) => {
            for entry in entries {
                places.push(entry.map_err(at(&projects))?.path());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err((projects, error)),
    }
    let mut deleted = Deleted::default();
    for (session, judged) in sessions {
        for place in &places {
            let transcript = place.join(format!("{session}.jsonl"));
            let Ok(metadata) = fs::metadata(&transcript) else { continue };
            let written = metadata.modified().map_err(at(&transcript))?;
            if Timestamp::try_from(written).is_ok_and(|written| written > *judged + LAST_WORDS) {
                deleted.left += 1;
                continue;
            }
            // The transcript last: by it the rest is found.
            for beside in
                [place.join(session.to_string()), folder.join("session-env").join(session.to_string())]
            {
                match fs::remove_dir_all(&beside) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err((beside, error)),
                    _ => {}
                }
            }
            fs::remove_file(&transcript).map_err(at(&transcript))?;
            deleted.sessions += 1;
            deleted.bytes += metadata.len();
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_somebody_went_on_with_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("projects/-a-b");
        let (ours, theirs) = (SessionId::random(), SessionId::random());
        fs::create_dir_all(place.join(ours.to_string()).join("subagents")).unwrap();
        for session in [ours, theirs] {
            fs::write(place.join(format!("{session}.jsonl")), "0123456789").unwrap();
        }
        let now = Timestamp::now();
        let judged = [(ours, now), (theirs, now - Duration::from_hours(1)), (SessionId::random(), now)];
        let deleted = delete(folder.path(), &judged).unwrap();
        assert_eq!(deleted, Deleted { sessions: 1, bytes: 10, left: 1 });
        let left: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [format!("{theirs}.jsonl").as_str()]);
        assert_eq!(delete(&folder.path().join("none"), &judged).unwrap(), Deleted::default());
    }
}
