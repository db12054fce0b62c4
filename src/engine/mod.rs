//! What happens next: pure, level-triggered, without clock, IO or log.

pub mod apply;
mod budget;
mod draft;
pub mod event;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod gate;
pub mod ledger;
mod notice;
mod observe;
mod plan;
pub mod policy;
pub mod project;
pub mod ranges;
pub mod rerun;
pub mod retry;
#[cfg(test)]
mod sim;
pub mod step;
pub mod summary;
pub mod time;
pub mod waiting;
pub mod world;

#[cfg(test)]
mod tests;
