//! `mozart install` (hidden): brings this program into a volume, for images that do not have it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use anyhow::Context as _;

use super::exit::Exit;

/// Arguments of `mozart install`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart install /mozart/bin/mozart")]
pub struct Args {
    /// The file to be, in a folder that is there
    path: PathBuf,
}

/// Copies this program, so that a file of that name is always whole.
pub fn execute(args: &Args) -> anyhow::Result<Exit> {
    let program = std::env::current_exe().context("Mozart's own program is not found")?;
    let draft = args.path.with_extension("draft");
    let copied = fs::copy(&program, &draft)
        .and_then(|_| fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)))
        .and_then(|()| fs::rename(&draft, &args.path));
    copied.with_context(|| format!("cannot copy {} to {}", program.display(), args.path.display()))?;
    Ok(Exit::Done)
}
