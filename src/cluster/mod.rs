//! Kubernetes: the resources, and the operator that reconciles them.

pub mod crd;
pub mod fence;
pub mod lease;
pub mod status;
pub mod store;
#[cfg(test)]
mod testing;
