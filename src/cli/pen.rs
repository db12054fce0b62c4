//! Standard error as one sheet: lines that stay, and below them a block that is drawn again and again.
//!
//! Everything for people goes through here, the log too, so that nothing is written into the block, and that no terminal
//! gets a control sequence that is not Mozart's: what is told may quote what a program wrote.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write},
    sync::{LazyLock, Mutex, PoisonError},
};

use crate::show::safe;

static IS_TERMINAL: LazyLock<bool> = LazyLock::new(|| io::stderr().is_terminal());

/// The block as it stands on the terminal.
static BLOCK: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Writes text that stays, above the block if there is one. `text` ends with a newline.
///
/// A reader of standard error that has gone (a closed window) is no reason to stop working, so it cannot fail.
pub fn write(text: &str) {
    let block = BLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let text = if *IS_TERMINAL { Cow::Owned(safe::for_terminal(text, true)) } else { Cow::Borrowed(text) };
    let _ = io::stderr().lock().write_all(frame(block.len(), &text, &block).as_bytes());
}

/// Replaces the block; an empty one takes it away. Only for a terminal that moves; each line fits its width.
pub fn draw(mut lines: Vec<String>) {
    for line in &mut lines {
        *line = safe::for_terminal(line, true);
    }
    let mut block = BLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    if *block != lines {
        let _ = io::stderr().lock().write_all(frame(block.len(), "", &lines).as_bytes());
        *block = lines;
    }
}

/// What takes `height` drawn lines away, writes `above` to stay, and draws `block`. In one write, so that nothing
/// flickers.
fn frame(height: usize, above: &str, block: &[String]) -> String {
    let mut text = String::new();
    if height > 0 {
        let _ = write!(text, "\r\x1b[{height}A\x1b[J");
    }
    text.push_str(above);
    for line in block {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// What the log writes to.
#[derive(Clone, Copy, Debug)]
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_goes_above_the_block() {
        assert_eq!(frame(0, "a\n", &[]), "a\n");
        assert_eq!(frame(2, "a\n", &["x".into(), "y".into()]), "\r\x1b[2A\x1b[Ja\nx\ny\n");
        assert_eq!(frame(1, "", &[]), "\r\x1b[1A\x1b[J");
    }
}
