//! The capabilities behind [`Sources`](crate::job::sources::Sources): one a mode.

pub mod cluster;
pub mod local;

pub use self::{cluster::ClusterSources, local::LocalSources};
