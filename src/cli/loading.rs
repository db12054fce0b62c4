//! Job files from the command line: loaded with what it says on top, their problems shown.

use std::{
    io::{self, Read as _},
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{
    error::{Advised, Told},
    pen,
    printer::Printer,
    reading::Reading,
    terminal::Tone,
};
use crate::{
    job::{
        load::{Loaded, Overrides, load, load_text},
        model::Job,
        problem::{LineKind, Problems},
        sources::MAX_BYTES,
    },
    local::{
        on_top::{OnTop, STANDARD_INPUT},
        verb::Verb,
    },
    sources::LocalSources,
};

/// A job file, and what is said on top of it.
#[derive(Clone, Debug, clap::Args)]
pub struct FileArguments {
    /// The job file
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    #[command(flatten)]
    pub on_top: OverrideArguments,
}

/// What is said on top of a job file.
#[derive(Clone, Debug, clap::Args)]
pub struct OverrideArguments {
    /// Where the batches read and write, instead of what the file says
    #[arg(short, long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub workspace: Option<PathBuf>,
    /// Set a field of the file, such as batch.totalItems=20; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
}

/// Reads `path=value`.
pub fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.trim().is_empty() => Ok((path.trim().to_owned(), value.to_owned())),
        _ => Err("write a field and a value, such as batch.totalItems=20".to_owned()),
    }
}

impl OverrideArguments {
    /// What is said on top of the file.
    pub fn on_top(&self) -> anyhow::Result<OnTop> {
        let workspace = self.workspace.as_deref().map(absolute).transpose()?;
        Ok(OnTop { set: self.set.clone(), workspace, items: None })
    }
}

/// Loads the file; shows its warnings, or everything that is wrong with it.
///
/// # Errors
/// The file cannot be run; that has been told.
pub fn load_file(path: &Path, overrides: &Overrides, printer: &Printer) -> anyhow::Result<Job> {
    load_from(path, overrides, &sources(path)?, printer)
}

fn load_from(
    path: &Path,
    overrides: &Overrides,
    sources: &LocalSources,
    printer: &Printer,
) -> anyhow::Result<Job> {
    match load(path, overrides, sources) {
        Ok(Loaded { job, warnings }) => {
            tell(&warnings, printer);
            Ok(job)
        }
        Err(problems) => {
            tell(&problems, printer);
            Err(Told.into())
        }
    }
}

/// Loads the file for `verb`, with what is said on top of it now and what was said when the run began that goes on.
/// What that run has read once, it is not read again. Returns also all that counts on top of the file.
///
/// # Errors
/// As [`load_file`], and where the state or standard input cannot be read.
pub fn load_to_run(
    path: &Path,
    now: OnTop,
    parallelism: Option<u32>,
    verb: &Verb,
    printer: &Printer,
) -> anyhow::Result<(Job, OnTop)> {
    let file = absolute(path)?;
    let reading = Reading::open()?;
    let given = now.items.is_some();
    let read = now.items.as_deref() == Some(STANDARD_INPUT);
    let standard_input = if read { Some(standard_input()?) } else { None };
    let sources = sources(path)?.with_standard_input(standard_input);
    let load = |on_top: &OnTop| {
        let overrides = Overrides {
            set: on_top.set.clone(),
            workspace: on_top.workspace.clone(),
            parallelism: parallelism.and_then(NonZeroU32::new),
            items_file: on_top.items.clone(),
            items: if given { Vec::new() } else { reading.items_for(&file, verb)? },
            ..Overrides::default()
        };
        load_from(path, &overrides, &sources, printer)
    };
    if let Some((name, before)) = reading.on_top_for(&file, verb)? {
        let both = now.clone().over(before);
        let job = load(&both)?;
        // A file that has another job now is not what the words were said about.
        if job.name.as_str() == name {
            if both != now {
                printer.note(format!("as when the run began: {}", both.words()));
            }
            return Ok((job, both));
        }
    }
    Ok((load(&now)?, now))
}

fn standard_input() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = io::stdin().take(MAX_BYTES + 1).read_to_string(&mut text);
    read.context("cannot read items from standard input")?;
    if text.len() as u64 > MAX_BYTES {
        let message = format!("standard input has more than {} MiB of items", MAX_BYTES >> 20);
        return Err(Advised::new(message, "cut the list into several jobs").into());
    }
    Ok(text)
}

/// What the job may name: files beside it, and a command there.
pub fn sources(path: &Path) -> anyhow::Result<LocalSources> {
    Ok(LocalSources::new(absolute(path)?.parent().unwrap_or(Path::new("/"))))
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot make {} absolute", path.display()))
}

/// A job that runs Claude Code and nothing else, for looking at this machine.
pub fn example() -> anyhow::Result<Job> {
    let text = "name: doctor\nbackend: {type: claude_cli}\nbatch: {size: 1, total_items: 1}\nprompt: {template: x}\n";
    let folder = std::env::current_dir().context("the present folder is not known")?;
    let sources = LocalSources::new(&folder);
    let loaded = load_text(text, &folder.join("doctor.yaml"), &Overrides::default(), &sources);
    loaded.map(|loaded| loaded.job).context("Mozart's own example cannot be read")
}

/// Shows problems with the lines they are about.
pub fn tell(problems: &Problems, printer: &Printer) {
    if problems.is_empty() {
        return;
    }
    let look = &printer.err;
    let text = problems.render(|line, kind| match kind {
        LineKind::Error => painted(line, "error:", Tone::Bad, look),
        LineKind::Warning => painted(line, "warning:", Tone::Warning, look),
        LineKind::Snippet => line.to_owned(),
        LineKind::Caret => look.paint(Tone::Bad, line),
        LineKind::Help => painted(line, "help:", Tone::Name, look),
    });
    pen::write(&format!("{text}\n"));
}

/// The line with its first word in a tone.
fn painted(line: &str, word: &str, tone: Tone, look: &super::terminal::Look) -> String {
    line.replacen(word, &look.paint(tone, word), 1)
}

/// A job file that was run before is still where it was.
///
/// # Errors
/// It is not, with what to do.
pub fn still_there(file: &Path) -> anyhow::Result<()> {
    if file.exists() {
        return Ok(());
    }
    let hint = "put it back, or run it from its new place: a job is known by its file's path";
    Err(Advised::new(format!("the job file {} is no longer there", file.display()), hint).into())
}
