//! `mozart logs --follow`: what is written while it is written.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    time::Duration,
};

use super::{Found, Printer, Reading, Stream};
use crate::{
    cli::{exit::Exit, summary, terminal::Tone},
    engine::ranges::Ranges,
    job::identity::AttemptKey,
    show::said,
};

/// How often files are looked at: what a reader does not notice.
const PAUSE: Duration = Duration::from_millis(200);

/// How far an attempt's file was shown.
#[derive(Debug, Default)]
struct Place {
    offset: u64,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
}

/// Shows what the attempts of a run write, each line with its attempt, until the run ends or nobody drives it.
pub fn follow(
    reading: &Reading,
    found: &Found,
    batches: Option<&Ranges>,
    stream: Stream,
    raw: bool,
    printer: &Printer,
) -> anyhow::Result<Exit> {
    let mut places: BTreeMap<AttemptKey, Place> = BTreeMap::new();
    loop {
        // Asked before the files are read: what is written until now is shown before the end is believed.
        let driven = reading.holder(found)?.is_some();
        for key in reading.live(found)? {
            if batches.is_none_or(|wanted| wanted.contains(key.batch)) {
                places.entry(key).or_default();
            }
        }
        for (key, place) in &mut places {
            let lines = place.read(&stream.of(&reading.files(found, *key)))?;
            show(*key, &lines, stream, raw, printer)?;
        }
        if !driven {
            for (key, place) in &mut places {
                let rest = std::mem::take(&mut place.rest);
                let rest: Vec<_> = [rest].into_iter().filter(|rest| !rest.is_empty()).collect();
                show(*key, &rest, stream, raw, printer)?;
            }
            let run = reading.find(Some(&found.run.id))?.run;
            let (word, _) = summary::state(run.state);
            printer.note(format!("{} {word}: {}", run.id, summary::counts(&run)));
            return Ok(Exit::Done);
        }
        std::thread::sleep(PAUSE);
    }
}

fn show(
    key: AttemptKey,
    lines: &[Vec<u8>],
    stream: Stream,
    raw: bool,
    printer: &Printer,
) -> anyhow::Result<()> {
    let as_read = !raw && stream == Stream::Stdout;
    let prefix = printer.out.paint(Tone::Quiet, format!("{key} |"));
    for line in lines {
        let line = String::from_utf8_lossy(line);
        let shown = if as_read { said::lines(&line, &printer.out) } else { vec![line.into_owned()] };
        for line in shown {
            super::write(&format!("{prefix} {line}"), raw, printer)?;
        }
    }
    Ok(())
}

impl Place {
    /// The whole lines that were written since the last time, without their ends.
    fn read(&mut self, path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
        // An attempt that is recorded may not have a file yet, or no longer.
        let Ok(mut file) = File::open(path) else { return Ok(Vec::new()) };
        if file.metadata()?.len() < self.offset {
            // It was cut to its cap.
            self.offset = file.metadata()?.len();
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        self.offset += file.read_to_end(&mut bytes)? as u64;
        self.rest.extend(bytes);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        Ok(whole[..end].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_whole_lines_are_shown_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stdout.log");
        let mut place = Place::default();
        assert!(place.read(&path).unwrap().is_empty());
        fs::write(&path, "one\ntw").unwrap();
        assert_eq!(place.read(&path).unwrap(), [b"one".to_vec()]);
        fs::write(&path, "one\ntwo\n\nthree").unwrap();
        assert_eq!(place.read(&path).unwrap(), [b"two".to_vec(), b"".to_vec()]);
        fs::write(&path, "cut").unwrap();
        assert!(place.read(&path).unwrap().is_empty());
    }
}
