//! A program that an earlier keeper started. It cannot be waited for as a child; its exit comes from that keeper's file.

use std::{
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    super::process,
    ending::Ending,
    message::{Adopt, Report},
    system,
};
use crate::{
    backend::{EndedBy, Exit},
    job::files::AttemptFiles,
};

/// How often a running one is looked at where the system does not tell of its end.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same for one that has ended and whose keeper has not written its exit yet.
const LOOK_EVERY_AFTER_END: Duration = Duration::from_millis(5);

pub struct Adopted {
    adopt: Adopt,
    descriptor: Option<OwnedFd>,
    ending: Option<Ending>,
    gone: bool,
}

impl Adopted {
    pub fn new(adopt: Adopt) -> Self {
        let descriptor = system::process_descriptor(adopt.process.program.pid);
        Self { adopt, descriptor, ending: None, gone: false }
    }

    pub fn id(&self) -> u64 {
        self.adopt.id
    }

    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.descriptor.as_ref().filter(|_| !self.gone).map(AsFd::as_fd)
    }

    pub fn streams(&self) -> impl Iterator<Item = &std::path::Path> {
        self.adopt.streams.iter().map(PathBuf::as_path)
    }

    /// When to look at it again.
    pub fn due(&self, now: Instant) -> Instant {
        let look = now + if self.gone { LOOK_EVERY_AFTER_END } else { LOOK_EVERY };
        self.ending.as_ref().and_then(Ending::due).map_or(look, |due| due.min(look))
    }

    /// Begins to end it; the first reason stays.
    pub fn end(&mut self, why: EndedBy, now: Instant) {
        self.ending.get_or_insert_with(|| Ending::new(why, now));
        self.advance(now);
    }

    fn advance(&mut self, now: Instant) {
        let program = self.adopt.process.program;
        if !program.lives() {
            return;
        }
        if self.ending.is_none() && self.adopt.process.deadline_ms <= system::monotonic_ms() {
            self.ending = Some(Ending::new(EndedBy::Timeout, now));
        }
        if let Some(ending) = &mut self.ending {
            ending.advance(program.pid, now);
        }
    }

    /// Does what is due; the report when it and all that descended from it have ended.
    pub fn look(&mut self, now: Instant) -> Option<Report> {
        self.advance(now);
        if self.adopt.process.program.lives() {
            return None;
        }
        self.gone = true;
        // In this order: a keeper that is gone has written all that it will.
        let keeper_lives = self.adopt.process.keeper.lives();
        let file = AttemptFiles::at(self.adopt.record.clone()).exit();
        let exit: Option<Exit> = fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let ended_by = self.ending.as_ref().map(|ending| ending.why);
        let id = self.adopt.id;
        match exit {
            Some(exit) => {
                Some(Report::Ended { id, exit: Exit { ended_by: exit.ended_by.or(ended_by), ..exit } })
            }
            None if keeper_lives => None,
            None => {
                let left = process::marked(|mark| mark == self.adopt.mark);
                for pid in &left {
                    process::kill_tree(*pid);
                }
                left.is_empty().then_some(Report::Vanished { id })
            }
        }
    }
}
