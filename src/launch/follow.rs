//! Reads what a running program writes, for the backends whose output says something before its end.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use crate::backend::{Follower, Told};

/// How often the output is looked at.
pub const EVERY: Duration = Duration::from_millis(250);
/// A line that is longer is not read to its end: it is no message of a tool.
const MAX_LINE_BYTES: usize = 32 << 20;
/// So much is read in one go.
const CHUNK_BYTES: u64 = 4 << 20;

/// A file that grows, and who understands its lines.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
    line: Vec<u8>,
    follower: Follower,
}

impl Tail {
    /// From the beginning of the file, so that an adopted program is understood as well.
    pub fn new(path: PathBuf, follower: Follower) -> Self {
        Self { path, offset: 0, line: Vec::new(), follower }
    }

    /// What the lines tell that came since the last look, and whether anything came; `None` when the file cannot be read.
    pub async fn look(mut self) -> Option<(Self, Vec<Told>, bool)> {
        let looked = tokio::task::spawn_blocking(move || {
            let read = self.read();
            (self, read)
        });
        match looked.await {
            Ok((tail, Ok((told, came)))) => Some((tail, told, came)),
            Ok((_, Err(error))) => {
                tracing::warn!(%error, "a running batch's output cannot be read; it is read at its end");
                None
            }
            Err(error) => {
                tracing::error!(%error, "reading a running batch's output broke off");
                None
            }
        }
    }

    fn read(&mut self) -> io::Result<(Vec<Told>, bool)> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), false)),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        if length < self.offset {
            // It was cut in the middle of running away; what follows is new.
            self.offset = length;
            self.line.clear();
        }
        let mut told = Vec::new();
        let came = length > self.offset;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut chunk = Vec::new();
        self.offset += file.take(CHUNK_BYTES).read_to_end(&mut chunk)? as u64;
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() <= MAX_LINE_BYTES {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                told.extend(self.follower.line(self.line.trim_ascii_end()));
                self.line.clear();
            }
        }
        Ok((told, came))
    }
}
