//! The driver in paused time, over an outside in memory.

mod crashes;
mod memory;
mod running;
