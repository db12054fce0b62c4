//! `mozart schema`: the JSON Schema of the job file.

use super::{exit::Exit, printer::Printer};
use crate::job::load::{Form, schema_json};

/// Arguments of `mozart schema`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart schema > mozart.schema.json     for editors: # yaml-language-server: $schema=…\n  \
                         mozart schema --plain                 of the plain form, in snake_case"
)]
pub struct Args {
    /// Of the plain job file instead of the manifest
    #[arg(long)]
    plain: bool,
}

/// Prints the schema of one of the two forms.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let form = if args.plain { Form::Plain } else { Form::Manifest };
    printer.bytes(schema_json(form).as_bytes())?;
    Ok(Exit::Done)
}
