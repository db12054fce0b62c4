//! Server-sent events, as far as the Messages API uses them: `data` lines, an empty line after each event.

/// The longest event, in bytes: far more than the service sends in one.
const MAX_EVENT_BYTES: usize = 8 << 20;

/// An event without its end.
#[derive(Debug, thiserror::Error)]
#[error("an event of the stream is longer than {MAX_EVENT_BYTES} bytes")]
pub(super) struct EventTooLong;

/// Cuts chunks into events.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
}

impl Events {
    /// The data of each event that `chunk` completes. The event's name is not kept: the data repeats it as `type`.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Result<Vec<Vec<u8>>, EventTooLong> {
        let mut events = Vec::new();
        for &byte in chunk {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            if self.line.is_empty() {
                if !self.data.is_empty() {
                    events.push(std::mem::take(&mut self.data));
                }
            } else if let Some(value) = self.line.strip_prefix(b"data:") {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            }
            self.line.clear();
        }
        if self.line.len() + self.data.len() > MAX_EVENT_BYTES { Err(EventTooLong) } else { Ok(events) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] =
        b"event: ping\r\ndata: {\"type\":\"ping\"}\r\n\r\n: comment\n\ndata: 1\ndata:2\n\ndata: left";

    fn all(cut: usize) -> Vec<String> {
        let mut events = Events::default();
        let chunks = STREAM.chunks(cut).flat_map(|chunk| events.take(chunk).unwrap());
        chunks.map(|data| String::from_utf8(data).unwrap()).collect()
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        for cut in 1..=STREAM.len() {
            assert_eq!(all(cut), ["{\"type\":\"ping\"}", "1\n2"], "cut every {cut}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut events = Events::default();
        let chunk = vec![b'x'; 1 << 20];
        assert!((0..9).any(|_| events.take(&chunk).is_err()));
    }
}
