//! `mozart wait`: waits for the end of a job in a cluster.

use std::time::Duration;

use super::{exit::Exit, kubernetes::connect_here, printer::Printer, runtime};
use crate::cluster::await_job::{End, ended};

/// Arguments of `mozart wait`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart wait review -n team-a                    until it is complete, exit code 0, or has failed, 1\n  \
                         mozart wait review -n team-a --timeout 3600     an hour at most, then exit code 75"
)]
pub struct Args {
    /// The name of a `MozartJob`
    #[arg(value_name = "JOB")]
    job: String,
    /// Its namespace. Default: that of the kubeconfig
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// How long at most. Default: without an end
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

/// Resolves to how it ended.
pub fn execute(args: Args, printer: &Printer) -> anyhow::Result<Exit> {
    runtime()?.block_on(async {
        let client = connect_here().await?;
        let namespace = args.namespace.unwrap_or_else(|| client.default_namespace().to_owned());
        let limit = args.timeout.map_or(Duration::MAX, Duration::from_secs);
        let Ok(end) = tokio::time::timeout(limit, ended(&client, &namespace, &args.job)).await else {
            printer.line(format!("{} has not ended after {} s", args.job, limit.as_secs()))?;
            return Ok(Exit::Waiting);
        };
        let (word, exit) = match end? {
            End::Complete => ("complete", Exit::Done),
            End::Failed => ("failed", Exit::JobFailed),
        };
        printer.line(format!("{} {word}", args.job))?;
        Ok(exit)
    })
}
