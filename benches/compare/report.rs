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
        self.at_most(what, &mozart.text(), &format!("`{peer}` {}", other.text()), ratio, most);
    }

    /// Two sides of which Mozart's should be the larger by so much.
    pub fn at_least(&self, what: &str, mozart: &str, peer: &str, ratio: f64, least: f64) {
        let wanted = format!("ratio at least {least}");
        self.row(&[what, mozart, peer, &format!("{ratio:.2}"), &wanted, verdict(ratio >= least)]);
    }

    /// Two sides of which Mozart's should be the smaller by so much.
    pub fn at_most(&self, what: &str, mozart: &str, peer: &str, ratio: f64, most: f64) {
        let wanted = format!("ratio at most {most}");
        self.row(&[what, mozart, peer, &format!("{ratio:.2}"), &wanted, verdict(ratio <= most)]);
    }

    /// Something that is only told.
    pub fn note(&self, what: &str, mozart: &str, peer: &str) {
        self.row(&[what, mozart, peer, "", "", ""]);
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
