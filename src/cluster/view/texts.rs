//! What attempts were asked and wrote, and why one sees nothing of it.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use super::{Cluster, ClusterView, failed, prompt::NoPlan};
use crate::{
    cluster::visitors::Deed,
    dashboard::view::{Piece, PodEntry, Text, TextKind, ViewError},
    history::Reader,
    job::{
        finding::Finding,
        identity::{AttemptKey, RunId},
    },
    launch::pod::{names, spec::CONTAINER},
};

/// What is done so that more is kept.
const WITH_A_VOLUME: &str =
    "this operator keeps nothing of it: with a volume it does (history.enabled of the chart, --data)";

impl ClusterView {
    /// A piece of a text: from the volume, else from the attempt's Pod while that is there.
    pub(super) async fn text_of(
        &self,
        run: &RunId,
        key: AttemptKey,
        text: TextKind,
        piece: Piece,
    ) -> Result<Option<Text>, ViewError> {
        let kept = match self.reader_of(run).await? {
            Some(reader) => kept(&reader, run, key, text, piece).await?,
            None => None,
        };
        match (kept, text) {
            (Some(kept), _) => Ok(Some(kept)),
            (None, TextKind::Stdout | TextKind::Stderr) => self.said(run, key, text, piece).await,
            (None, TextKind::Prompt) => {
                Ok(self.prompt(run, key).await?.ok().map(|prompt| Text::of(prompt.as_bytes(), piece)))
            }
            (None, TextKind::Answer) => Ok(None),
        }
    }

    /// The Pod of an attempt, be it there or not.
    pub(super) async fn pod_of(&self, run: &RunId, key: AttemptKey) -> Result<Option<PodEntry>, ViewError> {
        let Some((namespace, job)) = self.name_of(run) else { return Ok(None) };
        let known = self.present(run);
        if known.as_ref().is_some_and(|(_, job)| job.in_process) {
            return Ok(None);
        }
        let name = names::pod(&job, run, key);
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &namespace);
        let found = api.get_metadata_opt(&name).await.map_err(failed("the Pod cannot be looked for"))?;
        let container = CONTAINER.to_owned();
        Ok(Some(PodEntry { namespace, name, container, is_there: found.is_some() }))
    }

    /// What its validations found: from the volume, else from the attempt's Pod while that is there.
    pub(super) async fn findings_of(&self, run: &RunId, key: AttemptKey) -> Result<Vec<Finding>, ViewError> {
        if let Some(reader) = self.reader_of(run).await? {
            let run = run.clone();
            let read = tokio::task::spawn_blocking(move || reader.findings(&run, key)).await;
            let kept = read.map_err(failed("the validations cannot be read"))?;
            return Ok(kept.unwrap_or_default());
        }
        let Cluster { client, live, .. } = &*self.cluster;
        match self.speaker(run, key).await? {
            Some((namespace, pod)) => Ok(live.findings(client, (&namespace, pod), (run, key)).await),
            None => Ok(Vec::new()),
        }
    }

    /// What its Pod has said by now.
    async fn said(
        &self,
        run: &RunId,
        key: AttemptKey,
        text: TextKind,
        piece: Piece,
    ) -> Result<Option<Text>, ViewError> {
        let Cluster { client, live, .. } = &*self.cluster;
        match self.speaker(run, key).await? {
            Some((namespace, pod)) => Ok(live.text(client, (&namespace, pod), (run, key), text, piece).await),
            None => Ok(None),
        }
    }

    /// The namespace and name of an attempt's Pod, if he may read its log; of one that has ended only where no volume
    /// has that.
    async fn speaker(&self, run: &RunId, key: AttemptKey) -> Result<Option<(String, String)>, ViewError> {
        let Some((namespace, job)) = self.name_of(run) else { return Ok(None) };
        if self.cluster.archive.is_some() && !self.runs(run, key) {
            return Ok(None);
        }
        let pod = names::pod(&job, run, key);
        let may = self.may(&Deed::log(&namespace, &pod)).await?;
        Ok(may.then_some((namespace, pod)))
    }

    /// Whether the attempt runs, as the checkpoint has it.
    fn runs(&self, run: &RunId, key: AttemptKey) -> bool {
        self.present(run).is_some_and(|(_, job)| {
            job.ledger.as_ref().is_some_and(|ledger| {
                ledger.seen.contains(key.batch)
                    && !ledger.is_finished(key.batch)
                    && ledger.present_attempt(key.batch) == Some(key)
            })
        })
    }

    /// Why a text is not there; `None` where it may still come, or nothing more is known.
    pub(super) async fn absence_of(
        &self,
        run: &RunId,
        key: AttemptKey,
        text: TextKind,
    ) -> Result<Option<String>, ViewError> {
        self.check_run(run).await?;
        let Some((namespace, job)) = self.name_of(run) else { return Ok(None) };
        let is_kept = self.cluster.archive.is_some();
        let runs = self.runs(run, key);
        Ok(match text {
            TextKind::Stdout | TextKind::Stderr if runs || !is_kept => {
                let log = Deed::log(&namespace, &names::pod(&job, run, key));
                if !self.may(&log).await? {
                    let later = if is_kept { ", or wait until it has ended" } else { "" };
                    Some(format!("{} may not {log}: ask for the role view{later}.", self.who()))
                } else if runs {
                    None
                } else {
                    Some(format!("Its Pod is not there, and {WITH_A_VOLUME}."))
                }
            }
            TextKind::Answer if !is_kept => Some(format!(
                "`mozart output -n {namespace} {job}` reads answers that are in ConfigMaps; {WITH_A_VOLUME}."
            )),
            TextKind::Stdout | TextKind::Stderr | TextKind::Answer => None,
            TextKind::Prompt => match self.prompt(run, key).await? {
                Ok(_) => None,
                Err(NoPlan::Withheld(why)) => Some(why),
                Err(NoPlan::Gone) => {
                    Some("The plan that it is rendered from went with its job, or with its run.".to_owned())
                }
                Err(NoPlan::Unread(why)) => Some(format!("It cannot be rendered again: {why}.")),
            },
        })
    }
}

/// A piece of a text that is on the volume.
async fn kept(
    reader: &Reader,
    run: &RunId,
    key: AttemptKey,
    text: TextKind,
    piece: Piece,
) -> Result<Option<Text>, ViewError> {
    let unreadable = "a text of the attempt cannot be read";
    let files = reader.files(run, key);
    let path = match text {
        TextKind::Prompt => return Ok(None),
        TextKind::Stdout => files.stdout(),
        TextKind::Stderr => files.stderr(),
        TextKind::Answer => {
            let answer = reader.kept_answer(run, key.batch).await.map_err(failed(unreadable))?;
            return Ok(answer.map(|(answer, _)| Text::of(answer.as_bytes(), piece)));
        }
    };
    let read = tokio::task::spawn_blocking(move || Text::read(&path, piece)).await;
    read.map_err(std::io::Error::other).flatten().map_err(failed(unreadable))
}
