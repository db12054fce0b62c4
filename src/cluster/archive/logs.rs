//! What Pods wrote, copied when they have ended, beside everything else.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use futures::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::LogParams};
use tokio::{
    fs::{self, File},
    io::{AsyncWriteExt as _, BufWriter},
    sync::{Semaphore, mpsc},
};

use super::Archive;
use crate::{
    backend::claude_cli::answer_in,
    job::{files::AttemptFiles, finding::Finding},
    launch::pod::{
        EndedPod, HOLD,
        said::{self, MOST_FINDINGS, Said},
        spec::CONTAINER,
    },
    store::NewAnswer,
};

/// An attempt says no more than 8 MiB; what goes on is none of ours.
const MOST: u64 = 9 << 20;
/// So many logs are copied at a time.
const AT_ONCE: usize = 8;
/// What is left of the time that a Pod is held is for saying that its log could not be had.
const PATIENCE: Duration = HOLD.saturating_sub(Duration::from_secs(2));

/// Begins to copy the logs of the Pods that it is told of; ends with the last sender.
pub fn copy_logs(archive: Archive, client: Client) -> mpsc::UnboundedSender<EndedPod> {
    let (sender, mut ended) = mpsc::unbounded_channel::<EndedPod>();
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    tokio::spawn(async move {
        while let Some(pod) = ended.recv().await {
            let (archive, client, turns) = (archive.clone(), client.clone(), Arc::clone(&turns));
            tokio::spawn(async move {
                // Closed never.
                let _turn = turns.acquire().await;
                // Who waited for longer has let it go.
                if !pod.done.is_closed() {
                    keep(&archive, &client, pod).await;
                }
            });
        }
    });
    sender
}

async fn keep(archive: &Archive, client: &Client, pod: EndedPod) {
    let copied = tokio::time::timeout(PATIENCE, copy(archive, client, &pod)).await;
    let copied = copied.unwrap_or_else(|late| Err(late.to_string()));
    let answer = match copied {
        Ok(answer) => answer,
        Err(error) => {
            let text = format!("[mozart: what this attempt wrote could not be copied: {error}]\n");
            let path = archive.home().attempt(&pod.run, pod.key).stderr();
            if let Err(second) = write(path, text.as_bytes()).await {
                tracing::debug!(pod.name, error, %second, "the log of a Pod is lost");
            }
            None
        }
    };
    // Whoever waited may have gone on.
    let _ = pod.done.send(());
    if let Some(((kept, facts), answer)) = pod.answer.zip(answer) {
        let answer = NewAnswer { run: pod.run.clone(), key: pod.key, stays: kept.stays, answer, facts };
        if let Err(error) = archive.keep(answer).await {
            tracing::warn!(pod.name, %error, "the answer of a batch is not kept; its workspace has what it made");
        }
    }
    archive.shared.copied().add(&pod.run, pod.key);
}

/// Copies the log; returns the answer in it.
async fn copy(archive: &Archive, client: &Client, pod: &EndedPod) -> Result<Option<String>, String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let parameters = LogParams { container: Some(CONTAINER.to_owned()), ..LogParams::default() };
    let log = api.log_stream(&pod.name, &parameters).await.map_err(|error| error.to_string())?;
    let files = archive.home().attempt(&pod.run, pod.key);
    let copy = Copy::begin(&files, pod.answer.is_some());
    let copied = copy.all(std::pin::pin!(log.take(MOST))).await;
    let (answer, bytes) = copied.map_err(|error| error.to_string())?;
    archive.logs.grown(bytes).await;
    Ok(answer)
}

/// A copy that is being made.
struct Copy {
    stdout: Half,
    stderr: Half,
    /// What was said on standard output, where it is the answer.
    said: Option<String>,
    /// The last result of a transcript.
    result: Option<String>,
    findings: Vec<Finding>,
    checks: PathBuf,
}

impl Copy {
    fn begin(files: &AttemptFiles, answer: bool) -> Self {
        Self {
            stdout: Half::new(files.stdout()),
            stderr: Half::new(files.stderr()),
            said: answer.then(String::new),
            result: None,
            findings: Vec::new(),
            checks: files.findings(),
        }
    }

    async fn all(mut self, mut log: impl AsyncBufRead + Unpin) -> io::Result<(Option<String>, u64)> {
        let mut line = Vec::new();
        while log.read_until(b'\n', &mut line).await? > 0 {
            self.line(&line).await?;
            line.clear();
        }
        let mut bytes = self.stdout.finish().await? + self.stderr.finish().await?;
        if !self.findings.is_empty() {
            let text = serde_json::to_vec(&self.findings).map_err(io::Error::other)?;
            bytes += text.len() as u64;
            write(self.checks, &text).await?;
        }
        let said = self.said.filter(|said| !said.is_empty());
        Ok((self.result.or(said), bytes))
    }

    async fn line(&mut self, line: &[u8]) -> io::Result<()> {
        // What the attempt did not write is of its container.
        let (said, text) = said::read(line).unwrap_or((Said::Stderr, line));
        match said {
            Said::Stderr => return self.stderr.write(text).await,
            Said::Finding => {
                let room = self.findings.len() < MOST_FINDINGS;
                self.findings.extend(said::finding(text).filter(|_| room));
                return Ok(());
            }
            Said::Stdout => {
                if let Some(said) = &mut self.said {
                    said.push_str(&String::from_utf8_lossy(text));
                }
            }
            Said::Transcript => {
                if let Some(result) = answer_in(text.trim_ascii_end()).filter(|_| self.said.is_some()) {
                    self.result = Some(result);
                }
            }
        }
        self.stdout.write(text).await
    }
}

/// One of the files; made when there is something to write, and under its name when it is whole.
struct Half {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    bytes: u64,
}

impl Half {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, bytes: 0 }
    }

    fn draft(&self) -> PathBuf {
        self.path.with_extension("part")
    }

    async fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder).await?;
            }
            self.file = Some(BufWriter::new(File::create(self.draft()).await?));
        }
        self.bytes += text.len() as u64;
        match &mut self.file {
            Some(file) => file.write_all(text).await,
            None => Ok(()),
        }
    }

    async fn finish(&mut self) -> io::Result<u64> {
        if let Some(mut file) = self.file.take() {
            file.flush().await?;
            fs::rename(self.draft(), &self.path).await?;
        }
        Ok(self.bytes)
    }
}

async fn write(path: PathBuf, text: &[u8]) -> io::Result<()> {
    let mut half = Half::new(path);
    half.write(text).await?;
    half.finish().await.map(drop)
}
