//! Mozart beside its peers, through the command line as users run it: `make bench`.
//!
//! Both sides of a comparison run in turn, A B A B, so that a machine that is busy for a while is busy for both.

mod batches;
mod bombs;
mod machine;
mod peak;
#[expect(dead_code, reason = "the other bench needs more of it")]
mod report;
#[expect(dead_code, reason = "the other bench needs more of it")]
mod sample;
mod start;

use report::Report;

fn main() {
    // `cargo bench` hands over flags of the standard harness; there is nothing to choose here.
    let folder =
        tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk of the build");
    let report = Report::new(&machine::description(folder.path()));
    start::compare(&report, folder.path());
    bombs::refuse(&report, folder.path());
    batches::against_xargs(&report, folder.path());
    batches::first_and_last_thousand(&report, folder.path());
}
