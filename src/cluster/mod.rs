//! Kubernetes: the resources, and the operator that reconciles them.

pub mod admission;
pub mod archive;
pub mod await_job;
pub mod crd;
pub mod credential;
pub mod door;
pub mod fence;
pub mod lean;
pub mod lease;
pub mod network;
pub mod object;
pub mod operator;
pub mod outgoing;
pub mod outputs;
pub mod reach;
pub mod release;
pub mod role;
pub mod status;
pub mod store;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod verb;
pub mod view;
pub mod visitors;
