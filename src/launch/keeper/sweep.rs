//! The sweep: what an ended program left running is ended before its end is told.

use std::time::{Duration, Instant};

use super::{
    super::process,
    child::{self, Child},
    message::Report,
};
use crate::backend::Exit;

/// A sweep that found something looks again after so long, or when a child has ended.
pub const AGAIN_AFTER: Duration = Duration::from_millis(10);
/// What does not end even by SIGKILL (it hangs in the kernel) holds an attempt no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program that has ended and whose descendants may not have.
pub struct Leaving {
    child: Child,
    exit: Exit,
    since: Instant,
}

impl Leaving {
    pub fn new(child: Child, mut exit: Exit) -> Self {
        exit.ended_by = child.ended_by();
        Self { child, exit, since: Instant::now() }
    }

    /// Ends what is left of it and says whether nothing was.
    ///
    /// Every descendant hangs below the keeper by now, as a child that is no known program, or below such a child.
    /// Whose it is, it says by its mark; one that has shed its environment belongs to the attempt that is `alone`.
    pub fn is_swept(&self, keeper: i32, known: &[Child], alone: bool, now: Instant) -> bool {
        if !cfg!(target_os = "linux") {
            process::signal_group(self.child.pid(), rustix::process::Signal::KILL);
            return true;
        }
        let mut swept = true;
        for orphan in process::children(keeper) {
            if known.iter().any(|child| child.pid() == orphan) {
                continue;
            }
            let ours = process::mark(orphan).map_or(alone, |mark| mark == self.child.mark());
            if ours {
                process::kill_tree(orphan);
                swept = false;
            }
        }
        swept || now > self.since + PATIENCE
    }

    /// Records its end and tells of it.
    pub fn finish(self) -> impl Iterator<Item = Report> {
        let written = self.child.record().map_or(Ok(()), |record| child::write_exit(record, &self.exit));
        let warning = written.err().map(|text| Report::Warning { text });
        warning.into_iter().chain([Report::Ended { id: self.child.id(), exit: self.exit }])
    }
}
