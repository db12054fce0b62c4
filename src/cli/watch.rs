//! `mozart watch`: how a job goes on, until it has ended. On a terminal a block of fixed height, elsewhere a line for each
//! change.

#[cfg(feature = "cluster")]
pub mod cluster;
mod local;

pub use self::local::seen as seen_here;

use std::time::Duration;

use anyhow::Context as _;
use jiff::{Timestamp, tz::TimeZone};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

#[cfg(feature = "cluster")]
use super::kubernetes::KubernetesArguments;
use super::{
    choices::JobArgument,
    exit::Exit,
    format, pen,
    printer::Printer,
    progress::snapshot::{bar, counts},
    runtime,
    terminal::{Look, Tone},
};
use crate::engine::summary::Summary;

/// Between two drawings: four a second at most.
const REDRAW: Duration = Duration::from_millis(250);

/// Arguments of `mozart watch`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart watch                    the run that was last used here, until it has ended\n  \
                         mozart watch review -n team-a   a job of a cluster; Ctrl-C leaves it running"
)]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    cluster: KubernetesArguments,
}

/// A job at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its name, and its run where that is known.
    pub name: String,
    /// Its state in a word, and what that means.
    pub word: (&'static str, Tone),
    /// Its run in numbers.
    pub summary: Summary,
    /// How long it has run, what it used.
    pub took: Vec<String>,
    /// Why no more is happening, or what is wrong.
    pub why: Option<String>,
    /// How it ended.
    pub over: Option<Exit>,
    /// What to type next.
    pub next: Vec<String>,
}

/// What is seen of a job from now on; the end of it is the end of watching.
pub type Seen = mpsc::Receiver<anyhow::Result<Standing>>;

/// Shows the job until it has ended; its exit code is the job's.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let job = args.job.job.as_deref();
    runtime()?.block_on(async {
        #[cfg(feature = "cluster")]
        if args.cluster.is_given() {
            return cluster::watch(job, &args.cluster, printer).await;
        }
        let stop = format!("mozart stop {}", job.unwrap_or_default());
        show(local::seen(job), stop.trim_end(), printer).await
    })
}

/// Shows what is seen. `stop` is what is typed to end the job.
pub async fn show(mut seen: Seen, stop: &str, printer: &Printer) -> anyhow::Result<Exit> {
    let mut last: Option<Standing> = None;
    let mut redraw = tokio::time::interval(REDRAW);
    // One for all rounds: between two there is a moment in which nobody would listen.
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C cannot be heard")?;
    let moves = printer.out.moves && printer.err.moves;
    let zone = TimeZone::system();
    loop {
        tokio::select! {
            now = seen.recv() => {
                let Some(now) = now else { break };
                let now = now.inspect_err(|_| pen::draw(Vec::new()))?;
                if !moves && last.as_ref().is_none_or(|last| line(last) != line(&now)) {
                    printer.line(format!("{} {}", format::clock(Timestamp::now(), &zone), line(&now)))?;
                }
                let over = now.over;
                last = Some(now);
                if over.is_some() {
                    break;
                }
            }
            _ = redraw.tick(), if moves => {
                if let Some(standing) = &last {
                    pen::draw(block(standing, &printer.err));
                }
            }
            _ = interrupt.recv() => {
                pen::draw(Vec::new());
                let name = last.map_or_else(|| "the job".to_owned(), |last| last.name);
                printer.note(format!("{name} goes on"));
                printer.hint(format!("{stop} ends it"));
                return Ok(Exit::Interrupted);
            }
        }
    }
    pen::draw(Vec::new());
    let Some(last) = last else { return Ok(Exit::Done) };
    if moves {
        printer.line(block(&last, &printer.out).join("\n").trim_end())?;
    }
    for next in &last.next {
        printer.hint(next);
    }
    Ok(last.over.unwrap_or(Exit::Done))
}

/// `review Running 12/56 done, 3 running; waits for …`.
fn line(standing: &Standing) -> String {
    let Standing { name, word: (word, _), summary, why, .. } = standing;
    let why = why.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
    format!("{name} {word} {}{why}", counts(summary))
}

/// Four lines whatever there is to say, each within the width.
fn block(standing: &Standing, look: &Look) -> Vec<String> {
    let Standing { name, word: (word, tone), summary, took, why, .. } = standing;
    let width = console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns));
    let width = width.or(look.width).unwrap_or(80).saturating_sub(1);
    let why = why.as_ref().map(|why| look.paint(Tone::Warning, why)).unwrap_or_default();
    let lines = [
        format!("{}  {}", look.paint(Tone::Strong, name), look.paint(*tone, word)),
        bar(summary, &Look { width: Some(width), ..*look }),
        look.paint(Tone::Quiet, took.join(look.symbol(" · ", ", "))),
        why,
    ];
    let cut = |line: String| console::truncate_str(&line, width, look.symbol("…", "~")).into_owned();
    lines.into_iter().map(cut).collect()
}
