//! What happens next: pure, level-triggered, without clock, IO or log.

pub mod event;
pub mod gate;
pub mod ledger;
pub mod policy;
pub mod ranges;
pub mod time;
pub mod world;
