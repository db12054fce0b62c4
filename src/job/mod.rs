//! What a job means: validated, resolved, not serialisable.

pub mod batches;
pub mod identity;
pub mod items;
pub mod model;
pub mod outcome;
pub mod start;
