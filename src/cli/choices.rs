//! What several commands take: which run, and in what form.

use clap_complete::engine::ArgValueCandidates;

/// Which run is meant.
#[derive(Clone, Debug, clap::Args)]
pub struct JobArgument {
    /// A job's name (its last run) or a run's id such as review/3; by default the run last used here
    #[arg(value_name = "JOB", add = ArgValueCandidates::new(super::reading::candidates))]
    pub job: Option<String>,
}

/// The form of what is one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For people
    #[default]
    Text,
    /// One JSON value
    Json,
}

/// The form of what is a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ListForm {
    /// For people
    #[default]
    Table,
    /// One JSON array
    Json,
    /// An id a line
    Name,
}

/// `-o text|json`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct FormArgument {
    /// The form: text or json
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORM",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub form: Form,
}

/// `-o table|json|name`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ListFormArgument {
    /// The form: table, json or name
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORM",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub form: ListForm,
}
