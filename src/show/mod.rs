//! How things are said and shown to people, on a terminal or on a page.

pub mod format;
pub mod safe;
pub mod said;
pub mod terminal;
