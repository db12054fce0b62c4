//! What a batch answered, for webhooks that ask for it.

use std::{error::Error, future::Future};

use crate::job::identity::AttemptKey;

/// The most bytes of an answer that a webhook carries.
pub(super) const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// An answer, or the beginning of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Whether there is more.
    pub truncated: bool,
}

/// Where the answers of a run's attempts are read.
pub trait Answers: Clone + Send + Sync + 'static {
    /// At most `limit` bytes of that attempt's answer, cut at a character; `None` when it left none.
    fn read(
        &self,
        key: AttemptKey,
        limit: usize,
    ) -> impl Future<Output = Result<Option<Answer>, Box<dyn Error + Send + Sync>>> + Send;
}

/// For a run whose answers nobody reads back.
#[derive(Clone, Copy, Debug)]
pub struct NoAnswers;

impl Answers for NoAnswers {
    async fn read(
        &self,
        _key: AttemptKey,
        _limit: usize,
    ) -> Result<Option<Answer>, Box<dyn Error + Send + Sync>> {
        Ok(None)
    }
}
