//! Kubernetes: the resources, and the operator that reconciles them.

pub mod crd;
