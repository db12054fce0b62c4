//! The loop's body: look, step, save, act; and what it needs of the outside.

pub mod act;
pub mod clock;
pub mod ports;
pub mod run;
pub mod save;
pub mod turn;

#[cfg(test)]
mod tests;
