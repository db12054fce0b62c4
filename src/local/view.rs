//! What the dashboard shows of this machine: the state folder of its user.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

use super::observe::{driver_of, waits_for};
use crate::{
    dashboard::view::{
        Driver, HistoryList, HistoryRun, HistoryWanted, JobEntry, Piece, Rights, RunEntry, Spec, Text,
        TextKind, View, ViewError,
    },
    engine::ledger::Ledger,
    history::{HistoryError, OutputPage, Reader, RunsCursor},
    job::{
        files::AttemptFiles,
        finding::Finding,
        identity::{AttemptKey, BatchNum, RunId},
    },
    launch::times,
    store::{
        home::Home,
        labels,
        record::{AttemptRecord, BatchRecord, BatchState, JobRecord},
        runs::RunsWanted,
    },
};

/// How often the state is looked at for what changed.
const LOOK: Duration = Duration::from_millis(250);
/// The largest job file that is shown, in bytes: larger ones are refused by the loader, too.
const JOB_FILE_MAX: u64 = 4 << 20;

/// The jobs of this machine's user.
#[derive(Debug)]
pub struct LocalView {
    home: Home,
    reader: RwLock<Arc<Reader>>,
    revision: watch::Sender<u64>,
    listed: Mutex<Option<Listed>>,
}

/// The jobs as they were a moment ago.
#[derive(Debug)]
struct Listed {
    revision: u64,
    at: Instant,
    jobs: Arc<Vec<JobEntry>>,
}

impl Listed {
    /// Whether it is not older than what changes are seen at. A process that ends changes no state, so that the revision
    /// alone does not tell.
    fn is_fresh(&self, revision: u64) -> bool {
        self.revision == revision && self.at.elapsed() < LOOK
    }
}

impl LocalView {
    /// Opens what there is; what comes later is found by [`LocalView::keep_looking`].
    ///
    /// # Errors
    /// The state folder's own files cannot be read.
    pub async fn open(home: Home) -> Result<Self, HistoryError> {
        let reader = Reader::open(&home).await?;
        Ok(Self {
            home,
            reader: RwLock::new(Arc::new(reader)),
            revision: watch::Sender::new(1),
            listed: Mutex::default(),
        })
    }

    /// Raises the revision whenever the state has changed, for as long as it is polled.
    pub async fn keep_looking(&self) {
        let mut files = self.files();
        let mut marks = self.reader().marks().await;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.files();
            if now != files {
                files = now;
                match Reader::open(&self.home).await {
                    Ok(reader) => {
                        *self.reader.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
                            Arc::new(reader);
                    }
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the state is not opened again"
                        );
                    }
                }
            }
            let seen = self.reader().marks().await;
            if seen != marks {
                marks = seen;
                self.revision.send_modify(|revision| *revision += 1);
            }
        }
    }

    /// What decides which state files there are.
    fn files(&self) -> [Option<SystemTime>; 3] {
        let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let is_there = |path: &Path| path.exists().then_some(SystemTime::UNIX_EPOCH);
        [is_there(&self.home.database()), is_there(&self.home.jobs()), changed(&self.home.elsewhere())]
    }

    /// Whoever asks for the jobs next sees what was done.
    pub(super) async fn forget_list(&self) {
        *self.listed.lock().await = None;
    }

    /// The state folder.
    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    /// The job as it is stored; `None` when it is gone.
    pub(super) async fn record(&self, job: &JobEntry) -> Result<Option<JobRecord>, HistoryError> {
        Ok(self.reader().jobs().await?.into_iter().find(|record| record.uid == job.uid))
    }

    pub(super) fn reader(&self) -> Arc<Reader> {
        Arc::clone(&self.reader.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    async fn entry(&self, job: JobRecord, last: Option<&Ledger>) -> JobEntry {
        let last = match last {
            None => None,
            Some(ledger) => Some(self.run_entry(&job.name, ledger).await),
        };
        let short = &job.uid.to_string()[..8];
        JobEntry {
            key: key_of(&job.name, job.uid),
            command_name: short.to_owned(),
            uid: job.uid,
            namespace: None,
            labels: BTreeMap::new(),
            conditions: last.as_ref().map(RunEntry::conditions).unwrap_or_default(),
            origin: job.file.display().to_string(),
            name: job.name,
            created: job.created,
            used: job.used,
            last,
            rights: Rights::default(),
        }
    }

    async fn run_entry(&self, job_name: &str, ledger: &Ledger) -> RunEntry {
        let driver = if ledger.is_over() { Ok(None) } else { driver_of(&self.home, ledger.run.job) };
        let holder = match driver {
            Ok(holder) => holder,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "who drives a job is not known");
                None
            }
        };
        let waiting = match &holder {
            Some(_) => waits_for(&self.home, ledger).await,
            None => None,
        };
        let driver = holder.map(|holder| Driver {
            name: format!("process {} on {}", holder.pid, holder.host),
            since: holder.since,
        });
        RunEntry::of(job_name, ledger, driver, waiting, Timestamp::now())
    }
}

impl View for LocalView {
    fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    async fn jobs(&self) -> Result<Arc<Vec<JobEntry>>, ViewError> {
        let revision = *self.revision.borrow();
        // Whoever comes meanwhile waits for the list that is being made, and makes none of his own.
        let mut listed = self.listed.lock().await;
        if let Some(listed) = listed.as_ref().filter(|listed| listed.is_fresh(revision)) {
            return Ok(Arc::clone(&listed.jobs));
        }
        let mut jobs = Vec::new();
        let found =
            self.reader().jobs_with_last_runs().await.map_err(unreadable("the jobs cannot be read"))?;
        for (job, last) in found {
            jobs.push(self.entry(job, last.as_ref()).await);
        }
        let jobs = Arc::new(jobs);
        *listed = Some(Listed { revision, at: Instant::now(), jobs: Arc::clone(&jobs) });
        Ok(jobs)
    }

    async fn job(&self, key: &str) -> Result<Option<JobEntry>, ViewError> {
        let Some((name, short)) = key.rsplit_once('-').filter(|(_, short)| short.len() == 8) else {
            return Ok(None);
        };
        let reader = self.reader();
        let jobs = reader.jobs_called(name).await.map_err(unreadable("the jobs cannot be read"))?;
        let found = jobs.into_iter().find(|job| job.uid.to_string().starts_with(short));
        let Some(job) = found else { return Ok(None) };
        let last = reader.last_run(job.uid).await.map_err(unreadable("the jobs cannot be read"))?;
        Ok(Some(self.entry(job, last.as_ref()).await))
    }

    async fn run(&self, job: &JobEntry, run: u32) -> Result<Option<RunEntry>, ViewError> {
        let id = RunId { job: job.uid, run };
        let ledger = self.reader().ledger(&id).await.map_err(unreadable("the run cannot be read"))?;
        match ledger {
            None => Ok(None),
            Some(ledger) => Ok(Some(self.run_entry(&job.name, &ledger).await)),
        }
    }

    async fn batches(
        &self,
        run: &RunId,
        state: Option<BatchState>,
        after: BatchNum,
        limit: u32,
    ) -> Result<Vec<BatchRecord>, ViewError> {
        self.reader()
            .batches(run, state, after, limit)
            .await
            .map_err(unreadable("the batches cannot be read"))
    }

    async fn history(
        &self,
        wanted: &HistoryWanted,
        after: Option<String>,
        limit: u32,
    ) -> Result<Option<HistoryList>, ViewError> {
        let after = match after.as_deref().map(RunsCursor::read) {
            Some(None) => return Ok(None),
            cursor => cursor.flatten(),
        };
        let HistoryWanted { job, name, phase, since } = wanted;
        let job = job.as_ref().map(|job| job.uid);
        let wanted = RunsWanted { job, name: name.clone(), phase: *phase, since: *since, folders: None };
        let found = self.reader().list_runs(&wanted, after, limit).await;
        let found = found.map_err(unreadable("the runs cannot be read"))?;
        let mut runs = Vec::with_capacity(found.runs.len());
        for listed in found.runs {
            let run = self.run_entry(&listed.job_name, &listed.ledger).await;
            runs.push(HistoryRun {
                job_key: key_of(&listed.job_name, run.id.job),
                job_name: listed.job_name,
                run,
            });
        }
        Ok(Some(HistoryList { runs, next: found.next.map(RunsCursor::text) }))
    }

    async fn attempts_between(
        &self,
        run: &RunId,
        first: BatchNum,
        last: BatchNum,
    ) -> Result<Vec<AttemptRecord>, ViewError> {
        let found = self.reader().attempts_between(run, first, last).await;
        found.map_err(unreadable("the attempts cannot be read"))
    }

    async fn labels(
        &self,
        run: &RunId,
        first: BatchNum,
        last: BatchNum,
    ) -> Result<BTreeMap<BatchNum, String>, ViewError> {
        let (home, run) = (self.home.clone(), run.clone());
        let read = blocking(move || labels::load(&home, &run, first, last)).await;
        read.map_err(|source| ViewError { context: "the labels cannot be read", source: source.into() })
    }

    async fn attempts(&self, run: &RunId, batch: BatchNum) -> Result<Vec<AttemptRecord>, ViewError> {
        self.reader().attempts(run, batch).await.map_err(unreadable("the attempts cannot be read"))
    }

    async fn findings(&self, run: &RunId, key: AttemptKey) -> Result<Vec<Finding>, ViewError> {
        let (reader, run) = (self.reader(), run.clone());
        let read = blocking(move || Ok(reader.findings(&run, key).unwrap_or_default())).await;
        read.map_err(|source| ViewError { context: "the validations cannot be read", source: source.into() })
    }

    async fn text(
        &self,
        run: &RunId,
        key: AttemptKey,
        text: TextKind,
        piece: Piece,
    ) -> Result<Option<Text>, ViewError> {
        let path = path_of(&self.reader().files(run, key), text);
        let read = blocking(move || Text::read(&path, piece)).await;
        read.map_err(|source| ViewError {
            context: "a text of the attempt cannot be read",
            source: source.into(),
        })
    }

    async fn times(&self, run: &RunId, key: AttemptKey, text: TextKind) -> Vec<(u64, i64)> {
        let path = path_of(&self.reader().files(run, key), text);
        tokio::task::spawn_blocking(move || times::read(&path)).await.unwrap_or_default()
    }

    async fn outputs(&self, run: &RunId, after: BatchNum, limit: u32) -> Result<OutputPage, ViewError> {
        self.reader().outputs(run, after, limit).await.map_err(unreadable("the answers cannot be read"))
    }

    async fn spec(&self, job: &JobEntry, run: Option<u32>) -> Result<Spec, ViewError> {
        let resolved = match run {
            None => None,
            Some(run) => {
                let id = RunId { job: job.uid, run };
                self.reader().plan_text(&id).await.map_err(unreadable("the plan cannot be read"))?
            }
        };
        let file = job.origin.clone();
        let written =
            blocking(move || Text::read(Path::new(&file), Piece::From { offset: 0, limit: JOB_FILE_MAX }))
                .await
                // A file that is gone or may not be read is no reason to hide the job.
                .unwrap_or_default();
        let written = written.map(|text| String::from_utf8_lossy(&text.bytes).into_owned());
        Ok(Spec { written, resolved, withheld: None })
    }
}

fn path_of(files: &AttemptFiles, text: TextKind) -> PathBuf {
    match text {
        TextKind::Prompt => files.prompt(),
        TextKind::Stdout => files.stdout(),
        TextKind::Stderr => files.stderr(),
        TextKind::Answer => files.answer(),
    }
}

/// What addresses call a job.
fn key_of(name: &str, uid: uuid::Uuid) -> String {
    format!("{name}-{}", &uid.to_string()[..8])
}

fn unreadable(context: &'static str) -> impl Fn(HistoryError) -> ViewError {
    move |error| ViewError { context, source: error.into() }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
