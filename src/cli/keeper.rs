//! `mozart keeper` (hidden): the parent of a run's processes, started by Mozart itself.

use anyhow::Context as _;

use super::exit::Exit;
use crate::launch::keeper;

/// Arguments of `mozart keeper`: none; it speaks over its standard input.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Serves until the run's process has gone and every child has ended.
pub fn execute(Args {}: &Args) -> anyhow::Result<Exit> {
    keeper::main().context("the keeper of the run's processes could not go on")?;
    Ok(Exit::Done)
}
