//! Where the files of a run's attempts lie.

use std::path::{Path, PathBuf};

use super::identity::{AttemptKey, BatchNum, RunId};

/// The folder of an attempt, below its run's and its batch's: `<run>/b12/a1`. One of its files that is missing was not
/// written yet, or was pruned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptFiles {
    folder: PathBuf,
}

/// The folder of a batch in that of its run.
pub fn batch_folder(run_folder: &Path, batch: BatchNum) -> PathBuf {
    run_folder.join(format!("b{batch}"))
}

/// What a run keeps in its workspace for attempts that run elsewhere: `.mozart/1b4e28ba-r3`.
pub fn folder_in_workspace(workspace: &Path, run: &RunId) -> PathBuf {
    let uid = run.job.simple().to_string();
    workspace.join(format!(".mozart/{}-r{}", &uid[..8], run.run))
}

impl AttemptFiles {
    /// Those of the attempt `key`, whether they are there or not.
    pub fn of(run_folder: &Path, key: AttemptKey) -> Self {
        Self { folder: batch_folder(run_folder, key.batch).join(format!("a{}", key.ordinal)) }
    }

    /// Those in `folder`.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the attempt was started with.
    pub fn record(&self) -> PathBuf {
        self.folder.join("attempt.json")
    }

    /// What was asked.
    pub fn prompt(&self) -> PathBuf {
        self.folder.join("prompt.md")
    }

    /// Standard output, whole; written while the attempt runs.
    pub fn stdout(&self) -> PathBuf {
        self.folder.join("stdout.log")
    }

    /// Standard error, whole; written while the attempt runs.
    pub fn stderr(&self) -> PathBuf {
        self.folder.join("stderr.log")
    }

    /// The answer, where it is not standard output.
    pub fn answer(&self) -> PathBuf {
        self.folder.join("answer.md")
    }

    /// Which process it is.
    pub fn process(&self) -> PathBuf {
        self.folder.join("process.json")
    }

    /// How that process ended.
    pub fn exit(&self) -> PathBuf {
        self.folder.join("exit.json")
    }

    /// What its validations found.
    pub fn findings(&self) -> PathBuf {
        self.folder.join("checks.json")
    }

    /// The output of the validation command at this place in the job's list, from 0.
    pub fn check_output(&self, index: usize) -> PathBuf {
        self.folder.join(format!("check{}.log", index + 1))
    }

    /// What came of it and what it used.
    pub fn result(&self) -> PathBuf {
        self.folder.join("result.json")
    }

    /// What the batch's files were before its first attempt; shared by the batch's attempts.
    pub fn baseline(&self) -> PathBuf {
        self.folder.parent().unwrap_or(&self.folder).join("baseline.json")
    }
}
