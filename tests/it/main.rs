//! Every integration test, in one binary: linking once is what keeps the suite quick.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by where it stops")]

mod architecture;
mod cli;
#[cfg(target_os = "linux")]
mod desktop;
mod documents;
mod examples;
#[cfg(target_os = "linux")]
mod kill;
mod launch;
mod reference;
mod support;
