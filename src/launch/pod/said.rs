//! The lines of a Pod's log, as `mozart attempt` writes them: a letter, the time, the text.

use crate::job::finding::Finding;

/// So many findings of an attempt are believed.
pub const MOST_FINDINGS: usize = 64;
/// The longest of them, in bytes as JSON.
const FINDING_BYTES: usize = 32 << 10;

/// What a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Standard output.
    Stdout,
    /// Standard output that is a transcript of Claude Code.
    Transcript,
    /// Standard error.
    Stderr,
    /// What a validation found, as JSON: [`finding`] reads it.
    Finding,
}

/// Reads a line, its end with it; `None` for one that the attempt did not write. Its program can write what it likes.
pub fn read(line: &[u8]) -> Option<(Said, &[u8])> {
    let mut parts = line.splitn(3, |byte| *byte == b' ');
    let said = match parts.next()? {
        b"o" => Said::Stdout,
        b"t" => Said::Transcript,
        b"e" => Said::Stderr,
        b"f" => Said::Finding,
        _ => return None,
    };
    parts.next()?;
    Some((said, parts.next()?))
}

/// What a validation found, from the text of its line. The attempt's own program can write such a line as well: what is
/// too long or no finding is none.
pub fn finding(text: &[u8]) -> Option<Finding> {
    if text.len() > FINDING_BYTES { None } else { serde_json::from_slice(text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_letter_the_time_and_the_text_with_its_spaces() {
        let time = "2026-01-01T00:00:00.000Z";
        for (line, wanted) in [
            (format!("o {time} two  words\n"), Some((Said::Stdout, "two  words\n"))),
            (format!("t {time} {{}}\n"), Some((Said::Transcript, "{}\n"))),
            (format!("e {time} \n"), Some((Said::Stderr, "\n"))),
            (format!("f {time} {{}}\n"), Some((Said::Finding, "{}\n"))),
            ("x y z\n".to_owned(), None),
            ("o".to_owned(), None),
        ] {
            let wanted = wanted.map(|(said, text)| (said, text.as_bytes()));
            assert_eq!(read(line.as_bytes()), wanted, "{line:?}");
        }
    }

    #[test]
    fn a_finding_is_read_strictly_and_never_a_long_one() {
        let finding = |actual: &str| {
            format!(
                r#"{{"type":"file_exists","path":"a.md","passed":false,"expected":"a file","actual":"{actual}"}}"#
            )
        };
        assert_eq!(super::finding(finding("nothing").as_bytes()).unwrap().actual, "nothing");
        for text in ["", "{}", "[]", "nothing", &finding(&"x".repeat(FINDING_BYTES))] {
            assert_eq!(super::finding(text.as_bytes()), None, "{}", text.len());
        }
    }
}
