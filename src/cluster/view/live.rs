//! What Pods that are there have written and write: followed in their logs, for as long as somebody looks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{AsyncBufRead, AsyncBufReadExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::LogParams};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use crate::{
    dashboard::view::{Piece, Text, TextKind},
    job::{
        finding::Finding,
        identity::{AttemptKey, RunId},
    },
    launch::pod::{
        said::{self, MOST_FINDINGS, Said},
        spec::CONTAINER,
    },
};

/// A log that nobody has looked at for so long is followed no longer.
const IDLE: Duration = Duration::from_secs(30);
/// A log that could not be had, or has ended, is asked for again after so long: the Pod may be starting.
const AGAIN: Duration = Duration::from_secs(2);
/// Who looks first waits so long for the end of a log: that of a Pod that has ended is there at once, and whole.
const AT_FIRST: Duration = Duration::from_millis(300);
/// The last so many bytes of each text are kept. The whole is copied to the volume when the Pod has ended.
const KEPT: usize = 512 << 10;
/// So many logs are followed at a time.
const MOST: usize = 64;

/// The logs that are followed.
#[derive(Debug, Default)]
pub(super) struct LiveLogs(Mutex<HashMap<(RunId, AttemptKey), Followed>>);

#[derive(Debug)]
struct Followed {
    texts: Arc<Mutex<Texts>>,
    used: Instant,
    begun: Instant,
    /// Whether it was read to its end, or could not be.
    over: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug, Default)]
struct Texts {
    stdout: Tail,
    stderr: Tail,
    findings: Vec<Finding>,
    /// The Pod was there, and had begun.
    found: bool,
}

/// The end of a text, and how much of it was before.
#[derive(Debug, Default)]
struct Tail {
    before: u64,
    bytes: Vec<u8>,
}

impl Tail {
    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        // Moved seldom, and then by much.
        if self.bytes.len() > 2 * KEPT {
            let gone = self.bytes.len() - KEPT;
            self.bytes.drain(..gone);
            self.before += gone as u64;
        }
    }

    fn piece(&self, piece: Piece) -> Text {
        let piece = match piece {
            Piece::From { offset, limit } => {
                Piece::From { offset: offset.saturating_sub(self.before), limit }
            }
            last @ Piece::Last(_) => last,
        };
        let text = Text::of(&self.bytes, piece);
        Text { offset: text.offset + self.before, total: text.total + self.before, bytes: text.bytes }
    }
}

impl Texts {
    fn line(&mut self, line: &[u8]) {
        // What the attempt did not write is of its container.
        let (said, text) = said::read(line).unwrap_or((Said::Stderr, line));
        match said {
            Said::Stdout | Said::Transcript => self.stdout.push(text),
            Said::Stderr => self.stderr.push(text),
            Said::Finding => {
                let room = self.findings.len() < MOST_FINDINGS;
                self.findings.extend(said::finding(text).filter(|_| room));
            }
        }
    }
}

impl LiveLogs {
    /// A piece of what the Pod of an attempt has written by now; `None` where it is not there or has not begun.
    pub(super) async fn text(
        &self,
        client: &Client,
        (namespace, pod): (&str, String),
        (run, key): (&RunId, AttemptKey),
        kind: TextKind,
        piece: Piece,
    ) -> Option<Text> {
        let texts = self.texts(client, (namespace, pod), (run, key)).await?;
        let texts = lock(&texts);
        match kind {
            _ if !texts.found => None,
            TextKind::Stdout => Some(texts.stdout.piece(piece)),
            TextKind::Stderr => Some(texts.stderr.piece(piece)),
            TextKind::Prompt | TextKind::Answer => None,
        }
    }

    /// What the validations of an attempt found, as its Pod says it.
    pub(super) async fn findings(
        &self,
        client: &Client,
        pod: (&str, String),
        attempt: (&RunId, AttemptKey),
    ) -> Vec<Finding> {
        let texts = self.texts(client, pod, attempt).await;
        texts.map(|texts| lock(&texts).findings.clone()).unwrap_or_default()
    }

    async fn texts(
        &self,
        client: &Client,
        pod: (&str, String),
        attempt: (&RunId, AttemptKey),
    ) -> Option<Arc<Mutex<Texts>>> {
        let (texts, mut over, is_new) = self.follow(client, pod, attempt)?;
        if is_new {
            // It goes on behind whoever does not wait for it.
            let _ = tokio::time::timeout(AT_FIRST, over.wait_for(|over| *over)).await;
        }
        Some(texts)
    }

    /// The log in hand, or one that is begun now; `None` where too many are.
    fn follow(
        &self,
        client: &Client,
        (namespace, pod): (&str, String),
        (run, key): (&RunId, AttemptKey),
    ) -> Option<(Arc<Mutex<Texts>>, watch::Receiver<bool>, bool)> {
        let now = Instant::now();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, one| now.duration_since(one.used) < IDLE);
        let name = (run.clone(), key);
        let known = open.get(&name);
        let stale = known.is_some_and(|one| one.task.is_finished() && now.duration_since(one.begun) > AGAIN);
        let is_new = stale || (known.is_none() && open.len() < MOST);
        if is_new {
            let texts = Arc::new(Mutex::new(Texts::default()));
            let (told, over) = watch::channel(false);
            let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
            let task = tokio::spawn({
                let texts = Arc::clone(&texts);
                async move {
                    follow(api, pod, &texts).await;
                    told.send_replace(true);
                }
            });
            open.insert(name.clone(), Followed { texts, used: now, begun: now, over, task });
        }
        let followed = open.get_mut(&name)?;
        followed.used = now;
        Some((Arc::clone(&followed.texts), followed.over.clone(), is_new))
    }
}

fn lock(texts: &Mutex<Texts>) -> MutexGuard<'_, Texts> {
    texts.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn follow(api: Api<Pod>, pod: String, texts: &Mutex<Texts>) {
    let container = Some(CONTAINER.to_owned());
    let parameters = LogParams { container, follow: true, ..LogParams::default() };
    match api.log_stream(&pod, &parameters).await {
        Ok(log) => {
            lock(texts).found = true;
            read(std::pin::pin!(log), texts).await;
        }
        // It has not started yet, is gone, or runs in the operator's process.
        Err(error) => tracing::debug!(pod, %error, "the log of a Pod is not followed for a page"),
    }
}

async fn read(mut log: impl AsyncBufRead + Unpin, texts: &Mutex<Texts>) {
    let mut line = Vec::new();
    while matches!(log.read_until(b'\n', &mut line).await, Ok(1..)) {
        lock(texts).line(&line);
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_log_keeps_its_end_and_counts_from_its_beginning() {
        let texts = Mutex::new(Texts::default());
        let lines: Vec<String> =
            (0..200_000).map(|number| format!("o 2026-01-01T00:00:00Z line {number:06}\n")).collect();
        let log = format!("e 2026-01-01T00:00:00Z to stderr\nof nobody\n{}", lines.concat());
        read(futures::io::Cursor::new(log.into_bytes()), &texts).await;
        let texts = texts.into_inner().unwrap();
        let all = Piece::From { offset: 0, limit: u64::MAX };
        assert_eq!(texts.stderr.piece(all).bytes, b"to stderr\nof nobody\n");
        let found = texts.stdout.piece(all);
        assert_eq!(found.total, 200_000 * 12);
        assert!(found.offset > 0 && found.bytes.len() >= KEPT && found.bytes.len() <= 2 * KEPT);
        assert_eq!(found.offset + found.bytes.len() as u64, found.total);
        assert!(found.bytes.ends_with(b"line 199999\n"));
        let at = 199_999 * 12;
        let last = texts.stdout.piece(Piece::From { offset: at, limit: 100 });
        assert_eq!((last.offset, last.bytes.as_slice()), (at, &b"line 199999\n"[..]));
    }
}
