//! Mozart puts long lists of work through Claude, a batch at a time, and never loses its place.

pub mod api;
pub mod attempt;
pub mod backend;
pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod dashboard;
pub mod driver;
pub mod engine;
pub mod history;
pub mod job;
pub mod launch;
pub mod local;
pub mod notify;
pub mod show;
pub mod sources;
pub mod store;
pub mod trace;
