//! What only a real Kubernetes can show. `make test-cluster` brings one up; each test has a namespace of its own.
#![cfg(feature = "cluster")]

mod lease;
mod resources;
mod store;
mod support;
