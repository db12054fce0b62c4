//! `mozart rbac`: the account of the operator, and its rights.

use super::{exit::Exit, printer::Printer};
use crate::cluster::{
    admission,
    operator::Scope,
    role::{self, Installation},
};

/// Arguments of `mozart rbac`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart rbac | kubectl apply -f -               for an operator of the namespace mozart\n  \
                   mozart rbac -n ops --jobs-in a --jobs-in b     one in ops that runs the jobs of a and b\n  \
                   mozart rbac --all-namespaces                   one that runs the jobs of every namespace"
)]
pub struct Args {
    /// The namespace that the operator runs in
    #[arg(short, long, value_name = "NAME", default_value = "mozart")]
    namespace: String,
    /// A namespace whose jobs it runs, its own if none; may be given more often
    #[arg(long, value_name = "NAME", conflicts_with = "all_namespaces")]
    jobs_in: Vec<String>,
    /// It runs the jobs of every namespace
    #[arg(long)]
    all_namespaces: bool,
    /// It keeps history or shows the dashboard (`mozart operator --data`, `--dashboard`), and asks who may see what
    #[arg(long)]
    history: bool,
    /// The name of its account, its roles and its lease
    #[arg(long, value_name = "NAME", default_value = "mozart")]
    name: String,
    /// Print the admission policies instead: what the author of a job must be allowed to do himself
    #[arg(long)]
    policies: bool,
}

/// Prints the manifests as one YAML stream.
pub fn execute(args: Args, printer: &Printer) -> anyhow::Result<Exit> {
    let scope = Scope::of(args.all_namespaces, args.jobs_in, &args.namespace);
    let installation =
        Installation { name: args.name, namespace: args.namespace, scope, visitors: args.history };
    let yaml = if args.policies {
        role::stream(&admission::manifests(&installation))?
    } else {
        installation.yaml()?
    };
    printer.bytes(yaml.as_bytes())?;
    Ok(Exit::Done)
}
