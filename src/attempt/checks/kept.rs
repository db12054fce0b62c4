//! What a validation found that the next try cannot look at again: a command's output, an answer.

use std::{fs, io, path::PathBuf};

use crate::{attempt::Attempt, job::files::folder_in_workspace};

/// Keeps what was found where it was not right, and forgets what an earlier try has kept where it was.
pub fn keep(attempt: &Attempt, index: usize, actual: Option<&String>) {
    let path = path(attempt, index);
    let kept = match actual {
        Some(actual) => {
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, actual))
        }
        None => match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    };
    if let Err(error) = kept {
        let path = path.display();
        tracing::warn!(%path, %error, "cannot keep what a validation found for the next try");
    }
}

/// What was not right when it was last looked at.
pub fn kept(attempt: &Attempt, index: usize) -> Option<String> {
    fs::read_to_string(path(attempt, index)).ok()
}

/// In the workspace, so that the next try finds it wherever that runs.
fn path(attempt: &Attempt, index: usize) -> PathBuf {
    let file = format!("b{}-check{}.txt", attempt.batch.number, index + 1);
    folder_in_workspace(&attempt.job.workspace.path, &attempt.run).join(file)
}
