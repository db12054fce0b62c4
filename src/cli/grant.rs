//! `mozart grant`: the right to read one Secret.

use super::{exit::Exit, printer::Printer};
use crate::cluster::{operator::Scope, role::Installation};

/// Arguments of `mozart grant`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart grant -n team-a anthropic | kubectl apply -f -    the operator may read that Secret\n  \
                         mozart grant -n team-a anthropic --operator-namespace ops"
)]
pub struct Args {
    /// The Secret, of the type mozart.dev/credential or mozart.dev/webhook
    secret: String,
    /// Its namespace
    #[arg(short, long, value_name = "NAME")]
    namespace: String,
    /// The operator's account
    #[arg(long, value_name = "NAME", default_value = "mozart")]
    operator: String,
    /// The namespace that the operator runs in
    #[arg(long, value_name = "NAME", default_value = "mozart")]
    operator_namespace: String,
}

/// Prints a role of that one Secret, and gives it to the operator's account.
pub fn execute(args: Args, printer: &Printer) -> anyhow::Result<Exit> {
    let scope = Scope::Namespaces(vec![args.namespace.clone()]);
    let operator =
        Installation { name: args.operator, namespace: args.operator_namespace, scope, visitors: false };
    printer.bytes(operator.grant(&args.namespace, &args.secret)?.as_bytes())?;
    Ok(Exit::Done)
}
