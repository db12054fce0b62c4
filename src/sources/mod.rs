//! The capabilities behind [`Sources`](crate::job::sources::Sources): one a mode.

pub mod local;

pub use self::local::LocalSources;
