//! The jobs of a cluster that a shell may complete `JOB` with.

use std::{path::PathBuf, time::Duration};

use clap_complete::CompletionCandidate;
use kube::{ResourceExt as _, api::ListParams};

use super::KubernetesArguments;
use crate::cli::runtime;

/// A person waits at the prompt.
const PATIENCE: Duration = Duration::from_secs(2);

/// The jobs of the cluster that the words to be completed name; `None` where they name none.
pub fn candidates(words: impl Iterator<Item = String>) -> Option<Vec<CompletionCandidate>> {
    let cluster = mentioned(words);
    if !cluster.is_given() {
        return None;
    }
    let names = async {
        let place = cluster.cluster().await.ok()?;
        let jobs = place.jobs().list_metadata(&ListParams::default()).await.ok()?;
        Some(jobs.items.iter().map(|job| CompletionCandidate::new(job.name_any())).collect())
    };
    let runtime = runtime().ok()?;
    Some(
        runtime
            .block_on(async { tokio::time::timeout(PATIENCE, names).await.ok().flatten() })
            .unwrap_or_default(),
    )
}

/// What the words say of a cluster.
fn mentioned(words: impl Iterator<Item = String>) -> KubernetesArguments {
    let mut said = KubernetesArguments::default();
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let (flag, mut value) = match word.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        let mut value = || value.take().or_else(|| words.peek().cloned());
        match flag.as_str() {
            "-n" | "--namespace" => said.namespace = value(),
            "--context" => said.context = value(),
            "--kubeconfig" => said.kubeconfig = value().map(PathBuf::from),
            "--cluster" => said.cluster = true,
            _ => {}
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_name_a_cluster_are_understood_before_they_are_whole() {
        let of = |line: &str| mentioned(line.split(' ').map(ToOwned::to_owned));
        assert_eq!(of("mozart stop -n team-a re").namespace.as_deref(), Some("team-a"));
        assert_eq!(of("mozart stop --context=east --kubeconfig a re").context.as_deref(), Some("east"));
        assert!(of("mozart stop --cluster re").cluster);
        assert!(!of("mozart stop re").is_given());
    }
}
