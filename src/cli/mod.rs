//! The command line. Each command is a file; [`printer`] is the only thing that prints.

mod args;
mod completions;
pub mod error;
pub mod exit;
pub mod format;
mod init;
mod keeper;
pub mod log;
pub mod pen;
pub mod printer;

pub mod progress;
mod reference;
pub mod summary;
pub mod table;
pub mod terminal;

use std::{ffi::OsString, process::ExitCode};

use self::{args::Command, error::Closed, exit::Exit, printer::Printer};

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
        Err(error) => {
            printer.error(&error);
            Exit::BadInput.into()
        }
    }
}

fn dispatch(command: Command, printer: &Printer) -> anyhow::Result<Exit> {
    match command {
        Command::Init(args) => init::execute(args, printer),
        Command::Completions(args) => completions::execute(&args, printer),
        Command::Keeper(args) => keeper::execute(&args),
        Command::Reference(args) => reference::execute(&args, printer),
    }
}
