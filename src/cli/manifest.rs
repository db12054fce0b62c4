//! `mozart manifest`: a job file as a Kubernetes manifest.

use std::path::PathBuf;

use super::{error::Told, exit::Exit, loading, printer::Printer};
use crate::job::load::manifest_yaml;

/// Arguments of `mozart manifest`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart manifest job.yaml > manifest.yaml\n  \
                         mozart manifest job.yaml | kubectl apply -f -")]
pub struct Args {
    /// The job file; what a plain one means otherwise as a manifest stands as a comment above it
    file: PathBuf,
}

/// Prints the manifest; what the file names is not read.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    match manifest_yaml(&args.file) {
        Ok((yaml, warnings)) => {
            loading::tell(&warnings, printer);
            printer.bytes(yaml.as_bytes())?;
            Ok(Exit::Done)
        }
        Err(problems) => {
            loading::tell(&problems, printer);
            Err(Told.into())
        }
    }
}
