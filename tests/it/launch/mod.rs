//! The local launcher with the real keeper and real programs.

mod fixture;
mod happy;
