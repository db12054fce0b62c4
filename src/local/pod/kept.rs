//! The baseline of a batch, kept in its workspace: the next attempt may run in another Pod, and must not take for a
//! leftover what this one has made.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    attempt::{Attempt, remote::RemoteCall},
    job::{files::folder_in_workspace, outcome::Failure},
};

/// Where a batch's baseline is between its attempts: `.mozart/1b4e28ba-r3/b12.json`.
#[derive(Debug)]
pub struct KeptBaseline {
    file: PathBuf,
}

impl KeptBaseline {
    /// The one of this batch.
    pub fn of(call: &RemoteCall) -> Self {
        let file = format!("b{}.json", call.start.key.batch);
        Self { file: folder_in_workspace(&call.workspace, &call.run).join(file) }
    }

    /// Gives the attempt the baseline of the attempts before; the first one takes it and keeps it here.
    ///
    /// # Errors
    /// With the failure of the attempt: it cannot be read or written.
    pub fn hand_over(&self, attempt: &Attempt) -> Result<(), Failure> {
        let own = attempt.directory.files.baseline();
        match fs::copy(&self.file, &own) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "the batch's baseline cannot be read; it is taken anew");
            }
        }
        attempt.baseline()?;
        if own.exists()
            && let Err(error) = self.keep(&own)
        {
            tracing::warn!(file = %self.file.display(), %error, "the batch's baseline cannot be kept: another attempt takes it anew");
        }
        Ok(())
    }

    /// By rename: a torn one would be taken anew, after an attempt has worked.
    fn keep(&self, own: &Path) -> io::Result<()> {
        fs::create_dir_all(self.file.parent().unwrap_or(Path::new("/")))?;
        let draft = self.file.with_extension("draft");
        fs::copy(own, &draft)?;
        fs::rename(&draft, &self.file)
    }

    /// No attempt follows: nothing of Mozart's is left in the workspace.
    pub fn forget(&self) {
        // Folders that hold other batches' stay.
        let _ = fs::remove_file(&self.file);
        for folder in self.file.ancestors().skip(1).take(2) {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}
