//! What several commands take: which run, and in what form.

use clap::ValueEnum;
use clap_complete::engine::ArgValueCandidates;

/// Which run is meant.
#[derive(Clone, Debug, clap::Args)]
pub struct JobArgument {
    /// A job's name (its last run) or a run's id such as review/3; by default the run last used here
    #[arg(value_name = "JOB", add = ArgValueCandidates::new(super::reading::candidates))]
    pub job: Option<String>,
}

/// The form of what is one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    #[default]
    Text,
    /// One JSON value
    Json,
}

/// The form of what is a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListForm {
    /// For people
    #[default]
    Table,
    /// One JSON array
    Json,
    /// An id a line
    Name,
}

/// The form of a list of jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum JobsForm {
    /// For people
    #[default]
    Table,
    /// The same with more columns
    Wide,
    /// One JSON array
    Json,
    /// The same as YAML
    Yaml,
    /// An id a line
    Name,
}

/// The form of a job or a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ObjectForm {
    /// For people
    #[default]
    Text,
    /// The same with more lines
    Wide,
    /// One JSON value
    Json,
    /// The same as YAML
    Yaml,
    /// Its id
    Name,
}

/// `-o FORM`, one of the values of `F`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct FormArgument<F: ValueEnum + Default + Send + Sync + 'static = Form> {
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORM",
        help = help::<F>(),
        value_enum,
        hide_possible_values = true
    )]
    form: Option<F>,
}

impl<F: ValueEnum + Default + Send + Sync + 'static> FormArgument<F> {
    /// The form that was asked for, or the first. (`default_value_t` would give all of them the default of one `F`.)
    pub fn get(&self) -> F {
        self.form.clone().unwrap_or_default()
    }
}

/// `The form: table (default), json or name`.
fn help<F: ValueEnum + Default>() -> String {
    let name = |value: &F| value.to_possible_value().map(|value| value.get_name().to_owned());
    let default = name(&F::default());
    let named = F::value_variants().iter().filter_map(name);
    let names: Vec<String> = named
        .map(|name| if Some(&name) == default.as_ref() { format!("{name} (default)") } else { name })
        .collect();
    match names.split_last() {
        Some((last, before @ [_, ..])) => format!("The form: {} or {last}", before.join(", ")),
        _ => format!("The form: {}", names.concat()),
    }
}
