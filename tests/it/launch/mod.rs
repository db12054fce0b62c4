//! The local launcher with the real keeper and real programs.

mod checks;
#[cfg(target_os = "linux")]
mod death;
mod ending;
mod fixture;
mod happy;
#[cfg(target_os = "linux")]
mod sweep;
