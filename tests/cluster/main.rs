//! What only a real Kubernetes can show. `make test-cluster` brings one up; each test has a namespace of its own.
#![cfg(feature = "cluster")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by where it stops")]

mod attempts;
mod authors;
mod chart;
#[path = "../it/fake_api/mod.rs"]
#[expect(dead_code, reason = "the tests without a cluster use the rest")]
mod fake_api;
mod lease;
mod operator;
mod release;
mod resources;
mod store;
mod support;
mod verbs;
