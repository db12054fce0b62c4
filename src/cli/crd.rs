//! `mozart crd`: the definitions of the custom resources.

use std::{fs, path::PathBuf};

use anyhow::Context as _;

use super::{exit::Exit, printer::Printer};
use crate::cluster::crd::definitions;

/// Arguments of `mozart crd`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart crd | kubectl apply --server-side -f -     install or update them\n  \
                         mozart crd --dir crds                             write a file each")]
pub struct Args {
    /// Write a file each into this folder instead
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Prints the definitions as one YAML stream, or writes them.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    for definition in definitions() {
        let yaml = definition.yaml()?;
        match &args.dir {
            None => printer.bytes(format!("---\n{yaml}").as_bytes())?,
            Some(folder) => {
                let file = folder.join(definition.file);
                fs::create_dir_all(folder)
                    .and_then(|()| fs::write(&file, yaml))
                    .with_context(|| format!("cannot write {}", file.display()))?;
            }
        }
    }
    Ok(Exit::Done)
}
