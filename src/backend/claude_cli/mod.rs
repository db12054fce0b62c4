//! Claude Code, the real command line tool: called without questions, read line by line, judged by its last result.

mod classify;
mod follower;
mod health;
mod invocation;
mod judge;
pub mod kept;
mod settings;
mod stream;
mod transcript;
mod wallet;

pub use follower::Follower;
pub use health::preflight;
pub use invocation::{input, invocation};
pub use judge::judge;
pub use stream::answer_in;
