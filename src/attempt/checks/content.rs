//! Validations of text, in a file or in the answer.

use std::{io, io::Read, path::PathBuf};

use regex::Regex;

use super::{Verdict, paths};
use crate::{attempt::Attempt, backend::Answer};

/// So much of a text is searched, in bytes. A report is never as large; something that went wrong may be.
const SEARCHED_BYTES: u64 = 64 << 20;

/// The text to search, or why there is none.
pub struct Source(Result<String, String>);

impl Source {
    /// The text of a file.
    pub fn file(found: Result<PathBuf, String>) -> Self {
        Self(found.and_then(|path| {
            read(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => "no such file".to_owned(),
                _ => format!("a file that cannot be read: {error}"),
            })
        }))
    }

    /// The answer of the attempt.
    pub fn answer(attempt: &Attempt, answer: &Answer) -> Self {
        match answer {
            Answer::Text(text) => Self(Ok(text.clone())),
            Answer::Stdout => Self::file(Ok(attempt.directory.files.stdout())),
            Answer::None => Self(Err("no answer".to_owned())),
        }
    }

    /// This text.
    pub fn text(text: String) -> Self {
        Self(Ok(text))
    }

    /// A text that is not there any more, and in which this was found instead.
    pub fn missing(found: String) -> Self {
        Self(Err(found))
    }
}

fn read(path: &std::path::Path) -> io::Result<String> {
    let file = paths::open_regular(path)?;
    let length = file.metadata()?.len();
    if length > SEARCHED_BYTES {
        return Err(io::Error::other(format!(
            "it has {length} bytes, more than {SEARCHED_BYTES} are not searched"
        )));
    }
    let mut bytes = Vec::new();
    file.take(SEARCHED_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The literal text is in it.
pub fn contains(source: Source, pattern: &str) -> Verdict {
    judge(source, format!("the text {pattern:?}"), |text| text.contains(pattern))
}

/// The pattern matches somewhere in it.
pub fn matches(source: Source, pattern: &Regex) -> Verdict {
    judge(source, format!("a match of /{pattern}/"), |text| pattern.is_match(text))
}

fn judge(source: Source, expected: String, found: impl Fn(&str) -> bool) -> Verdict {
    let actual = source.0.and_then(|text| {
        if found(&text) {
            Ok("it".to_owned())
        } else if text.trim().is_empty() {
            Err("nothing but an empty text".to_owned())
        } else {
            match text.lines().count() {
                1 => Err("one line without it".to_owned()),
                lines => Err(format!("{lines} lines without it")),
            }
        }
    });
    Verdict::new(expected, actual)
}
