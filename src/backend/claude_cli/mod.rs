//! Claude Code, the real command line tool: called without questions, read line by line, judged by its last result.

mod classify;
mod follower;
mod invocation;
mod judge;
mod limits;
mod stream;
mod transcript;

pub use follower::Follower;
pub use invocation::{input, invocation};
pub use judge::judge;
