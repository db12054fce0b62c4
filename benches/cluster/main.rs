//! The operator beside what Kubernetes has itself, on a real API server with pretended nodes: `hack/bench-cluster`, which
//! `make bench` calls. Both sides of a comparison run in turn on the same nodes, and make the same Pods.
//!
//! `MOZART_BENCH_SMALLER=10` makes its jobs ten times smaller, to try the bench itself: what it says then counts for
//! nothing.
#![expect(clippy::expect_used, reason = "a bench that cannot go on says so by where it stops")]

mod asks;
mod audit;
mod floor;
mod idle;
mod indexed;
mod jobs;
mod kubernetes;
mod list;
mod long;
#[path = "../compare/machine.rs"]
mod machine;
mod operator;
#[path = "../compare/peak.rs"]
#[expect(dead_code, reason = "the operator has no children")]
mod peak;
mod pods;
mod process;
mod reaction;
#[path = "../compare/report.rs"]
mod report;
#[path = "../compare/sample.rs"]
mod sample;
mod soak;
mod throughput;

use kubernetes::Kubernetes;
use report::Report;

fn main() {
    // `cargo bench` hands over flags of the standard harness.
    let asked: Vec<String> = std::env::args().skip(1).filter(|one| !one.starts_with("--")).collect();
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|one| one == part);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder =
            tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("room on the disk of the build");
        let kubernetes = Kubernetes::ready(folder.path()).await;
        let report = Report::new(&machine::description(folder.path()));
        if wanted("throughput") {
            throughput::compare(&report, &kubernetes).await;
        }
        if wanted("asks") {
            asks::compare(&report, &kubernetes).await;
        }
        if wanted("reaction") {
            reaction::compare(&report, &kubernetes).await;
        }
        if wanted("long") {
            long::grow_and_restart(&report, &kubernetes).await;
        }
        if wanted("list") {
            list::compare(&report, &kubernetes).await;
        }
        if wanted("idle") {
            idle::rest(&report, &kubernetes).await;
        }
        // An hour: only when it is asked for by name.
        if asked.iter().any(|one| one == "soak") {
            soak::work(&report, &kubernetes).await;
        }
    });
}
