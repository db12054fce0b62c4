//! `mozart network-policy`: what batches of a namespace may reach.

use super::{exit::Exit, printer::Printer};
use crate::cluster::{
    network::{self, Reached},
    role,
};

/// Arguments of `mozart network-policy`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart network-policy -n team-a | kubectl apply -f -    the outside, nothing inside\n  \
                         mozart network-policy -n team-a --allow 10.0.0.9/32:3128 --allow 10.20.0.0/16",
    after_help = "Batches reach DNS and port 443 of every address that is not private, and nobody reaches them. \
                  It holds where the cluster's network enforces policies."
)]
pub struct Args {
    /// The namespace of the jobs
    #[arg(short, long, value_name = "NAME")]
    namespace: String,
    /// Addresses that batches may reach too, at one port or at all; may be given more often
    #[arg(long, value_name = "CIDR[:PORT]")]
    allow: Vec<Reached>,
}

/// Prints the policy of all batches in the namespace.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let policy = network::of_batches(&args.namespace, &args.allow);
    printer.bytes(role::stream(&[policy])?.as_bytes())?;
    Ok(Exit::Done)
}
