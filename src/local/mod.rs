//! (filled below)

pub mod awake;
