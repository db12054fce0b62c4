//! `mozart validate`: job files without running anything.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    choices::{Form, FormArgument},
    exit::Exit,
    format, loading,
    printer::Printer,
};
use crate::job::{model::Job, problem::Problems};

/// Arguments of `mozart validate`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart validate job.yaml\n  \
                         mozart validate jobs/*.yaml -o json     for CI: every problem with its place")]
pub struct Args {
    /// The job files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Set a field as if it stood in the file, such as batch.size=5
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    form: FormArgument,
}

/// A job file as `-o json` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    file: PathBuf,
    valid: bool,
    problems: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Plan>,
}

/// What a job would do, in numbers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    name: String,
    backend: &'static str,
    model: Option<String>,
    batches: u32,
    items: u32,
    parallelism: u32,
    workspace: PathBuf,
}
