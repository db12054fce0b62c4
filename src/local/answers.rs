//! The answers of a run's attempts, read back for notifications that carry them.

use std::{error::Error, fs::File, io::Read};

use crate::{
    job::{
        files::AttemptFiles,
        identity::{AttemptKey, RunId},
    },
    notify::{Answer, Answers},
    store::home::Home,
};

/// The answers in the attempts' directories of one run.
#[derive(Clone, Debug)]
pub struct RunAnswers {
    home: Home,
    run: RunId,
}

impl RunAnswers {
    /// Those of `run`.
    pub fn new(home: Home, run: RunId) -> Self {
        Self { home, run }
    }
}

impl Answers for RunAnswers {
    async fn read(
        &self,
        key: AttemptKey,
        limit: usize,
    ) -> Result<Option<Answer>, Box<dyn Error + Send + Sync>> {
        let files = self.home.attempt(&self.run, key);
        tokio::task::spawn_blocking(move || read(&files, limit)).await?
    }
}

/// An answer stands in its own file, or is the output of the program as it stands.
fn read(files: &AttemptFiles, limit: usize) -> Result<Option<Answer>, Box<dyn Error + Send + Sync>> {
    for path in [files.answer(), files.stdout()] {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Vec::new();
        file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        let truncated = bytes.len() > limit;
        bytes.truncate(limit);
        // A character that was cut in half is left out; other bytes that are no UTF-8 are shown as such.
        let whole = match std::str::from_utf8(&bytes) {
            Err(error) if truncated && error.error_len().is_none() => error.valid_up_to(),
            _ => bytes.len(),
        };
        let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
        return Ok(Some(Answer { text, truncated }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_cut_between_characters() {
        let folder = tempfile::tempdir().unwrap();
        let files = AttemptFiles::at(folder.path().to_owned());
        assert_eq!(read(&files, 10).unwrap(), None);
        std::fs::write(files.stdout(), "né").unwrap();
        assert_eq!(read(&files, 2).unwrap(), Some(Answer { text: "n".to_owned(), truncated: true }));
        std::fs::write(files.answer(), "whole").unwrap();
        assert_eq!(read(&files, 5).unwrap(), Some(Answer { text: "whole".to_owned(), truncated: false }));
    }
}
