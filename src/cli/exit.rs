//! The exit codes, as a type: what a shell or a scheduler may rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: the job failed.
    JobFailed,
    /// 2: bad input or environment; nothing was done that was not asked for.
    BadInput,
    /// 75: waiting for a limit (`--no-wait`, or longer than `maxWaitSeconds`); `mozart resume` goes on.
    Waiting,
    /// 130: interrupted; `mozart resume` goes on.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::JobFailed => 1,
            Self::BadInput => 2,
            Self::Waiting => 75,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
