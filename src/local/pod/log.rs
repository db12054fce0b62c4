//! What an attempt's program says, as lines of the container's own output: `o` for its standard output, `e` for its
//! standard error, `t` for a transcript, then the time, then the text. Behind them come `f`, what its validations found.
//!
//! No more than [`KEPT_BYTES`] come out, however much it says: the beginning as it is said, and at the end what it said
//! last.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;

use super::mask::Mask;
use crate::job::finding::Finding;

/// So much comes out in all, in bytes.
pub const KEPT_BYTES: usize = 8 << 20;
/// Of it, what comes out at once.
const HEAD_BYTES: usize = 1 << 20;
/// The longest line; of what is longer the rest is left out.
const LINE_BYTES: usize = 256 << 10;
/// How often the files are looked at.
const EVERY: Duration = Duration::from_millis(250);
/// Pieces of messages that come whole later.
const PARTIAL: &[u8] = br#"{"type":"stream_event""#;

/// Writes what the validations found to `to`, after everything else that the attempt said.
pub fn tell_findings(findings: Vec<Finding>, mask: &Mask, mut to: impl Write) -> io::Result<()> {
    for finding in findings {
        let Finding { kind, path, command, description, passed, expected, actual } = finding;
        let masked = |text: Option<String>| text.map(|text| mask.apply(&text));
        let finding = Finding {
            kind,
            path: masked(path),
            command: masked(command),
            description: masked(description),
            passed,
            expected: mask.apply(&expected),
            actual: mask.apply(&actual),
        };
        let text = serde_json::to_string(&finding).map_err(io::Error::other)?;
        writeln!(to, "f {:.3} {text}", Timestamp::now())?;
    }
    to.flush()
}

/// A file that a program writes to, and what its lines are.
#[derive(Debug)]
pub struct Stream {
    letter: char,
    path: PathBuf,
    file: Option<File>,
    line: Vec<u8>,
    left_out: usize,
}

impl Stream {
    /// The stream in the file `path`, which need not be there yet.
    pub fn new(letter: char, path: PathBuf) -> Self {
        Self { letter, path, file: None, line: Vec::new(), left_out: 0 }
    }

    /// Hands over every whole line that was written since the last look. The file stays open: what replaces it is not
    /// what the program writes to.
    fn look(&mut self, mut say: impl FnMut(char, &[u8], usize)) {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return };
        let mut chunk = vec![0; 64 << 10];
        // A file that cannot be read any more says nothing more.
        while let Ok(count @ 1..) = file.read(&mut chunk) {
            for piece in chunk[..count].split_inclusive(|byte| *byte == b'\n') {
                let (text, ends) = match piece.strip_suffix(b"\n") {
                    Some(text) => (text, true),
                    None => (piece, false),
                };
                let room = LINE_BYTES.saturating_sub(self.line.len()).min(text.len());
                self.line.extend_from_slice(&text[..room]);
                self.left_out += text.len() - room;
                if ends {
                    say(self.letter, &self.line, self.left_out);
                    self.line.clear();
                    self.left_out = 0;
                }
            }
        }
    }

    /// Hands over a last line that has no end.
    fn finish(&mut self, mut say: impl FnMut(char, &[u8], usize)) {
        self.look(&mut say);
        if !self.line.is_empty() {
            say(self.letter, &self.line, self.left_out);
            self.line.clear();
        }
    }
}

/// Follows streams until it is ended.
#[derive(Debug)]
pub struct Following {
    end: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Following {
    /// Begins to write what the streams say to `to`.
    pub fn start(mut streams: Vec<Stream>, mask: Mask, to: impl Write + Send + 'static) -> Self {
        let (end, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut capped = Capped::new(to);
            let mut say = |letter: char, line: &[u8], left_out: usize| {
                if letter == 't' && line.starts_with(PARTIAL) {
                    return;
                }
                let text = mask.apply(&String::from_utf8_lossy(line));
                let now = Timestamp::now();
                let rest = if left_out > 0 {
                    format!(" [mozart: {left_out} bytes of this line were left out]")
                } else {
                    String::new()
                };
                capped.line(format!("{letter} {now:.3} {text}{rest}\n"));
            };
            while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(EVERY) {
                for stream in &mut streams {
                    stream.look(&mut say);
                }
            }
            for stream in &mut streams {
                stream.finish(&mut say);
            }
            capped.finish();
        });
        Self { end, thread }
    }

    /// Writes what is left, and returns when it is written.
    pub fn finish(self) {
        drop(self.end);
        // A panic in the thread was told by itself.
        let _ = self.thread.join();
    }
}

/// Lets the beginning through at once, and keeps the end.
struct Capped<W> {
    to: W,
    written: usize,
    tail: VecDeque<String>,
    tail_bytes: usize,
    left_out: usize,
}

impl<W: Write> Capped<W> {
    fn new(to: W) -> Self {
        Self { to, written: 0, tail: VecDeque::new(), tail_bytes: 0, left_out: 0 }
    }

    fn line(&mut self, line: String) {
        if self.tail.is_empty() && self.left_out == 0 && self.written + line.len() <= HEAD_BYTES {
            self.written += line.len();
            self.write(&line);
            return;
        }
        self.tail_bytes += line.len();
        self.tail.push_back(line);
        while self.tail_bytes > KEPT_BYTES - HEAD_BYTES {
            let Some(first) = self.tail.pop_front() else { return };
            self.tail_bytes -= first.len();
            self.left_out += first.len();
        }
    }

    fn finish(&mut self) {
        if self.left_out > 0 {
            let text =
                format!("e {:.3} [mozart: {} bytes were left out here]\n", Timestamp::now(), self.left_out);
            self.write(&text);
        }
        for line in std::mem::take(&mut self.tail) {
            self.write(&line);
        }
    }

    fn write(&mut self, text: &str) {
        // Whoever reads may have gone; the attempt goes on.
        let written: io::Result<()> = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
        drop(written);
    }
}

#[cfg(test)]
mod tests;
