//! The output of an attempt: how much of it is kept.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use super::times;

/// So much of a stream is kept, in bytes: the head, a marker, and the tail up to this.
pub const KEPT_BYTES: u64 = 8 << 20;
/// Of it, the head.
const HEAD_BYTES: u64 = 1 << 20;
/// While its program runs, a stream takes no more room than this for long.
const RUNNING_BYTES: u64 = 64 << 20;

/// Cuts the stream of an ended program to [`KEPT_BYTES`], with a marker in the middle that says what is missing.
/// A stream that is shorter, or not there, is left alone.
///
/// # Errors
/// When the file cannot be read or the shorter one not be written; it is whole then.
pub fn cap(path: &Path) -> io::Result<()> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if length <= KEPT_BYTES {
        return Ok(());
    }
    let tail = KEPT_BYTES - HEAD_BYTES;
    let left_out = length - KEPT_BYTES;
    let marker = format!("\n[mozart: {left_out} bytes of {length} were left out here]\n");
    let shorter = path.with_extension("capped");
    let mut from = File::open(path)?;
    let mut to = File::create(&shorter)?;
    io::copy(&mut Read::by_ref(&mut from).take(HEAD_BYTES), &mut to)?;
    to.write_all(marker.as_bytes())?;
    from.seek(SeekFrom::Start(length - tail))?;
    io::copy(&mut from.take(tail), &mut to)?;
    fs::rename(&shorter, path)?;
    times::cut(path, HEAD_BYTES, marker.len() as u64, length - tail)
}

/// Gives back the room of the middle of a stream that is being written. Its length stays, so that [`cap`] knows how much
/// was said; where the file system cannot do that, everything after the head is dropped.
///
/// # Errors
/// When the file can neither be punched nor cut.
pub fn bound(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    // A stream that does not exist (yet) needs no bound.
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    if !metadata.is_file() || metadata.blocks().saturating_mul(512) <= RUNNING_BYTES {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).open(path)?;
    let end = metadata.len().saturating_sub(KEPT_BYTES);
    if end > HEAD_BYTES && punch(&file, HEAD_BYTES, end - HEAD_BYTES).is_ok() {
        return Ok(());
    }
    file.set_len(HEAD_BYTES)
}

#[cfg(target_os = "linux")]
fn punch(file: &File, offset: u64, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    Ok(fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length)?)
}

#[cfg(not(target_os = "linux"))]
fn punch(_file: &File, _offset: u64, _length: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
