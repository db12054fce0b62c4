//! A client that costs next to nothing: one request written again and again on a connection that is kept.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

pub struct Client {
    stream: TcpStream,
    host: String,
    token: String,
    buffer: Vec<u8>,
}

impl Client {
    pub fn connect(address: &str, token: &str) -> Self {
        Self::try_connect(address, token).expect("a listener")
    }

    pub fn try_connect(address: &str, token: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, host: address.to_owned(), token: token.to_owned(), buffer: vec![0; 256 << 10] })
    }

    /// Status and body of what is answered.
    pub fn get(&mut self, path: &str) -> (u16, Vec<u8>) {
        self.try_get(path).expect("an answer")
    }

    /// The same, of a server that may be gone.
    pub fn try_get(&mut self, path: &str) -> io::Result<(u16, Vec<u8>)> {
        let mut body = Vec::new();
        let status = self.ask(path, |piece| body.extend_from_slice(piece))?;
        Ok((status, body))
    }

    /// The status alone: what comes with it is read and forgotten.
    pub fn status(&mut self, path: &str) -> u16 {
        self.ask(path, |_| {}).expect("an answer")
    }

    fn ask(&mut self, path: &str, mut take: impl FnMut(&[u8])) -> io::Result<u16> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: text/html\r\n\r\n",
            self.host, self.token
        );
        self.stream.write_all(request.as_bytes())?;
        let mut read = 0;
        let end = loop {
            read += self.more(read)?;
            let head = self.buffer[..read].windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = head {
                break end;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
        take(&self.buffer[end + 4..read]);
        let mut missing = (end + 4 + length).saturating_sub(read);
        while missing > 0 {
            let read = self.more(0)?;
            take(&self.buffer[..read]);
            missing = missing.saturating_sub(read);
        }
        Ok(status)
    }

    /// Reads on, into the buffer from `at` on.
    fn more(&mut self, at: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[at..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }

    /// The JSON at `path`.
    pub fn json(&mut self, path: &str) -> serde_json::Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}");
        serde_json::from_slice(&body).expect("JSON")
    }
}
