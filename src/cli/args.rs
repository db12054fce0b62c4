//! The command line: what can be typed. Each command's own flags are in its file.

use std::ffi::{OsStr, OsString};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::{
    attempt, called, completions, credential, dashboard, doctor, history, init, install, keeper, list, logs,
    manifest, output, prune, reference, resume, retry, run, schema, status, stop, suspend,
    terminal::{ColorChoice, Environment},
    validate, verbs, wait, watch,
};

/// Puts hundreds of pieces of work through Claude, batch by batch, and never loses its place.
#[derive(Debug, Parser)]
#[command(
    name = "mozart",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    before_help = "  mozart init                  write a job file\n  \
                   mozart run job.yaml          run it to its end, however often it is interrupted\n  \
                   mozart status                where the last run stands\n  \
                   mozart logs --failed         what went wrong",
    after_help = "Exit codes: 0 done, 1 failed, 2 bad input or environment, 75 waiting for a limit, 130 interrupted."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// When to use colour
    ///
    /// `auto` follows `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `FORCE_COLOR` and `TERM=dumb`.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    pub color: ColorChoice,
    /// Log more to standard error; twice for more still
    ///
    /// `MOZART_LOG=mozart=debug` sets a filter instead.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How the log is written
    ///
    /// `MOZART_LOG_FORMAT` says the same; it is text otherwise.
    #[arg(long, global = true, value_name = "FORMAT", value_enum, hide_short_help = true)]
    pub log_format: Option<LogFormat>,
    /// Only data, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a job file to its end
    #[command(visible_alias = "local-run")]
    Run(Box<run::Args>),
    /// Go on with a run that was interrupted, suspended or left unfinished
    Resume(resume::Args),
    /// Show where a run stands
    #[command(visible_alias = "get")]
    Status(status::Args),
    /// Show how a job goes on, until it has ended
    Watch(watch::Args),
    /// Wait until a job has ended
    Wait(wait::Args),
    /// List the jobs and their last runs
    List(list::Args),
    /// List the runs of a job
    History(history::Args),
    /// Show what attempts wrote
    Logs(logs::Args),
    /// Give the answers back
    Output(output::Args),
    /// Run failed or named batches again
    Retry(retry::Args),
    /// Let what runs finish and start nothing new
    Suspend(suspend::Args),
    /// End a run
    Stop(stop::Args),
    /// Show every job, run and batch in a browser
    Dashboard(dashboard::Args),
    /// Show limits, or go on after a person has solved what held them
    Credential(credential::Args),
    /// Delete what Claude Code keeps of runs that are over
    Prune(prune::Args),
    /// Check job files without running anything
    Validate(validate::Args),
    /// Print a job file as a Kubernetes manifest
    Manifest(manifest::Args),
    /// Print the JSON Schema of the job file
    Schema(schema::Args),
    /// Write a job file to begin with
    Init(init::Args),
    /// Check that this machine, or a cluster, has what jobs need
    Doctor(doctor::Args),
    /// Print a completion script
    Completions(completions::Args),
    /// Print the definitions of Mozart's resources, for Kubernetes
    #[cfg(feature = "cluster")]
    Crd(super::crd::Args),
    /// Print the account and the rights that the operator needs
    #[cfg(feature = "cluster")]
    Rbac(super::rbac::Args),
    /// Print the right to read one Secret, for batches in the operator's own process
    #[cfg(feature = "cluster")]
    Grant(super::grant::Args),
    /// Print a policy of the network: what the batches of a namespace may reach
    #[cfg(feature = "cluster")]
    NetworkPolicy(super::network_policy::Args),
    /// Run the jobs of a Kubernetes cluster
    #[cfg(feature = "cluster")]
    Operator(Box<super::operator::Args>),
    /// Let Pods go that wait for an operator which is no more
    #[cfg(feature = "cluster")]
    Release(super::release::Args),
    /// Give a job file to a cluster
    #[cfg(feature = "cluster")]
    Submit(super::submit::Args),
    /// Delete jobs, with what is kept of them
    Delete(super::delete::Args),
    /// Run one attempt from a plan file and print its outcome
    #[command(hide = true)]
    Attempt(attempt::Args),
    /// Put this program at a path
    #[command(hide = true)]
    Install(install::Args),
    /// Be the parent of a run's processes
    #[command(hide = true)]
    Keeper(keeper::Args),
    /// Print the reference of the command line
    #[command(hide = true)]
    Reference(reference::Args),
}

/// A help page begins with what is typed most, and fits a screen.
const HELP: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The whole command, as help, completions and the reference see it.
pub fn command() -> clap::Command {
    let plugin = called::as_plugin();
    let command = templated(Cli::command());
    let command = if plugin { as_plugin(command) } else { command };
    let template = verbs::template(&command, plugin);
    command.help_template(template)
}

/// The same as people see it who type `kubectl mozart`: a cluster is meant without saying so.
fn as_plugin(command: clap::Command) -> clap::Command {
    fn typed(command: clap::Command) -> clap::Command {
        let examples =
            command.get_before_help().map(|text| text.to_string().replace("  mozart ", "  kubectl mozart "));
        let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
        let mut command = match examples {
            Some(examples) => command.before_help(examples.replace(" --cluster", "")),
            None => command,
        };
        if command.get_arguments().any(|one| one.get_id() == "cluster") {
            command = command.mut_arg("cluster", |argument| argument.hide(true));
        }
        names.into_iter().fold(command, |command, name| command.mut_subcommand(name, typed))
    }
    let examples = "  kubectl mozart submit job.yaml --watch    run a job file in the cluster\n  \
                    kubectl mozart list                       how the jobs stand\n  \
                    kubectl mozart logs review --failed       what went wrong";
    typed(command).bin_name("kubectl mozart").before_help(examples)
}

/// Why a verb is refused that `kubectl mozart` leaves nothing to do for: before its flags are looked at, which would be
/// met with what it does not know.
fn refused(command: &mut clap::Command, arguments: &[OsString]) -> Option<clap::Error> {
    let typed = arguments.iter().skip(1).filter_map(|word| word.to_str());
    let verb = typed.into_iter().find(|word| !word.starts_with('-'))?;
    let has_cluster =
        |one: &clap::Command| one.get_arguments().any(|argument| argument.get_id() == "cluster");
    let found = command.find_subcommand(verb)?;
    let in_a_cluster = has_cluster(found) || found.get_subcommands().any(has_cluster);
    let of_this_machine = match verbs::Place::of(found.get_name()) {
        Some(verbs::Place::Here) => true,
        Some(verbs::Place::Both) => !in_a_cluster,
        _ => false,
    };
    let message = format!("`{verb}` works on this machine: type `mozart {verb}`");
    of_this_machine.then(|| command.error(clap::error::ErrorKind::InvalidSubcommand, message))
}

fn templated(command: clap::Command) -> clap::Command {
    let subcommands: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let mut command = command.help_template(HELP);
    for name in subcommands {
        command = command.mut_subcommand(name, templated);
    }
    command
}

/// Reads the arguments.
///
/// # Errors
/// What clap has to say: also help and version, which are no failures.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let color = match typed_color(arguments) {
        Some(ColorChoice::Always) => clap::ColorChoice::Always,
        Some(ColorChoice::Never) => clap::ColorChoice::Never,
        Some(ColorChoice::Auto) | None => {
            let terminal = console::user_attended() && console::user_attended_stderr();
            let on = Environment::read().color(ColorChoice::Auto, terminal);
            if on { clap::ColorChoice::Always } else { clap::ColorChoice::Never }
        }
    };
    let mut command = command().color(color);
    if called::as_plugin()
        && let Some(error) = refused(&mut command, arguments)
    {
        return Err(error);
    }
    let matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// `--color` as typed: clap prints help and errors before it has parsed it.
fn typed_color(arguments: &[OsString]) -> Option<ColorChoice> {
    use clap::ValueEnum as _;
    let text = arguments.iter().enumerate().find_map(|(index, argument)| match argument.to_str()? {
        "--color" => arguments.get(index + 1).and_then(|next| OsStr::to_str(next)),
        other => other.strip_prefix("--color="),
    })?;
    ColorChoice::from_str(text, true).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_that_is_shown_says_where_it_applies() {
        let command = command();
        let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let without: Vec<&str> =
            shown.map(clap::Command::get_name).filter(|verb| verbs::Place::of(verb).is_none()).collect();
        assert_eq!(without, Vec::<&str>::new());
    }

    #[test]
    fn every_short_help_page_fits_a_screen_and_begins_with_examples() {
        fn check(command: &mut clap::Command, path: &str) {
            let page = command.clone().term_width(100).render_help().to_string();
            assert!(page.lines().count() <= 45, "{path} has {} lines:\n{page}", page.lines().count());
            if !command.is_hide_set() {
                assert!(command.get_before_help().is_some(), "{path} has no examples");
            }
            for one in command.get_subcommands_mut() {
                let path = format!("{path} {}", one.get_name());
                check(one, &path);
            }
        }
        let mut command = command();
        command.build();
        check(&mut command, "mozart");
    }
}
