//! A job of a cluster, as the API server tells every change of it.

use futures::StreamExt as _;
use kube::{ResourceExt as _, api::DynamicObject, runtime::watcher::watch_object};
use tokio::sync::mpsc;

use super::{Seen, Standing, show};
use crate::{
    cli::{
        exit::Exit,
        kubernetes::{
            KubernetesArguments,
            job::{Cluster, named, phase, status},
        },
        printer::Printer,
        status::cluster::{next_steps, used, why},
    },
    cluster::await_job::{End, end},
    engine::summary::Summary,
};

/// Shows it until it has ended.
pub async fn watch(
    job: Option<&str>,
    cluster: &KubernetesArguments,
    printer: &Printer,
) -> anyhow::Result<Exit> {
    let (place, name) = named(job, cluster).await?;
    let stop = cluster.typed(&format!("stop {name}"));
    show(seen(place, name), &stop, printer).await
}

fn seen(cluster: Cluster, name: &str) -> Seen {
    let (sender, seen) = mpsc::channel(1);
    let name = name.to_owned();
    tokio::spawn(async move {
        let mut changes = watch_object(cluster.jobs(), &name).boxed();
        while let Some(change) = changes.next().await {
            let standing = match change {
                Ok(Some(job)) => Ok(standing(&job, &cluster.said)),
                Ok(None) => Err(cluster.missing(&name).into()),
                // The watch is taken up again by itself; what it cannot mend is told once.
                Err(error) if is_passing(&error) => continue,
                Err(error) => {
                    Err(anyhow::Error::new(error).context(format!("the job {name} cannot be watched")))
                }
            };
            let failed = standing.is_err();
            if sender.send(standing).await.is_err() || failed {
                return;
            }
        }
    });
    seen
}

/// Whether a watch that broke off so is taken up again with success.
fn is_passing(error: &kube::runtime::watcher::Error) -> bool {
    use kube::runtime::watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        WatchError(_) | WatchFailed(_) => true,
        InitialListFailed(kube::Error::Api(answer)) | WatchStartFailed(kube::Error::Api(answer)) => {
            answer.code >= 500 || answer.code == 429
        }
        _ => false,
    }
}

fn standing(job: &DynamicObject, cluster: &KubernetesArguments) -> Standing {
    let status = status(job);
    let run = status.active_run.or(status.last_run.as_ref().map(|run| run.number));
    let name = match run {
        Some(run) => format!("{}/{run}", job.name_any()),
        None => job.name_any(),
    };
    let batches = status.batches.unwrap_or_default();
    let waiting = status.waiting.as_ref().map(|waiting| format!("waiting: {waiting}"));
    let over = end(job).map(|end| match end {
        End::Complete => Exit::Done,
        End::Failed => Exit::JobFailed,
    });
    let mut took: Vec<String> = status.duration.iter().cloned().collect();
    took.extend(used(&status));
    Standing {
        name,
        word: phase(status.phase),
        summary: Summary {
            total: batches.total,
            of_total: batches.of_total,
            succeeded: batches.succeeded,
            failed: batches.failed,
            running: batches.running,
            waiting: batches.waiting,
            pending: batches.pending,
            ..Summary::default()
        },
        took,
        why: why(&status).into_iter().next().or(waiting),
        next: if over.is_some() { next_steps(job, cluster) } else { Vec::new() },
        over,
    }
}
