//! The lines of a Pod's log, as `mozart attempt` writes them: a letter, the time, the text.

/// What a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Standard output.
    Stdout,
    /// Standard output that is a transcript of Claude Code.
    Transcript,
    /// Standard error.
    Stderr,
}

/// Reads a line, its end with it; `None` for one that the attempt did not write. Its program can write what it likes.
pub fn read(line: &[u8]) -> Option<(Said, &[u8])> {
    let mut parts = line.splitn(3, |byte| *byte == b' ');
    let said = match parts.next()? {
        b"o" => Said::Stdout,
        b"t" => Said::Transcript,
        b"e" => Said::Stderr,
        _ => return None,
    };
    parts.next()?;
    Some((said, parts.next()?))
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
            ("x y z\n".to_owned(), None),
            ("o".to_owned(), None),
        ] {
            let wanted = wanted.map(|(said, text)| (said, text.as_bytes()));
            assert_eq!(read(line.as_bytes()), wanted, "{line:?}");
        }
    }
}
