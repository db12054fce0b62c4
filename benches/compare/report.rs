//! What was measured, on the terminal as it comes and as Markdown at the end.

use std::{fmt::Write, io};

use crate::sample::Sample;

/// What was measured.
pub struct Report {
    markdown: String,
}

impl Report {
    pub fn new(machine: &str) -> Self {
        let report = Self {
            markdown: format!(
                "# Measured\n\nWritten by `make bench`: medians, with the least and the most in brackets; both sides run in turn.\n\n\
                 {machine}.\n\n\
                 | what | Mozart | peer | ratio | wanted | |\n| --- | --- | --- | --- | --- | --- |\n"
            ),
        };
        say(machine);
        report
    }

    /// Two sides of one thing.
    pub fn compare(&mut self, what: &str, mozart: &Sample, peer: &str, other: &Sample, most: f64) {
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
    pub fn bound(&mut self, what: &str, mozart: &str, peer: &str, wanted: &str, kept: bool) {
        self.row(&[what, mozart, peer, "", wanted, verdict(kept)]);
    }

    fn row(&mut self, cells: &[&str; 6]) {
        let line = format!("| {} |", cells.join(" | "));
        say(&line);
        writeln!(self.markdown, "{line}").expect("text grows");
    }

    pub fn markdown(&self) -> &str {
        &self.markdown
    }
}

/// On the terminal, as it comes.
pub fn say(line: &str) {
    use io::Write as _;
    writeln!(io::stdout(), "{line}").expect("standard output is open");
}

fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "**missed**" }
}
