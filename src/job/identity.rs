//! Names of things: jobs, runs, batches, attempts and the sessions of Claude Code.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A job's name: a DNS label of 1 to 52 characters (`[a-z0-9]([-a-z0-9]*[a-z0-9])?`).
///
/// Pod names and label values derive from it, which is where the 52 comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct JobName(String);

/// Why a text is no [`JobName`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a DNS label of at most 52 characters (a-z, 0-9 and -, beginning and ending with a letter or digit)"
)]
pub struct InvalidJobName(pub String);

impl JobName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 52;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobName {
    type Err = InvalidJobName;

    fn from_str(text: &str) -> Result<Self, InvalidJobName> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid = (1..=Self::MAX_LEN).contains(&text.len())
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidJobName(text.to_owned())) }
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A batch's number, from 1.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct BatchNum(pub u32);

impl fmt::Display for BatchNum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Which run of which job. `job` is the job's UID: locally a random UUID made when the job is first seen, in a
/// cluster `metadata.uid`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId {
    /// The job's UID.
    pub job: Uuid,
    /// The run's number, from 1.
    pub run: u32,
}

/// One attempt at one batch of a run: the idempotency key of everything that is done for it.
///
/// `ordinal` counts every start from 1, also those that a limit or a disruption made necessary; what counts against
/// `retry.maxRetries` is kept in the ledger.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct AttemptKey {
    /// The batch.
    pub batch: BatchNum,
    /// Which start of that batch in this run, from 1.
    pub ordinal: u32,
}

impl AttemptKey {
    /// The first attempt at a batch.
    pub fn first(batch: BatchNum) -> Self {
        Self { batch, ordinal: 1 }
    }

    /// The attempt after this one.
    pub fn next(self) -> Self {
        Self { batch: self.batch, ordinal: self.ordinal + 1 }
    }
}

impl fmt::Display for AttemptKey {
    /// `b12-a1`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "b{}-a{}", self.batch, self.ordinal)
    }
}

/// An attempt's full name, unique over all jobs: `<job uid>/r3/b12-a1`. Processes carry it as `MOZART_ATTEMPT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptName<'a> {
    /// The run it belongs to.
    pub run: &'a RunId,
    /// The attempt in that run.
    pub key: AttemptKey,
}

impl fmt::Display for AttemptName<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/r{}/{}", self.run.job, self.run.run, self.key)
    }
}

/// A session of Claude Code: a random UUID of ours, chosen before the session starts. It never derives from the
/// attempt's name, since Claude Code refuses an id that was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct SessionId(pub Uuid);

impl SessionId {
    /// A new one.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
