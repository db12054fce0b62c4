//! `mozart completions`: what a shell needs to complete `mozart` by asking it.

use std::{ffi::OsString, fmt::Write as _, io::Write as _};

use clap_complete::{engine, env::Shells};

use super::{called, exit::Exit, printer::Printer};

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
        for name in ["mozart", called::PLUGIN] {
            shell.write_registration(VARIABLE, name, name, name, &mut script)?;
        }
    }
    printer.bytes(&script)?;
    Ok(Exit::Done)
}

/// The words that a shell, or kubectl, asks candidates for; the program's own arguments where nobody asks.
#[cfg(feature = "cluster")]
pub fn words() -> impl Iterator<Item = String> {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    // A shell puts its words behind this.
    words.skip_while(|word| std::env::var_os(VARIABLE).is_some() && word != "--")
}

/// Answers kubectl, which asks for what follows `kubectl mozart` in the words of cobra: a candidate a line, and what to do
/// where there is none.
fn answer_kubectl() -> clap::error::Result<()> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    words[0] = called::PLUGIN.into();
    if words.len() == 1 {
        words.push(OsString::new());
    }
    let here = std::env::current_dir().ok();
    let last = words.len() - 1;
    let found = engine::complete(&mut super::args::command(), words, last, here.as_deref())?;
    let mut text = String::new();
    for one in &found {
        let help = one.get_help().map(|help| format!("\t{help}")).unwrap_or_default();
        let _ = writeln!(text, "{}{help}", one.get_value().to_string_lossy());
    }
    // 4: no files beside them.
    let _ = writeln!(text, ":{}", if found.is_empty() { 0 } else { 4 });
    let mut stdout = std::io::stdout().lock();
    // A shell that has gone needs no answer.
    let _ = stdout.write_all(text.as_bytes());
    Ok(())
}

/// Answers a shell that asks for candidates; says whether one did.
///
/// # Errors
/// The shell is none of those known.
pub fn answer() -> clap::error::Result<bool> {
    if called::is(called::PLUGIN_COMPLETER) {
        return answer_kubectl().map(|()| true);
    }
    if std::env::var_os(VARIABLE).is_none() {
        return Ok(false);
    }
    let here = std::env::current_dir().ok();
    clap_complete::CompleteEnv::with_factory(super::args::command)
        .var(VARIABLE)
        .try_complete(std::env::args_os(), here.as_deref())
}
