//! `mozart release`: lets go of Pods that wait for an operator which is no more.

use super::{exit::Exit, kubernetes::connect_here, printer::Printer, runtime};
use crate::cluster::{operator::Scope, release};

/// Arguments of `mozart release`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart release -n team-a            let that namespace be deleted\n  \
                         mozart release --all-namespaces     after the last operator of a cluster has gone")]
pub struct Args {
    /// A namespace whose Pods are let go; may be given more than once. Default: that of the kubeconfig
    #[arg(short, long, value_name = "NAME", conflicts_with = "all_namespaces")]
    namespace: Vec<String>,
    /// Those of every namespace
    #[arg(long)]
    all_namespaces: bool,
    /// An operator's Deployment, in the namespace of the kubeconfig, that is scaled to 0 first
    ///
    /// Pods are let go when its own are gone. An operator that runs lets go by itself, and takes up new ones.
    #[arg(long, value_name = "DEPLOYMENT")]
    after_stopping: Option<String>,
}

/// Says how many there were.
pub fn execute(args: Args, printer: &Printer) -> anyhow::Result<Exit> {
    runtime()?.block_on(async {
        let client = connect_here().await?;
        let own = client.default_namespace().to_owned();
        if let Some(deployment) = &args.after_stopping {
            release::stop(&client, &own, deployment).await?;
        }
        let scope = Scope::of(args.all_namespaces, args.namespace, &own);
        let released = release::release(&client, &scope).await?;
        printer.line(format!("{released} Pods let go"))?;
        Ok(Exit::Done)
    })
}
