use std::{
    fs::{self, OpenOptions},
    path::Path,
    sync::{Arc, Mutex},
};

use super::*;

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Said {
    /// Letter and text of every line; the times are checked and left out.
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| {
                let mut parts = line.splitn(3, ' ');
                let (letter, time, text) =
                    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
                time.parse::<Timestamp>().unwrap();
                format!("{letter} {text}")
            })
            .collect()
    }
}

fn follow(folder: &Path, mask: &[&str]) -> (Following, Said) {
    let said = Said::default();
    let streams = vec![
        Stream::new('o', folder.join("out")),
        Stream::new('e', folder.join("err")),
        Stream::new('t', folder.join("script")),
    ];
    let mask = Mask::new(mask.iter().map(|value| (*value).to_owned()));
    (Following::start(streams, mask, said.clone()), said)
}

#[test]
fn every_line_says_whose_it_is_and_none_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("out"), "one sk-secret\ntwo\n\u{ff} no end").unwrap();
    fs::write(folder.path().join("err"), b"bad \xff\xfe byte\n").unwrap();
    fs::write(
        folder.path().join("script"),
        "{\"type\":\"stream_event\",\"x\":1}\n{\"type\":\"assistant\"}\n",
    )
    .unwrap();
    let (following, said) = follow(folder.path(), &["sk-secret"]);
    following.finish();
    assert_eq!(
        said.lines(),
        ["o one ***", "o two", "o ÿ no end", "e bad \u{fffd}\u{fffd} byte", "t {\"type\":\"assistant\"}"]
    );
}

#[test]
fn a_flood_is_its_beginning_a_mark_and_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..300_000).map(|number| format!("line {number} {}", "x".repeat(40))).collect();
    fs::write(folder.path().join("out"), lines.join("\n")).unwrap();
    let (following, said) = follow(folder.path(), &[]);
    following.finish();
    let lines = said.lines();
    assert!(said.0.lock().unwrap().len() <= KEPT_BYTES + 100);
    assert!(lines[0].starts_with("o line 0 ") && lines[lines.len() - 1].starts_with("o line 299999 "));
    assert_eq!(lines.iter().filter(|line| line.contains("bytes were left out here")).count(), 1);
}

#[test]
fn an_endless_line_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("out"), format!("{}\nnext\n", "y".repeat(3 * LINE_BYTES))).unwrap();
    let (following, said) = follow(folder.path(), &[]);
    following.finish();
    let lines = said.lines();
    assert!(lines[0].ends_with(&format!("y [mozart: {} bytes of this line were left out]", 2 * LINE_BYTES)));
    assert_eq!(lines[1], "o next");
}

#[test]
fn what_a_file_said_is_read_to_its_end_though_it_was_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    fs::write(&path, "first\n").unwrap();
    let (following, said) = follow(folder.path(), &[]);
    while said.lines().is_empty() {
        thread::yield_now();
    }
    let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
    fs::write(folder.path().join("shorter"), "f\n").unwrap();
    fs::rename(folder.path().join("shorter"), &path).unwrap();
    writer.write_all(b"last\n").unwrap();
    following.finish();
    assert_eq!(said.lines(), ["o first", "o last"]);
}
