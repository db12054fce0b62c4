//! `mozart run FILE`: a job file to its end.

mod consent;
mod driving;
mod dry;
mod ending;

use anyhow::Context as _;

pub use self::driving::{Drive, drive};
use super::{
    ask,
    choices::FormArgument,
    exit::Exit,
    loading::{self, FileArguments},
    printer::Printer,
    reading::Reading,
    summary,
};
use crate::{
    engine::{ranges::Ranges, rerun::Select},
    job::model::Job,
    local::{
        on_top::{OnTop, STANDARD_INPUT},
        verb::{Changed, Verb},
    },
};

/// Arguments of `mozart run`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart run job.yaml                run it; after an interruption the same goes on\n  \
                         mozart run job.yaml --dry-run      the plan and every prompt, nothing runs\n  \
                         mozart run job.yaml --limit 2      two batches, then suspend\n  \
                         mozart run job.yaml --rerun        what the last run left undone, once more\n  \
                         git ls-files | mozart run job.yaml --items -"
)]
pub struct Args {
    #[command(flatten)]
    file: FileArguments,
    /// The items, instead of what the file says: a file, or - for standard input; one a line, each text or JSON
    #[arg(long, value_name = "FILE")]
    items: Option<String>,
    /// Show the plan and the prompts; run nothing
    #[arg(long, conflicts_with_all = ["limit", "rerun", "continue_", "restart"])]
    dry_run: bool,
    /// Only these batches, such as 3,7-9
    #[arg(long, value_name = "LIST", conflicts_with = "rerun")]
    batches: Option<Ranges>,
    /// Another run of what the last one left: Unfinished, Failed, All, or batches such as 3,7-9
    #[arg(long, value_name = "WHAT", num_args = 0..=1, default_missing_value = "Unfinished", require_equals = true, value_parser = selection)]
    rerun: Option<Select>,
    /// The file has changed: the rest with the new text, what is done stays
    #[arg(long = "continue", conflicts_with = "restart")]
    continue_: bool,
    /// The file has changed: begin again, a new run of everything
    #[arg(long, conflicts_with = "rerun")]
    restart: bool,
    #[command(flatten)]
    pace: PaceArguments,
    #[command(flatten)]
    form: FormArgument,
}

/// How a run is driven from here, whatever began it.
#[derive(Clone, Debug, clap::Args)]
pub struct PaceArguments {
    /// A trial: suspend after so many batches
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// How many batches run at once, instead of what the file says
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub parallelism: Option<u32>,
    /// Go on without asking, such as where an API key is billed and no budget is written
    #[arg(short, long)]
    pub yes: bool,
    /// How many sessions of the credential run at once, in all jobs of yours together; 4 of Claude Code by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_sessions: Option<u32>,
    /// Exit with 75 instead of waiting for a limit
    #[arg(long)]
    pub no_wait: bool,
    /// Keep the machine from sleeping; by default on a terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub keep_awake: Option<bool>,
    /// Show it in a browser too, on port 8000 unless another is said
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "8000", require_equals = true)]
    pub dashboard: Option<u16>,
}

/// Reads what `--rerun` selects.
fn selection(text: &str) -> Result<Select, String> {
    match text {
        "Unfinished" | "unfinished" => Ok(Select::Unfinished),
        "Failed" | "failed" => Ok(Select::Failed),
        "All" | "all" => Ok(Select::All),
        list => list
            .parse()
            .map(Select::Batches)
            .map_err(|_| "write Unfinished, Failed, All, or batches such as 3,7-9".to_owned()),
    }
}

/// Loads the file and runs it, or shows what it would do.
pub fn execute(args: Args, printer: &Printer) -> anyhow::Result<Exit> {
    let Args { file, dry_run, batches, rerun, continue_, restart, items, pace, form } = args;
    let changed = match (continue_, restart) {
        (true, _) => Changed::Continue,
        (_, true) => Changed::Restart,
        (false, false) => Changed::Refuse,
    };
    let select = rerun.or(batches.clone().map(Select::Batches));
    let verb = Verb::Run { select, changed };
    let items = items.map(|items| items_file(&items)).transpose()?;
    let on_top = OnTop { items, ..file.on_top.on_top()? };
    let (job, on_top) = loading::load_to_run(&file.file, on_top, pace.parallelism, &verb, printer)?;
    if dry_run {
        return dry::show(&job, batches.as_ref(), form.get(), printer);
    }
    if restart && !pace.yes && !may_begin_again(&job, printer)? {
        return Ok(Exit::BadInput);
    }
    drive(Drive { job, on_top, verb, pace, form: form.get() }, printer)
}

/// Standard input as it is, a file by its absolute path: it is found again from wherever the run goes on.
fn items_file(given: &str) -> anyhow::Result<String> {
    if given == STANDARD_INPUT {
        return Ok(given.to_owned());
    }
    let path = std::path::absolute(given).with_context(|| format!("cannot make {given} absolute"))?;
    path.into_os_string().into_string().map_err(|_| anyhow::anyhow!("the path of {given} is not UTF-8"))
}

/// Asks, on a terminal, before a run that could go on is ended for another.
fn may_begin_again(job: &Job, printer: &Printer) -> anyhow::Result<bool> {
    if !ask::possible(printer) {
        return Ok(true);
    }
    let Some(run) = Reading::open()?.unended(job)? else { return Ok(true) };
    let counts = summary::counts(&run);
    let begin = ask::agreed(&format!("{} could go on ({counts}). End it and begin again?", run.id))?;
    if !begin {
        printer.note("nothing was done");
        printer.hint(format!("mozart resume {}    goes on", run.id));
    }
    Ok(begin)
}
