//! What Pods that are still there have written and write, asked of the API server with the person's own rights.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context as _;
use futures::{AsyncBufReadExt as _, AsyncReadExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, LogParams},
};
use tokio::sync::mpsc;

use super::{Args, Stream, Texts, texts};
use crate::{
    cli::{exit::Exit, logs::write, printer::Printer, reach::Asked, summary, terminal::Tone},
    job::identity::AttemptKey,
    launch::pod::{
        names,
        said::{self, MOST_FINDINGS, Said},
        spec::CONTAINER,
    },
    show,
    store::record::{AttemptRecord, AttemptState, RunRecord},
};

/// An attempt says no more than 8 MiB.
const MOST: u64 = 9 << 20;
/// How often new Pods are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// The Pods of a run.
pub(super) struct Pods<'a> {
    asked: &'a Asked,
    api: Api<Pod>,
}

impl<'a> Pods<'a> {
    pub(super) fn of(asked: &'a Asked) -> Self {
        Self { asked, api: Api::namespaced(asked.client.clone(), &asked.namespace) }
    }

    /// Those that are there, by attempt.
    async fn list(&self) -> anyhow::Result<Vec<(AttemptKey, Pod)>> {
        let Some(run) = self.asked.run_id() else { return Ok(Vec::new()) };
        let selector = format!("{}={},{}={}", names::JOB_UID, run.job, names::RUN, run.run);
        let listed = self.api.list(&ListParams::default().labels(&selector)).await;
        let listed =
            listed.with_context(|| format!("the Pods of {} cannot be listed", self.asked.namespace))?;
        let key = |pod: Pod| Some((names::identity(pod.labels())?.1, pod));
        let mut pods: Vec<(AttemptKey, Pod)> = listed.items.into_iter().filter_map(key).collect();
        pods.sort_by_key(|(key, _)| *key);
        Ok(pods)
    }

    /// What the Pod of an attempt has written; `None` when it is gone, or does not say.
    pub(super) async fn text(&self, args: &Args, key: AttemptKey) -> Option<Texts> {
        let run = self.asked.run_id()?;
        self.read(args, &names::pod(&self.asked.name, &run, key)).await
    }

    async fn read(&self, args: &Args, name: &str) -> Option<Texts> {
        let parameters = LogParams { container: Some(CONTAINER.to_owned()), ..LogParams::default() };
        let log = self.api.log_stream(name, &parameters).await.ok()?;
        let mut log = std::pin::pin!(log.take(MOST));
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let (mut findings, mut line) = (Vec::new(), Vec::new());
        while log.read_until(b'\n', &mut line).await.ok()? > 0 {
            let (said, text) = said::read(&line).unwrap_or((Said::Stderr, &line));
            match said {
                Said::Stdout | Said::Transcript => stdout.push_str(&String::from_utf8_lossy(text)),
                Said::Stderr => stderr.push_str(&String::from_utf8_lossy(text)),
                Said::Finding if findings.len() < MOST_FINDINGS => findings.extend(said::finding(text)),
                Said::Finding => {}
            }
            line.clear();
        }
        Some(texts(args, stdout, stderr, findings))
    }

    /// What all that are wanted have written. Their states are what their phases say.
    pub(super) async fn texts(&self, args: &Args) -> anyhow::Result<Vec<(AttemptRecord, Texts)>> {
        let mut found = Vec::new();
        for (key, pod) in self.list().await? {
            let attempt = record(key, &pod);
            let is_wanted = args.batch.as_ref().is_none_or(|wanted| wanted.contains(key.batch))
                && args.attempt.is_none_or(|ordinal| ordinal == key.ordinal)
                && (!args.failed || attempt.state == AttemptState::Failed);
            if is_wanted && let Some(texts) = self.read(args, &pod.name_any()).await {
                found.push((attempt, texts));
            }
        }
        Ok(found)
    }
}

/// What is known of an attempt by its Pod alone.
fn record(key: AttemptKey, pod: &Pod) -> AttemptRecord {
    let state = match pod.status.as_ref().and_then(|status| status.phase.as_deref()) {
        Some("Succeeded") => AttemptState::Succeeded,
        Some("Failed") => AttemptState::Failed,
        _ => AttemptState::Running,
    };
    AttemptRecord { state, ..AttemptRecord::begun(key, None) }
}

/// Shows what Pods write while they write it, each line with its attempt, until the run has ended.
pub(super) async fn follow(args: &Args, asked: &Asked, printer: &Printer) -> anyhow::Result<Exit> {
    let pods = Pods::of(asked);
    let (sender, mut lines) = mpsc::channel::<(AttemptKey, Vec<u8>)>(1024);
    let mut followed: BTreeSet<String> = BTreeSet::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            Some((key, line)) = lines.recv() => tell(args, key, &line, printer)?,
            _ = look.tick() => {
                // Asked before the Pods: what is written until now is shown before the end is believed.
                let ended = asked.again().await?.filter(crate::engine::ledger::Ledger::is_over);
                for (key, pod) in pods.list().await? {
                    let is_wanted = args.batch.as_ref().is_none_or(|wanted| wanted.contains(key.batch));
                    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                    if is_wanted && phase != Some("Pending") && followed.insert(pod.name_any()) {
                        tasks.spawn(pass_on(pods.api.clone(), pod.name_any(), key, sender.clone()));
                    }
                }
                while tasks.try_join_next().is_some() {}
                if let Some(ledger) = ended.filter(|_| tasks.is_empty() && lines.is_empty()) {
                    let run = RunRecord::of(&asked.name, &ledger);
                    let (word, _) = summary::state(run.state);
                    printer.note(format!("{} {word}: {}", run.id, summary::counts(&run)));
                    return Ok(Exit::Done);
                }
            }
        }
    }
}

async fn pass_on(api: Api<Pod>, pod: String, key: AttemptKey, to: mpsc::Sender<(AttemptKey, Vec<u8>)>) {
    let container = Some(CONTAINER.to_owned());
    let parameters = LogParams { container, follow: true, ..LogParams::default() };
    let log = match api.log_stream(&pod, &parameters).await {
        Ok(log) => log,
        Err(error) => {
            tracing::warn!(pod, %error, "the log of a Pod cannot be read");
            return;
        }
    };
    let mut log = std::pin::pin!(log.take(MOST));
    let mut line = Vec::new();
    while matches!(log.read_until(b'\n', &mut line).await, Ok(1..)) {
        if to.send((key, std::mem::take(&mut line))).await.is_err() {
            return;
        }
    }
}

fn tell(args: &Args, key: AttemptKey, line: &[u8], printer: &Printer) -> anyhow::Result<()> {
    let (said, text) = said::read(line).unwrap_or((Said::Stderr, line));
    if said == Said::Finding || (said == Said::Stderr) != (args.stream() == Stream::Stderr) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(text);
    let text = text.trim_end_matches('\n');
    let readable = said == Said::Transcript && !args.raw;
    let shown = if readable { show::said::lines(text, &printer.out) } else { vec![text.to_owned()] };
    let prefix = printer.out.paint(Tone::Quiet, format!("{key} |"));
    shown.iter().try_for_each(|line| write(&format!("{prefix} {line}"), args.raw, printer))
}
