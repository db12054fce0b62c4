//! What the dashboard costs and how quick it is: `make bench`. Both sides of a comparison run in turn.

mod beside;
mod browser;
mod client;
mod clock;
mod folder;
mod listeners;
#[path = "../compare/machine.rs"]
mod machine;
mod pages;
#[path = "../compare/report.rs"]
mod report;
mod requests;
#[path = "../compare/sample.rs"]
#[expect(dead_code, reason = "the other benches need more of it")]
mod sample;
mod served;
mod strangers;
#[path = "../compare/success.rs"]
mod success;

use report::Report;

fn main() {
    // The listeners' server is this program in a process of its own, so that its memory is its own.
    if std::env::var_os(clock::SERVE).is_some() {
        return clock::serve();
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == part);
    let folder =
        tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk of the build");
    let report = Report::new(&machine::description(folder.path()));
    if is_wanted("history") {
        let home = folder::with_history(folder.path());
        requests::beside_a_bare_handler(&report, &home);
        pages::each(&report, &home);
    }
    if is_wanted("listeners") {
        listeners::many(&report);
    }
    if is_wanted("strangers") {
        strangers::many(&report, folder.path());
    }
    if is_wanted("browser") {
        browser::large_pages(&report, folder.path());
    }
    if is_wanted("beside") {
        beside::a_run(&report, folder.path());
    }
}
