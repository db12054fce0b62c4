//! What validations expected and found, for people.

use super::terminal::{Look, Tone};
use crate::job::finding::Finding;

/// A line for each that passed; for each other one what was expected and what was there instead.
pub fn lines(findings: &[Finding], look: &Look) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in findings {
        let (tone, mark) = if finding.passed {
            (Tone::Good, look.symbol("✓", "+"))
        } else {
            (Tone::Bad, look.symbol("✗", "x"))
        };
        let Finding { kind, description, expected, actual, .. } = finding;
        let about = description.as_deref().unwrap_or(kind);
        let about = look.paint(Tone::Quiet, format!("({about})"));
        lines.push(format!("{} {} {about}", look.paint(tone, mark), finding.subject()));
        if finding.passed {
            continue;
        }
        for (name, text) in [("expected", expected), ("found", actual)] {
            let mut name = look.paint(Tone::Quiet, format!("{name:<8}"));
            for line in text.lines() {
                lines.push(format!("    {name} {line}"));
                name = " ".repeat(8);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_expected_and_found_stand_under_each_other() {
        let finding = |passed, actual: &str| Finding {
            kind: "command_succeeds".to_owned(),
            path: None,
            command: Some("make test".to_owned()),
            description: None,
            passed,
            expected: "exit 0".to_owned(),
            actual: actual.to_owned(),
        };
        let look = Look { terminal: false, color: false, unicode: false, moves: false, width: None };
        let lines = lines(&[finding(true, "exit 0"), finding(false, "1 failed\nexit 2")], &look);
        let expected = [
            "+ make test (command_succeeds)",
            "x make test (command_succeeds)",
            "    expected exit 0",
            "    found    1 failed",
            "             exit 2",
        ];
        assert_eq!(lines, expected);
    }
}
