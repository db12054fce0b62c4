//! When a stream was written: `stdout.times` beside `stdout.log`. Each line has a length of the stream in bytes and the
//! time at which it was seen to have it, in milliseconds since 1970; looks that found nothing new are left out.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

fn beside(stream: &Path) -> PathBuf {
    stream.with_extension("times")
}

/// Notes that `stream` has this length now.
///
/// # Errors
/// It cannot be written.
pub fn note(stream: &Path, length: u64) -> io::Result<()> {
    let now = jiff::Timestamp::now().as_millisecond();
    let mut file = OpenOptions::new().create(true).append(true).open(beside(stream))?;
    // In one write, since an earlier keeper may note the same.
    file.write_all(format!("{length} {now}\n").as_bytes())
}

/// The lengths of `stream` and when it was seen to have them, the shortest first; none where nobody looked.
pub fn read(stream: &Path) -> Vec<(u64, i64)> {
    let Ok(text) = fs::read_to_string(beside(stream)) else { return Vec::new() };
    let entry = |line: &str| {
        let (length, time) = line.split_once(' ')?;
        Some((length.parse().ok()?, time.parse().ok()?))
    };
    let mut entries: Vec<(u64, i64)> = text.lines().filter_map(entry).collect();
    entries.sort_unstable();
    entries
}

/// Notes the same of a stream of which only the first `head` bytes and those from `tail` on are left, with `marker`
/// bytes between them.
///
/// # Errors
/// It cannot be written.
pub fn cut(stream: &Path, head: u64, marker: u64, tail: u64) -> io::Result<()> {
    let entries = read(stream);
    if entries.is_empty() {
        return Ok(());
    }
    let now_at = |length: u64| match length {
        _ if length <= head => length,
        _ => head + marker + length.saturating_sub(tail),
    };
    let mut lines = String::new();
    for (length, time) in &entries {
        let _ = writeln!(lines, "{} {time}", now_at(*length));
    }
    let path = beside(stream);
    let shorter = path.with_extension("capped-times");
    fs::write(&shorter, lines)?;
    fs::rename(shorter, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_stream_keeps_its_times() {
        let folder = tempfile::tempdir().unwrap();
        let stream = folder.path().join("stdout.log");
        assert_eq!(read(&stream), []);
        note(&stream, 7).unwrap();
        let (length, time) = read(&stream)[0];
        assert!(length == 7 && time > 1_700_000_000_000);
        fs::write(folder.path().join("stdout.times"), "90 3\n10 1\n10 1\n50 2\n100 4\nodd\n").unwrap();
        cut(&stream, 20, 5, 80).unwrap();
        assert_eq!(read(&stream), [(10, 1), (10, 1), (25, 2), (35, 3), (45, 4)]);
    }
}
