//! The command line. Each command is a file; [`printer`] is the only thing that prints.

mod args;
mod ask;
mod attempt;
mod called;
mod choices;
mod completions;
#[cfg(feature = "cluster")]
mod crd;
mod credential;
mod dashboard;
mod delete;
mod describe;
mod doctor;
mod error;
mod exit;
mod findings;
#[cfg(feature = "cluster")]
mod grant;
mod history;
mod init;
mod install;
mod keeper;
#[cfg(feature = "cluster")]
mod kubernetes;
mod list;
mod loading;
mod log;
mod logs;
mod manifest;
#[cfg(feature = "cluster")]
mod network_policy;
#[cfg(feature = "cluster")]
mod operator;
mod output;
mod pen;
mod printer;

mod progress;
mod prune;
#[cfg(feature = "cluster")]
mod rbac;
#[cfg(feature = "cluster")]
mod reach;
mod reading;
mod reference;
#[cfg(feature = "cluster")]
mod release;
mod resume;
mod retry;
mod run;
mod schema;
mod status;
mod stop;
#[cfg(feature = "cluster")]
mod submit;
mod summary;
mod suspend;
mod table;
mod validate;
mod verbs;
mod wait;
mod watch;

use std::{ffi::OsString, process::ExitCode};

use self::{
    args::Command,
    error::{Closed, Told},
    exit::Exit,
    printer::Printer,
};
use crate::show::{format, terminal};

/// The whole program.
pub fn main() -> ExitCode {
    match completions::answer() {
        Ok(true) => return Exit::Done.into(),
        Ok(false) => {}
        Err(error) => {
            let _ = error.print();
            return Exit::BadInput.into();
        }
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match args::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output; a reader that has gone is no failure.
            let _ = error.print();
            return if error.use_stderr() { Exit::BadInput.into() } else { Exit::Done.into() };
        }
    };
    let printer = Printer::new(cli.global.color, cli.global.quiet);
    let result = log::init(&cli.global).and_then(|()| dispatch(cli.command, &printer));
    match result {
        Ok(exit) => exit.into(),
        Err(error) if error.is::<Closed>() => Exit::Done.into(),
        Err(error) if error.is::<Told>() => Exit::BadInput.into(),
        Err(error) => {
            printer.error(&error);
            Exit::BadInput.into()
        }
    }
}

fn dispatch(command: Command, printer: &Printer) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => run::execute(*args, printer),
        Command::Resume(args) => resume::execute(args, printer),
        Command::Status(args) => status::execute(&args, printer),
        Command::List(args) => list::execute(&args, printer),
        Command::History(args) => history::execute(&args, printer),
        Command::Logs(args) => logs::execute(&args, printer),
        Command::Output(args) => output::execute(&args, printer),
        Command::Retry(args) => retry::execute(args, printer),
        Command::Suspend(args) => suspend::execute(&args, printer),
        Command::Stop(args) => stop::execute(&args, printer),
        Command::Prune(args) => prune::execute(&args, printer),
        Command::Credential(args) => credential::execute(&args, printer),
        Command::Validate(args) => validate::execute(&args, printer),
        Command::Manifest(args) => manifest::execute(&args, printer),
        Command::Schema(args) => schema::execute(&args, printer),
        Command::Init(args) => init::execute(args, printer),
        Command::Dashboard(args) => dashboard::execute(&args, printer),
        Command::Doctor(args) => doctor::execute(&args, printer),
        Command::Completions(args) => completions::execute(&args, printer),
        #[cfg(feature = "cluster")]
        Command::Crd(args) => crd::execute(&args, printer),
        #[cfg(feature = "cluster")]
        Command::Grant(args) => grant::execute(args, printer),
        #[cfg(feature = "cluster")]
        Command::NetworkPolicy(args) => network_policy::execute(&args, printer),
        #[cfg(feature = "cluster")]
        Command::Operator(args) => operator::execute(*args),
        #[cfg(feature = "cluster")]
        Command::Rbac(args) => rbac::execute(args, printer),
        #[cfg(feature = "cluster")]
        Command::Release(args) => release::execute(args, printer),
        #[cfg(feature = "cluster")]
        Command::Submit(args) => submit::execute(&args, printer),
        Command::Delete(args) => delete::execute(&args, printer),
        Command::Wait(args) => wait::execute(&args, printer),
        Command::Watch(args) => watch::execute(&args, printer),
        Command::Attempt(args) => attempt::execute(&args, printer),
        Command::Install(args) => install::execute(&args),
        Command::Keeper(args) => keeper::execute(&args),
        Command::Reference(args) => reference::execute(&args, printer),
    }
}

/// What waits for processes, files and requests.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context as _;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start threads")
}
