//! What was measured, as Markdown, a row as soon as it is known.

use std::io::{self, Write as _};

use crate::sample::Sample;

/// A table that is printed as it grows.
pub struct Report;

impl Report {
    pub fn new(machine: &str) -> Self {
        say(&format!(
            "{machine}. Medians, with the least and the most in brackets; both sides run in turn.\n"
        ));
        say("| what | Mozart | peer | ratio | wanted | |\n| --- | --- | --- | --- | --- | --- |");
        Self
    }

    /// Two sides of one thing.
    pub fn compare(&self, what: &str, mozart: &Sample, peer: &str, other: &Sample, most: f64) {
        let ratio = mozart.median().as_secs_f64() / other.median().as_secs_f64();
        self.row(&[
            what,
            &mozart.text(),
            &format!("`{peer}` {}", other.text()),
            &format!("{ratio:.2}"),
            &format!("ratio at most {most}"),
            verdict(ratio <= most),
        ]);
    }

    /// Something that has a bound of its own, beside a peer where there is one.
    pub fn bound(&self, what: &str, mozart: &str, peer: &str, wanted: &str, kept: bool) {
        self.row(&[what, mozart, peer, "", wanted, verdict(kept)]);
    }

    #[expect(clippy::unused_self, reason = "rows follow the head that a report begins with")]
    fn row(&self, cells: &[&str; 6]) {
        say(&format!("| {} |", cells.join(" | ")));
    }
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("standard output is open");
}

fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "**missed**" }
}
