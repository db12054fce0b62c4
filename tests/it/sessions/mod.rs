//! Sessions and money through `mozart local-run` with the real Claude Code: what goes on, what is paid, what is left.

mod death;
mod money;
mod resume;
