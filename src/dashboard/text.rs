//! Pieces of texts, out of files or memory.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use serde::Serialize;

/// A text of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TextKind {
    /// What was asked.
    Prompt,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The answer, where it is not standard output.
    Answer,
}

/// Which bytes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// At most so many from an offset.
    From {
        /// The first byte.
        offset: u64,
        /// How many at most.
        limit: u64,
    },
    /// The last so many.
    Last(u64),
}

/// Bytes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where they begin.
    pub offset: u64,
    /// How long the whole text is now.
    pub total: u64,
    /// They.
    pub bytes: Vec<u8>,
}

impl Piece {
    /// The first byte and how many at most, of a text that is so long.
    fn of(self, total: u64) -> (u64, u64) {
        match self {
            Self::From { offset, limit } => (offset.min(total), limit),
            Self::Last(limit) => (total.saturating_sub(limit), limit),
        }
    }
}

impl Text {
    /// A piece of a file; `None` when it is not there. Blocks.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path, piece: Piece) -> io::Result<Option<Self>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let total = file.metadata()?.len();
        let (offset, limit) = piece.of(total);
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(Self { offset, total, bytes }))
    }

    /// A piece of a text in memory.
    pub fn of(text: &[u8], piece: Piece) -> Self {
        let total = text.len() as u64;
        let (offset, limit) = piece.of(total);
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(text.len());
        let bytes = text[at(offset)..at(offset.saturating_add(limit))].to_vec();
        Self { offset, total, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_a_file_is_that_of_the_same_text_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        assert_eq!(Text::read(&path, Piece::Last(3)).unwrap(), None);
        std::fs::write(&path, "0123456789").unwrap();
        for (piece, offset, wanted) in [
            (Piece::From { offset: 0, limit: 4 }, 0, "0123"),
            (Piece::From { offset: 8, limit: 4 }, 8, "89"),
            (Piece::From { offset: 40, limit: 4 }, 10, ""),
            (Piece::Last(3), 7, "789"),
            (Piece::Last(30), 0, "0123456789"),
        ] {
            let wanted = Text { offset, total: 10, bytes: wanted.as_bytes().to_vec() };
            assert_eq!(Text::of(b"0123456789", piece), wanted);
            assert_eq!(Text::read(&path, piece).unwrap(), Some(wanted));
        }
    }
}
