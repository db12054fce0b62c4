//! `mozart completions`: what a shell needs to complete `mozart` by asking it.

use clap_complete::env::Shells;

use super::{exit::Exit, printer::Printer};

/// The variable by which a shell asks for candidates.
pub const VARIABLE: &str = "MOZART_COMPLETE";

/// Arguments of `mozart completions`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  source <(mozart completions bash)                                    # in ~/.bashrc\n  \
                   source <(mozart completions zsh)                                     # in ~/.zshrc\n  \
                   mozart completions fish > ~/.config/fish/completions/mozart.fish"
)]
pub struct Args {
    /// The shell
    #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

/// Prints the script. It asks `mozart` itself, so that job names and new flags complete without a new script.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    if let Some(shell) = shells.completer(&args.shell) {
        shell.write_registration(VARIABLE, "mozart", "mozart", "mozart", &mut script)?;
    }
    printer.bytes(&script)?;
    Ok(Exit::Done)
}

/// Answers a shell that asks for candidates; says whether one did.
///
/// # Errors
/// The shell is none of those known.
pub fn answer() -> clap::error::Result<bool> {
    if std::env::var_os(VARIABLE).is_none() {
        return Ok(false);
    }
    let here = std::env::current_dir().ok();
    clap_complete::CompleteEnv::with_factory(super::args::command)
        .var(VARIABLE)
        .try_complete(std::env::args_os(), here.as_deref())
}
