//! How far an attempt has come, read from its directory.

use std::sync::Arc;

use super::{Place, keeper::message::ProcessRecord};
use crate::{
    attempt::{Attempt, Directory},
    backend::Exit,
    job::{identity::AttemptKey, outcome::Outcome},
};

/// The step after which an attempt goes on.
#[derive(Debug)]
pub enum Stage {
    /// No program was started.
    Begun,
    /// A program was started, and by the record it may still run.
    Started(ProcessRecord),
    /// A program may have been started: the keeper died between the start and the record.
    Unrecorded,
    /// Its program has ended.
    Exited(Exit),
    /// It has a result.
    Done(Box<Outcome>),
}

impl Stage {
    /// Whether anything was started: what was not is not shown, and begun by `launch`.
    pub fn was_started(&self) -> bool {
        !matches!(self, Self::Begun)
    }

    /// Whether processes of it may rightly run.
    pub fn may_have_processes(&self) -> bool {
        matches!(self, Self::Started(_))
    }
}

/// The attempt, if it was begun.
pub fn find(place: &Place, key: AttemptKey) -> Option<Attempt> {
    let directory = Directory::of(&place.directory, key);
    let record = directory.read_record()?;
    Attempt::begin(Arc::clone(&place.job), &place.run, &place.directory, record.start).ok()
}

/// How far the attempt of this directory has come.
pub fn of(directory: &Directory) -> Stage {
    if let Some(outcome) = directory.read_result() {
        Stage::Done(Box::new(outcome))
    } else if let Some(exit) = directory.read_exit() {
        Stage::Exited(exit)
    } else if let Some(record) = directory.read_process() {
        Stage::Started(record)
    } else if directory.files.stdout().exists() {
        Stage::Unrecorded
    } else {
        Stage::Begun
    }
}
