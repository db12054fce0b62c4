//! The runs of a job: begun, saved, read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{JobFile, Json, JsonError, read};
use crate::{
    driver::ports::{Store, StoreError},
    engine::{event::Event, ledger::Ledger},
    job::identity::RunId,
    store::{
        error::Trouble,
        files::exclusively,
        fold::Changes,
        ledger_of,
        record::JobRecord,
        runs::{ListedRun, RunPlace, RunsWanted},
        to_json,
    },
};

impl Store for Json {
    async fn save(&self, ledger: &Ledger, journal: &[Event]) -> Result<(), StoreError> {
        let ledger = ledger.clone();
        let mut lines = String::new();
        for event in journal {
            lines += &to_json(event);
            lines.push('\n');
        }
        self.blocking(move |json| json.save_lines(ledger, &lines)).await
    }
}

impl Json {
    fn save_lines(&self, ledger: Ledger, lines: &str) -> Result<(), StoreError> {
        let job = ledger.run.job;
        self.change(job, "save the checkpoint to", move |path, mut state| {
            let Some(stored) = state.ledger.as_ref().filter(|stored| stored.run == ledger.run) else {
                return Err(unknown_run(path, &ledger.run).into());
            };
            if stored.seq + 1 != ledger.seq {
                let expected = ledger.seq.saturating_sub(1);
                return Err(StoreError::Conflict { expected, found: stored.seq }.into());
            }
            if !lines.is_empty() {
                let journal = journal_path(path, ledger.run.run);
                self.files.append_at(&journal, state.journal_bytes, lines.as_bytes())?;
                state.journal_bytes += lines.len() as u64;
            }
            state.ledger = Some(ledger);
            self.write(path, &state)
        })
    }

    /// As [`Local::begin_run`](crate::store::Local::begin_run).
    pub async fn begin_run(&self, ledger: &Ledger, plan_text: &str) -> Result<(), StoreError> {
        let (ledger, plan_text) = (ledger.clone(), plan_text.to_owned());
        self.blocking(move |json| {
            json.change(ledger.run.job, "begin the run in", |path, mut state| {
                let runs = runs_folder(path);
                fs::create_dir_all(&runs)?;
                if let Some(before) = state.ledger.take() {
                    if before.run.run >= ledger.run.run {
                        return Err(StoreError::Conflict { expected: 0, found: before.seq }.into());
                    }
                    json.files.replace(&ledger_path(path, before.run.run), to_json(&before).as_bytes())?;
                }
                json.files.replace(&plan_path(path, ledger.run.run), plan_text.as_bytes())?;
                json.files.append_at(&journal_path(path, ledger.run.run), 0, b"")?;
                json.files.sync_folder(&runs)?;
                state.journal_bytes = 0;
                state.ledger = Some(ledger.clone());
                json.write(path, &state)
            })
        })
        .await
    }

    /// As [`Local::last_run`](crate::store::Local::last_run).
    pub async fn last_run(&self, job: Uuid) -> Result<Option<Ledger>, StoreError> {
        self.blocking(move |json| json.reading(job, |_, state| Ok(state.ledger))).await.map(Option::flatten)
    }

    /// As [`Local::load`](crate::store::Local::load).
    pub async fn load(&self, run: &RunId) -> Result<Option<Ledger>, StoreError> {
        let run = run.clone();
        self.blocking(move |json| {
            json.reading(run.job, |path, state| match state.ledger {
                Some(ledger) if ledger.run == run => Ok(Some(ledger)),
                _ => earlier_run(path, run.run),
            })
        })
        .await
        .map(Option::flatten)
    }

    /// As [`Local::keep_plan`](crate::store::Local::keep_plan).
    pub async fn keep_plan(&self, run: &RunId, text: &str) -> Result<(), StoreError> {
        let (run, text) = (run.clone(), text.to_owned());
        self.blocking(move |json| {
            json.change(run.job, "keep the plan in", |path, _| {
                Ok(json.files.replace(&plan_path(path, run.run), text.as_bytes())?)
            })
        })
        .await
    }

    /// As [`Local::plan_text`](crate::store::Local::plan_text).
    pub async fn plan_text(&self, run: &RunId) -> Result<Option<String>, StoreError> {
        let run = run.clone();
        self.blocking(move |json| {
            json.reading(run.job, |path, _| {
                Ok(if_there(fs::read(plan_path(path, run.run)))?
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
            })
        })
        .await
        .map(Option::flatten)
    }

    /// Deletes the files of a run that is not the last one.
    pub(in crate::store) async fn forget(&self, run: &RunId) -> Result<(), StoreError> {
        let run = run.clone();
        self.blocking(move |json| {
            json.change(run.job, "delete an old run from", |path, _| {
                if_there(fs::remove_file(journal_path(path, run.run)))?;
                if_there(fs::remove_file(plan_path(path, run.run)))?;
                // Last, since the run is found by it.
                if_there(fs::remove_file(ledger_path(path, run.run)))?;
                Ok(())
            })
        })
        .await
    }

    /// Deletes the files of a job.
    pub(in crate::store) async fn forget_job(&self, job: Uuid) -> Result<(), StoreError> {
        self.blocking(move |json| {
            let forgotten = || -> Result<(), JsonError> {
                let Some(path) = json.path_of(job)? else { return Ok(()) };
                exclusively(&path, || -> Result<(), JsonError> {
                    if_there(fs::remove_dir_all(runs_folder(&path)))?;
                    // Last, since the job is found by it.
                    if_there(fs::remove_file(&path))?;
                    Ok(())
                })?;
                json.found().remove(&job);
                Ok(())
            };
            forgotten().map_err(|error| error.met("delete the job from", json.place.path()))
        })
        .await
    }

    /// Every job.
    pub async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.blocking(|json| match json.job_files() {
            Ok(files) => Ok(files.into_iter().map(|(_, state)| state.job).collect()),
            Err(error) => Err(error.met("read", Path::new("the jobs"))),
        })
        .await
    }

    /// Every job with the ledger of its last run.
    pub async fn jobs_with_last_runs(&self) -> Result<Vec<(JobRecord, Option<Ledger>)>, StoreError> {
        self.blocking(|json| match json.job_files() {
            Ok(files) => Ok(files.into_iter().map(|(_, state)| (state.job, state.ledger)).collect()),
            Err(error) => Err(error.met("read", Path::new("the jobs"))),
        })
        .await
    }

    /// The ledgers of every run of a job, the last one first.
    pub async fn runs(&self, job: Uuid) -> Result<Vec<Ledger>, StoreError> {
        let runs = self.blocking(move |json| {
            json.reading(job, |path, state| {
                let mut runs = Vec::new();
                if let Some(entries) = if_there(fs::read_dir(runs_folder(path)))? {
                    for entry in entries {
                        let name = entry?.file_name();
                        let number =
                            name.to_str().and_then(|name| name.strip_prefix('r')?.strip_suffix(".json"));
                        if let Some(number) = number.and_then(|number| number.parse().ok()) {
                            runs.extend(earlier_run(path, number)?);
                        }
                    }
                }
                // A crash while the next run began leaves the last one in both places.
                runs.retain(|run: &Ledger| state.ledger.as_ref().is_none_or(|last| last.run != run.run));
                runs.extend(state.ledger);
                runs.sort_by_key(|ledger| std::cmp::Reverse(ledger.run.run));
                Ok(runs)
            })
        });
        Ok(runs.await?.unwrap_or_default())
    }

    /// As [`Local::list_runs`](crate::store::Local::list_runs): all ledgers are read, since nothing else says their order.
    pub async fn list_runs(
        &self,
        wanted: &RunsWanted,
        before: RunPlace,
        limit: u32,
    ) -> Result<Vec<ListedRun>, StoreError> {
        let mut all = Vec::new();
        for job in self.jobs().await? {
            let runs = self.runs(job.uid).await?.into_iter();
            all.extend(runs.map(|ledger| (job.name.clone(), job.used_in.clone(), ledger)));
        }
        all.sort_by_key(|(_, _, ledger)| (ledger.started.as_millisecond(), ledger.run.clone()));
        let placed = all.into_iter().zip(0..).map(|((job_name, folder, ledger), id)| {
            let place = RunPlace { started: ledger.started.as_millisecond(), id };
            ListedRun { place, job_name, folder, ledger }
        });
        let wanted = |run: &ListedRun| wanted.has(&run.job_name, &run.folder, &run.ledger);
        let mut found: Vec<ListedRun> = placed.filter(|run| run.place < before && wanted(run)).collect();
        found.reverse();
        found.truncate(limit as usize);
        Ok(found)
    }

    /// All that the journal of a run says.
    pub async fn changes(&self, run: &RunId) -> Result<Changes, StoreError> {
        let run = run.clone();
        let changes = self.blocking(move |json| {
            json.reading(run.job, |path, state| {
                let journal = if_there(fs::read(journal_path(path, run.run)))?.unwrap_or_default();
                let last = state.ledger.is_some_and(|ledger| ledger.run == run);
                let saved = if last {
                    usize::try_from(state.journal_bytes).unwrap_or(usize::MAX)
                } else {
                    usize::MAX
                };
                Ok(folded(&journal[..journal.len().min(saved)]))
            })
        });
        Ok(changes.await?.unwrap_or_default())
    }

    /// Changes the state of a job while nobody else does.
    fn change<T>(
        &self,
        job: Uuid,
        doing: &str,
        change: impl FnOnce(&Path, JobFile) -> Result<T, JsonError>,
    ) -> Result<T, StoreError> {
        let place = self.place.path().to_owned();
        let path = self.path_of(job).map_err(|error| error.met(doing, &place))?;
        let path = path.ok_or_else(|| unknown_job(&place, job))?;
        exclusively(&path, || match read(&path)? {
            Some(state) if state.job.uid == job => change(&path, state),
            _ => Err(unknown_job(&path, job).into()),
        })
        .map_err(|error: JsonError| error.met(doing, &path))
    }

    fn reading<T>(
        &self,
        job: Uuid,
        look: impl FnOnce(&Path, JobFile) -> Result<T, JsonError>,
    ) -> Result<Option<T>, StoreError> {
        let found = self.path_of(job).and_then(|path| {
            let Some(path) = path else { return Ok(None) };
            let Some(state) = read(&path)?.filter(|state| state.job.uid == job) else { return Ok(None) };
            look(&path, state).map(Some)
        });
        found.map_err(|error| error.met("read", self.place.path()))
    }
}

/// The events of whole lines; a line that makes no sense was torn by a crash that `save` never answered.
fn folded(journal: &[u8]) -> Changes {
    let mut changes = Changes::default();
    for line in journal.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        if let Ok(event) = serde_json::from_slice::<Event>(line) {
            changes.apply(&event);
        }
    }
    changes
}

fn earlier_run(path: &Path, run: u32) -> Result<Option<Ledger>, JsonError> {
    let path = ledger_path(path, run);
    let Some(bytes) = if_there(fs::read(&path))? else { return Ok(None) };
    Ok(Some(ledger_of(&bytes, &path)?))
}

fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn unknown_job(path: &Path, job: Uuid) -> StoreError {
    Trouble::Io.met("find the state of the job in", path, format!("no file of job {job}"))
}

fn unknown_run(path: &Path, run: &RunId) -> StoreError {
    StoreError::Failed {
        context: format!(
            "cannot save the checkpoint to {}: it no longer knows this run; start it again with `mozart run`",
            path.display()
        ),
        source: format!("no run {} of job {}", run.run, run.job).into(),
    }
}

fn runs_folder(path: &Path) -> PathBuf {
    path.with_extension("runs")
}

fn ledger_path(path: &Path, run: u32) -> PathBuf {
    runs_folder(path).join(format!("r{run}.json"))
}

fn plan_path(path: &Path, run: u32) -> PathBuf {
    runs_folder(path).join(format!("r{run}.plan.txt"))
}

fn journal_path(path: &Path, run: u32) -> PathBuf {
    runs_folder(path).join(format!("r{run}.journal.jsonl"))
}
