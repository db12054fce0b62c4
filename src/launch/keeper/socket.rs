//! The keeper's end of its line to Mozart. It never blocks, and goes away when Mozart does.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

use super::message::{Report, Request};

/// The line to Mozart, which is standard input.
pub struct Socket {
    stream: Option<UnixStream>,
    received: Vec<u8>,
    unsent: Vec<u8>,
}

impl Socket {
    /// Takes standard input.
    pub fn stdin() -> io::Result<Self> {
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        stream.set_nonblocking(true)?;
        Ok(Self { stream: Some(stream), received: Vec::new(), unsent: Vec::new() })
    }

    /// What to wait on, while Mozart lives, and whether there is something to send.
    pub fn interest(&self) -> Option<(BorrowedFd<'_>, bool)> {
        self.stream.as_ref().map(|stream| (stream.as_fd(), !self.unsent.is_empty()))
    }

    /// Everything that has come.
    pub fn receive(&mut self) -> Vec<Request> {
        let mut buffer = [0; 16 * 1024];
        while let Some(stream) = &mut self.stream {
            match stream.read(&mut buffer) {
                Ok(0) => self.stream = None,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.stream = None,
            }
        }
        let Some(end) = self.received.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let whole: Vec<u8> = self.received.drain(..=end).collect();
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        // Mozart and its keeper are one binary: a line that cannot be read is a bug, and Mozart is told.
        lines
            .filter_map(|line| match serde_json::from_slice(line) {
                Ok(request) => Some(request),
                Err(error) => {
                    self.send(&Report::Warning {
                        text: format!("the keeper cannot read a request: {error}"),
                    });
                    None
                }
            })
            .collect()
    }

    /// Queues a report; nobody hears it when Mozart is gone.
    pub fn send(&mut self, report: &Report) {
        if self.stream.is_some() && serde_json::to_writer(&mut self.unsent, report).is_ok() {
            self.unsent.push(b'\n');
        }
    }

    /// Sends as much as is taken.
    pub fn flush(&mut self) {
        while let Some(stream) = &mut self.stream
            && !self.unsent.is_empty()
        {
            match stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.stream = None,
            }
        }
    }
}
