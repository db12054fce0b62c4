//! What a job means: validated, resolved, not serialisable.

pub mod answer;
pub mod batches;
pub mod expand;
pub mod files;
pub mod finding;
pub mod identity;
mod item_text;
pub mod items;
pub mod load;
pub mod model;
pub mod outcome;
pub mod plan;
pub mod problem;
pub mod prompt;
pub mod sources;
pub mod start;
pub mod template;
pub mod trace;
mod validate;
pub mod yaml_text;

pub use validate::BACKEND_FIELDS;
