//! `mozart wait`: nothing but the end of a job.

use std::time::Duration;

#[cfg(feature = "cluster")]
use super::kubernetes::{KubernetesArguments, job::named};
use super::{choices::JobArgument, exit::Exit, printer::Printer, runtime, watch};

/// Arguments of `mozart wait`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart wait review                              until it is complete, exit code 0, or has failed, 1\n  \
                         mozart wait review -n team-a --timeout 3600     a job of a cluster, an hour at most, then 75"
)]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    /// How long at most. Default: without an end
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    cluster: KubernetesArguments,
}

/// Resolves to how it ended.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    runtime()?.block_on(async {
        let limit = args.timeout.map_or(Duration::MAX, Duration::from_secs);
        let Ok(ended) = tokio::time::timeout(limit, ended(args)).await else {
            let job = args.job.job.as_deref().unwrap_or("the run");
            printer.line(format!("{job} has not ended after {} s", limit.as_secs()))?;
            return Ok(Exit::Waiting);
        };
        let (name, exit) = ended?;
        let word = if exit == Exit::Done { "complete" } else { "failed" };
        printer.line(format!("{name} {word}"))?;
        Ok(exit)
    })
}

/// What ended, and how.
async fn ended(args: &Args) -> anyhow::Result<(String, Exit)> {
    let job = args.job.job.as_deref();
    #[cfg(feature = "cluster")]
    if args.cluster.is_given() {
        use crate::cluster::await_job::{End, ended};
        let (place, name) = named(job, &args.cluster).await?;
        let exit = match ended(&place.client, &place.namespace, name).await? {
            End::Complete => Exit::Done,
            End::Failed => Exit::JobFailed,
        };
        return Ok((name.to_owned(), exit));
    }
    let mut seen = watch::seen_here(job);
    while let Some(standing) = seen.recv().await {
        let standing = standing?;
        if let Some(exit) = standing.over {
            return Ok((standing.name, exit));
        }
    }
    anyhow::bail!("the run is no longer looked at")
}
