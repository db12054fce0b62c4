//! Validations of a file as a whole: there, new, changed.

use std::{fs, io, path::PathBuf};

use jiff::tz::TimeZone;

use super::{Verdict, paths};
use crate::attempt::baseline::Baseline;

/// The path as expanded, and where it leads; or why it is not looked at.
type Place = Result<(PathBuf, PathBuf), String>;

/// There now, and with `allow_existing` that is all; else new or changed since the baseline.
pub fn exists(place: Place, allow_existing: bool, baseline: &Baseline) -> Verdict {
    let expected = if allow_existing { "the file" } else { "the file, new or changed in this batch" };
    let actual = regular(place).and_then(|(path, found)| {
        if allow_existing || changed(baseline, &path, &found)? {
            Ok("the file".to_owned())
        } else {
            Err(format!("exists, but unchanged since before this batch began ({})", clock(baseline)))
        }
    });
    Verdict::new(expected, actual)
}

/// Changed since the baseline, or made.
pub fn modified(place: Place, baseline: &Baseline) -> Verdict {
    let actual = regular(place).and_then(|(path, found)| {
        if changed(baseline, &path, &found)? {
            Ok("changed content".to_owned())
        } else {
            Err(format!("the same content as before this batch began ({})", clock(baseline)))
        }
    });
    Verdict::new("changed content", actual)
}

fn regular(place: Place) -> Place {
    let (path, found) = place?;
    match fs::metadata(&found) {
        Ok(metadata) if metadata.is_file() => Ok((path, found)),
        Ok(metadata) => Err(format!("{}, not a file", paths::kind_word(metadata.file_type()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("no such file".to_owned()),
        Err(error) => Err(format!("a file that cannot be looked at: {error}")),
    }
}

fn changed(baseline: &Baseline, path: &std::path::Path, found: &std::path::Path) -> Result<bool, String> {
    baseline.has_changed(path, found).map_err(|error| format!("a file that cannot be read: {error}"))
}

fn clock(baseline: &Baseline) -> String {
    baseline.taken.to_zoned(TimeZone::system()).strftime("%H:%M").to_string()
}
