//! Claude Code, the real command line tool: called without questions, read line by line, judged by its last result.

mod classify;
mod follower;
mod health;
mod invocation;
mod judge;
mod stream;
mod transcript;

pub use follower::Follower;
pub use health::health_check;
pub use invocation::{input, invocation};
pub use judge::judge;
