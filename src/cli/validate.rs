//! `mozart validate`: job files without running anything.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    choices::{Form, FormArgument},
    describe,
    exit::Exit,
    loading,
    printer::Printer,
};
use crate::job::load::{Loaded, Overrides, load};

/// Arguments of `mozart validate`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart validate job.yaml\n  \
                         mozart validate jobs/*.yaml -o json     for CI: every problem with its place")]
pub struct Args {
    /// The job files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Set a field as if it stood in the file, such as batch.size=5; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = loading::setting)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    form: FormArgument,
}

/// A job file as `-o json` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict<'a> {
    file: &'a Path,
    valid: bool,
    problems: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<describe::Summary<'a>>,
}

/// Checks every file, all problems at once; exit 2 when one of them cannot be run.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let overrides = Overrides { set: args.set.clone(), ..Overrides::default() };
    let mut exit = Exit::Done;
    let mut results = Vec::new();
    for file in &args.files {
        let loaded = load(file, &overrides, &loading::sources(file)?);
        if loaded.is_err() {
            exit = Exit::BadInput;
        }
        results.push((file.as_path(), loaded));
    }
    if args.form.get() == Form::Json {
        let verdicts = results.iter().map(|(file, loaded)| match loaded {
            Ok(Loaded { job, warnings }) => {
                let job = Some(describe::Summary::of(job));
                Verdict { file, valid: true, problems: warnings.to_json(), job }
            }
            Err(problems) => Verdict { file, valid: false, problems: problems.to_json(), job: None },
        });
        printer.json(&verdicts.collect::<Vec<_>>())?;
        return Ok(exit);
    }
    for (file, loaded) in &results {
        match loaded {
            Ok(Loaded { job, warnings }) => {
                loading::tell(warnings, printer);
                printer.line(format_args!("{}: valid", file.display()))?;
                for line in describe::lines(job, &printer.out).into_iter().chain(describe::worst_case(job)) {
                    printer.line(format_args!("  {line}"))?;
                }
            }
            Err(problems) => loading::tell(problems, printer),
        }
    }
    Ok(exit)
}
