//! The loop's body: look, step, save, act; and what it needs of the outside.

pub mod ports;
