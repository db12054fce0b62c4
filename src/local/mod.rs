//! A run on this machine: everything around the driver.

pub mod awake;
pub mod clock;
pub mod control;
pub mod lock;
pub mod wishes;
