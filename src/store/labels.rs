//! What the batches of a run are called: `labels.txt` beside what the run leaves, a line each, the first batch first.

use std::{collections::BTreeMap, fs, io};

use super::{
    files::{Files, folder_of},
    home::Home,
};
use crate::job::{
    identity::{BatchNum, RunId},
    model::Job,
    prompt::render_label,
};

/// Keeps what the job calls the batches of a run that begins or goes on, in place of what was kept before.
///
/// # Errors
/// They cannot be written.
pub fn keep(home: &Home, run: &RunId, job: &Job) -> io::Result<()> {
    let path = home.labels(run);
    if job.label.is_none() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let batches = (1..=job.batches.total()).map(BatchNum);
    // Every label was rendered when the job was checked; one that fails all the same is none.
    let label = |number| render_label(job, job.batches.get(number)?).ok()?;
    let lines: String = batches.map(|number| label(number).unwrap_or_default() + "\n").collect();
    fs::create_dir_all(folder_of(&path))?;
    Files::default().replace(&path, lines.as_bytes())
}

/// What the batches from `first` to `last` of a run are called; none where the job does not say so.
///
/// # Errors
/// They cannot be read.
pub fn load(
    home: &Home,
    run: &RunId,
    first: BatchNum,
    last: BatchNum,
) -> io::Result<BTreeMap<BatchNum, String>> {
    let text = match fs::read_to_string(home.labels(run)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let named = text.lines().zip(1..).map(|(line, number)| (BatchNum(number), line));
    let wanted = named.skip_while(|(number, _)| *number < first).take_while(|(number, _)| *number <= last);
    Ok(wanted.filter(|(_, line)| !line.is_empty()).map(|(number, line)| (number, line.to_owned())).collect())
}
