//! `mozart credential`: the limits of credentials, as every Mozart of this user shares them, or as a cluster keeps them.

#[cfg(feature = "cluster")]
mod cluster;

use jiff::{Timestamp, tz::TimeZone};

#[cfg(feature = "cluster")]
use super::kubernetes::KubernetesArguments;
use super::{
    choices::{FormArgument, ListForm},
    error::Advised,
    exit::Exit,
    format,
    printer::Printer,
    table::{Cell, Table},
    terminal::Tone,
};
use crate::{
    driver::ports::Gates as _,
    engine::gate::{GateReport, GateState},
    store::{
        gates::{FileGates, NamedGate},
        home::Home,
    },
};

/// Why a gate is held that a person closed.
const PAUSED: &str = "paused by `mozart credential pause`";

/// Arguments of `mozart credential`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart credential list       which limits hold, until when, and why\n  \
                         mozart credential resume     go on after topping up or logging in\n  \
                         mozart credential list -n team-a    those of a namespace of a cluster")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show the credentials that jobs have used, and their limits
    #[command(before_help = "  mozart credential list\n  mozart credential list -o json")]
    List {
        #[command(flatten)]
        form: FormArgument<ListForm>,
        #[cfg(feature = "cluster")]
        #[command(flatten)]
        cluster: KubernetesArguments,
    },
    /// Let batches start again; the first of them tries alone
    #[command(before_help = "  mozart credential resume               every one that waits for a person\n  \
                             mozart credential resume 3f2a9c01      one, by the key that list shows")]
    Resume {
        /// The key of one, or how it begins, in a cluster its name; by default all that wait for a person
        key: Option<String>,
        #[cfg(feature = "cluster")]
        #[command(flatten)]
        cluster: KubernetesArguments,
    },
    /// Let no batch start until it is resumed; what runs goes on
    #[command(
        before_help = "  mozart credential pause 3f2a9c01              one, by the key that list shows\n  \
                             mozart credential pause default -n team-a     one of a cluster"
    )]
    Pause {
        /// The key of one, or how it begins, in a cluster its name
        key: String,
        #[cfg(feature = "cluster")]
        #[command(flatten)]
        cluster: KubernetesArguments,
    },
}

/// Shows the gates, or opens them.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if in_cluster(&args.verb, printer)? {
        return Ok(Exit::Done);
    }
    let home = Home::of_environment()?;
    let gates = FileGates::list(&home)?;
    match &args.verb {
        Verb::List { form, .. } => list(&gates, form.get(), printer)?,
        Verb::Resume { key, .. } => resume(&home, gates, key.as_deref(), printer)?,
        Verb::Pause { key, .. } => pause(&home, gates, key, printer)?,
    }
    Ok(Exit::Done)
}

/// Does it in a cluster, if one is named.
#[cfg(feature = "cluster")]
fn in_cluster(verb: &Verb, printer: &Printer) -> anyhow::Result<bool> {
    let (Verb::List { cluster, .. } | Verb::Resume { cluster, .. } | Verb::Pause { cluster, .. }) = verb;
    if !cluster.is_given() {
        return Ok(false);
    }
    super::runtime()?.block_on(async {
        match verb {
            Verb::List { form, .. } => cluster::list(cluster, form.get(), printer).await,
            Verb::Resume { key, .. } => cluster::resume(cluster, key.as_deref(), printer).await,
            Verb::Pause { key, .. } => cluster::pause(cluster, key, printer).await,
        }
    })?;
    Ok(true)
}

fn list(gates: &[NamedGate], form: ListForm, printer: &Printer) -> anyhow::Result<()> {
    match form {
        ListForm::Json => printer.json(&gates)?,
        ListForm::Name => {
            for gate in gates {
                printer.line(&gate.name.key)?;
            }
        }
        ListForm::Table if gates.is_empty() => printer.note("no credential was limited yet"),
        ListForm::Table => printer.table(&table(gates, Timestamp::now(), &TimeZone::system()))?,
    }
    Ok(())
}

fn table(gates: &[NamedGate], now: Timestamp, zone: &TimeZone) -> Table {
    let mut table = Table::new(&["KEY", "CREDENTIAL", "MODELS", "STATE", "WHY"]);
    for NamedGate { name, gate } in gates {
        let (state, why) = match &gate.state {
            GateState::Open => (Cell::toned(Tone::Good, "open"), ""),
            GateState::Closed { until, cause, .. } => {
                let until = format!("closed until {}", format::until(*until, now, zone));
                (Cell::toned(Tone::Warning, until), cause.as_str())
            }
            GateState::Canary { cause, .. } => {
                (Cell::toned(Tone::Warning, "tried by one batch"), cause.as_str())
            }
            GateState::Held { cause, .. } => (Cell::toned(Tone::Bad, "waits for a person"), cause.as_str()),
        };
        let key = name.key.get(..8).unwrap_or(&name.key);
        table.row(vec![
            key.into(),
            name.credential.as_str().into(),
            name.family.as_str().into(),
            state,
            why.into(),
        ]);
    }
    table
}

/// The one whose key begins so.
fn one(gates: Vec<NamedGate>, key: &str) -> anyhow::Result<NamedGate> {
    let mut chosen = gates.into_iter().filter(|gate| gate.name.key.starts_with(key));
    match (chosen.next(), chosen.next()) {
        (Some(gate), None) => Ok(gate),
        (None, _) => {
            let hint = "mozart credential list shows the keys";
            Err(Advised::new(format!("no credential's key begins with `{key}`"), hint).into())
        }
        (Some(_), Some(_)) => {
            let hint = "write more of it";
            Err(Advised::new(format!("several credentials' keys begin with `{key}`"), hint).into())
        }
    }
}

fn pause(home: &Home, gates: Vec<NamedGate>, key: &str, printer: &Printer) -> anyhow::Result<()> {
    let NamedGate { name, .. } = one(gates, key)?;
    let words = format!("{} ({})", name.credential, name.family);
    let again = format!("mozart credential resume {}", name.key.get(..8).unwrap_or(&name.key));
    let gate = FileGates::open(home, name)?;
    let report = GateReport::Hold { cause: PAUSED.to_owned(), at: Timestamp::now() };
    super::runtime()?.block_on(gate.report(report))?;
    printer.note(format!("{words}: no batch starts, what runs goes on, until `{again}`"));
    Ok(())
}

fn resume(home: &Home, gates: Vec<NamedGate>, key: Option<&str>, printer: &Printer) -> anyhow::Result<()> {
    let chosen: Vec<NamedGate> = match key {
        Some(key) => vec![one(gates, key)?],
        None => gates.into_iter().filter(|gate| matches!(gate.gate.state, GateState::Held { .. })).collect(),
    };
    if chosen.is_empty() {
        printer.note("no credential waits for a person");
    }
    let runtime = super::runtime()?;
    for NamedGate { name, .. } in chosen {
        let words = format!("{} ({})", name.credential, name.family);
        let gate = FileGates::open(home, name)?;
        runtime.block_on(gate.report(GateReport::OpenedByHand { at: Timestamp::now() }))?;
        printer.note(format!("{words}: batches start again, one tries first"));
    }
    Ok(())
}
