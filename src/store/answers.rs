//! Answers that exist nowhere else: in the attempt's directory, durable.

use std::{fs, path::Path, path::PathBuf};

use super::{
    error::Trouble,
    files::{Files, folder_of},
    home::Home,
};
use crate::{
    driver::ports::{Outputs, StoreError},
    job::{
        answer::AnswerFacts,
        files::AttemptFiles,
        identity::{AttemptKey, RunId},
    },
};

/// The answers of local runs, whatever the form of their state.
#[derive(Clone, Debug)]
pub struct Answers {
    place: Place,
    files: Files,
}

#[derive(Clone, Debug)]
enum Place {
    /// Runs have their folders in the state folder.
    Home(Home),
    /// The folder of one run.
    Run(PathBuf),
}

impl Answers {
    /// Those in the state folder `home`.
    pub fn new(home: Home) -> Self {
        Self { place: Place::Home(home), files: Files::default() }
    }

    /// Those of one run, whose attempts lie in `folder`.
    pub fn of_run(folder: PathBuf) -> Self {
        Self { place: Place::Run(folder), files: Files::default() }
    }

    /// Where an answer is kept.
    pub fn path(&self, run: &RunId, key: AttemptKey) -> PathBuf {
        let files = match &self.place {
            Place::Home(home) => home.attempt(run, key),
            Place::Run(folder) => AttemptFiles::of(folder, key),
        };
        files.answer()
    }

    fn write(&self, path: &Path, answer: &str) -> std::io::Result<()> {
        let folder = folder_of(path);
        let root = match &self.place {
            Place::Home(home) => home.path(),
            Place::Run(folder) => folder,
        };
        // The launcher has made the attempt's directory, but need not have made it durable.
        fs::create_dir_all(folder)?;
        self.files.replace(path, answer.as_bytes())?;
        folder
            .ancestors()
            .skip(1)
            .take_while(|above| above.starts_with(root))
            .try_for_each(|above| self.files.sync_folder(above))
    }
}

impl Outputs for Answers {
    /// What is known of it is in the record of its attempt.
    async fn put(
        &self,
        run: &RunId,
        key: AttemptKey,
        answer: &str,
        _facts: &AnswerFacts,
    ) -> Result<(), StoreError> {
        let (answers, path, answer) = (self.clone(), self.path(run, key), answer.to_owned());
        let kept = path.clone();
        let written = tokio::task::spawn_blocking(move || answers.write(&path, &answer)).await;
        written
            .unwrap_or_else(|error| Err(error.into()))
            .map_err(|error| Trouble::of_io(&error).met("keep the answer in", &kept, error))
    }
}
