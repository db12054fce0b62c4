//! How a program is ended: asked first, then told, then killed with all that descends from it.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::super::process;
use crate::backend::EndedBy;

/// A program that is being ended.
#[derive(Debug)]
pub struct Ending {
    /// Why.
    pub why: EndedBy,
    began: Instant,
    taken: usize,
}

/// A signal, and how long after the beginning it is sent.
type Step = (Duration, Signal);

/// Claude Code says what it cost when it is interrupted, but then its session reads as if the user had refused.
const GIVE_UP: [Step; 3] = [
    (Duration::ZERO, Signal::INT),
    (Duration::from_secs(5), Signal::TERM),
    (Duration::from_secs(10), Signal::KILL),
];
/// So one that is to go on is terminated.
const TO_GO_ON: [Step; 2] = [(Duration::ZERO, Signal::TERM), (Duration::from_secs(10), Signal::KILL)];

fn steps(why: EndedBy) -> &'static [Step] {
    match why {
        EndedBy::Stopped => &GIVE_UP,
        EndedBy::Timeout | EndedBy::Interrupted | EndedBy::Idle => &TO_GO_ON,
    }
}

impl Ending {
    /// Begins; the first signal is due at once.
    pub fn new(why: EndedBy, now: Instant) -> Self {
        Self { why, began: now, taken: 0 }
    }

    /// When the next signal is due.
    pub fn due(&self) -> Option<Instant> {
        steps(self.why).get(self.taken).map(|(after, _)| self.began + *after)
    }

    /// Sends what is due to the program's group.
    pub fn advance(&mut self, pid: i32, now: Instant) {
        while let Some((after, signal)) = steps(self.why).get(self.taken)
            && self.began + *after <= now
        {
            if *signal == Signal::KILL {
                process::kill_tree(pid);
            }
            process::signal_group(pid, *signal);
            self.taken += 1;
        }
    }
}
