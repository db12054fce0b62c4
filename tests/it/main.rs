//! Every integration test, in one binary: linking once is what keeps the suite quick.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by where it stops")]

mod anthropic_api;
mod architecture;
#[cfg(feature = "cluster")]
mod chart;
mod claude_code;
mod claude_judgement;
mod claude_run;
mod cli;
mod dashboard;
#[cfg(target_os = "linux")]
mod desktop;
mod documents;
mod examples;
mod fake_api;
#[cfg(target_os = "linux")]
mod inside_pod;
mod jobfiles;
mod jobs;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(target_os = "linux")]
mod kind;
mod launch;
mod limits;
#[cfg(feature = "cluster")]
mod metrics;
mod old_runs;
mod pinned_items;
mod reference;
mod release;
mod sessions;
mod state_faults;
mod state_shared;
mod support;
mod traces;
mod wallet;
