//! State as text (`state_backend: json`): one JSON file a job, and a journal a run beside it.
//!
//! ```text
//! <job>.json                     the job, the ledger of its last run, and how much of that run's journal counts
//! <job>.runs/r3.journal.jsonl    every event of run 3, a line each
//! <job>.runs/r3.plan.txt         what run 3 follows
//! <job>.runs/r2.json             the ledger of run 2, as it ended
//! ```
//! A save appends to the journal first and then replaces the job's file, which names the journal's length: what stands
//! after that length was never saved, and the next save cuts it off. So a save is all or nothing, and costs the same
//! however many batches there were.

mod runs;

use std::{
    collections::HashMap,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    error::{OpenError, Trouble},
    files::{Files, exclusively},
    record::JobRecord,
    to_json,
};
use crate::{
    driver::ports::StoreError,
    engine::ledger::{self, Ledger},
    job::identity::JobName,
};

/// The format that this binary writes.
const FORMAT: u32 = 1;

/// State as text.
#[derive(Clone, Debug)]
pub struct Json {
    place: Place,
    files: Files,
    /// Where jobs were found, so that a save does not look through the folder.
    found: Arc<Mutex<HashMap<Uuid, PathBuf>>>,
}

/// Where the files of jobs are.
#[derive(Clone, Debug)]
enum Place {
    /// `<name>-<first 8 digits of the uid>.json` in a folder.
    Folder(PathBuf),
    /// One file for one job (`state_path`).
    File(PathBuf),
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::File(path) => path,
        }
    }
}

/// What a job's file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobFile {
    format: u32,
    job: JobRecord,
    /// How many bytes of the last run's journal are saved.
    journal_bytes: u64,
    /// The last run's.
    ledger: Option<Ledger>,
}

/// What must be understood of a job's file before anything else in it.
#[derive(Deserialize)]
struct Head {
    format: u32,
    ledger: Option<LedgerHead>,
}

#[derive(Deserialize)]
struct LedgerHead {
    version: u32,
}

impl Json {
    /// The jobs in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn in_folder(folder: PathBuf) -> Result<Self, OpenError> {
        make_folder(&folder)?;
        Ok(Self { place: Place::Folder(folder), files: Files::default(), found: Arc::default() })
    }

    /// The one job in `file`, which is made when the job is registered.
    ///
    /// # Errors
    /// Its folder cannot be made; what is there is damaged, of a newer Mozart, or nothing of ours.
    pub fn in_file(file: PathBuf) -> Result<Self, OpenError> {
        make_folder(super::files::folder_of(&file))?;
        read(&file)?;
        Ok(Self { place: Place::File(file), files: Files::default(), found: Arc::default() })
    }

    #[cfg(test)]
    pub(crate) fn faults(&self) -> &super::files::faults::Faults {
        &self.files.faults
    }

    /// As [`Local::register_job`](super::Local::register_job).
    pub async fn register_job(&self, name: &JobName, file: &Path, cwd: &Path) -> Result<Uuid, StoreError> {
        let (name, file, cwd) = (name.clone(), lossy(file), lossy(cwd));
        self.blocking(move |json| json.register(&name, file, cwd)).await
    }

    fn register(&self, name: &JobName, file: PathBuf, cwd: PathBuf) -> Result<Uuid, StoreError> {
        let registered: Result<_, JsonError> = match &self.place {
            Place::File(path) => self.note_use(path, Uuid::new_v4(), name, file, cwd),
            // The lock keeps two processes from making the same job twice.
            Place::Folder(folder) => exclusively(&folder.join("jobs"), || {
                let mut known = self.job_files()?.into_iter();
                let known =
                    known.find(|(_, state)| state.job.name == name.as_str() && state.job.file == file);
                let (path, uid) = known.map_or_else(
                    || {
                        let uid = Uuid::new_v4();
                        (folder.join(format!("{name}-{}.json", short(uid))), uid)
                    },
                    |(path, state)| (path, state.job.uid),
                );
                self.note_use(&path, uid, name, file, cwd)
            }),
        };
        registered.map_err(|error| error.met("register the job in", self.place.path()))
    }

    /// Makes the job's file with `uid` if it is not there, and notes when and where the job was last used.
    fn note_use(
        &self,
        path: &Path,
        uid: Uuid,
        name: &JobName,
        file: PathBuf,
        cwd: PathBuf,
    ) -> Result<Uuid, JsonError> {
        exclusively(path, || {
            let now = Timestamp::now();
            let mut state = match read(path)? {
                Some(JobFile { job, .. }) if job.name != name.as_str() || job.file != file => {
                    let (path, name, file) = (path.to_owned(), job.name, job.file);
                    return Err(OpenError::Taken { path, name, file }.into());
                }
                Some(state) => state,
                None => {
                    let (name, used_in) = (name.as_str().to_owned(), cwd.clone());
                    let job = JobRecord { uid, name, file, created: now, used: now, used_in };
                    JobFile { format: FORMAT, job, journal_bytes: 0, ledger: None }
                }
            };
            state.job.used = now;
            state.job.used_in = cwd;
            self.write(path, &state)?;
            Ok(state.job.uid)
        })
    }

    /// Every job's file.
    fn job_files(&self) -> Result<Vec<(PathBuf, JobFile)>, JsonError> {
        let mut found = Vec::new();
        for path in self.paths()? {
            if let Some(state) = read(&path)? {
                found.push((path, state));
            }
        }
        Ok(found)
    }

    fn paths(&self) -> Result<Vec<PathBuf>, JsonError> {
        let folder = match &self.place {
            Place::File(file) => return Ok(vec![file.clone()]),
            Place::Folder(folder) => folder,
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// As [`Local::mark`](crate::store::Local::mark): every save replaces the job's file.
    pub async fn mark(&self) -> u64 {
        let mark = self.blocking(|json| {
            let mut hasher = DefaultHasher::new();
            for path in json.paths().unwrap_or_default() {
                if let Ok(metadata) = fs::metadata(&path) {
                    (path, metadata.modified().ok(), metadata.len()).hash(&mut hasher);
                }
            }
            Ok(hasher.finish())
        });
        mark.await.unwrap_or_default()
    }

    /// The file of the job `uid`; `None` when there is none.
    fn path_of(&self, uid: Uuid) -> Result<Option<PathBuf>, JsonError> {
        if let Some(path) = self.found().get(&uid) {
            return Ok(Some(path.clone()));
        }
        let ending = format!("-{}", short(uid));
        for path in self.paths()? {
            let named = matches!(self.place, Place::File(_))
                || path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(&ending));
            if named && read(&path)?.is_some_and(|state| state.job.uid == uid) {
                self.found().insert(uid, path.clone());
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn found(&self) -> MutexGuard<'_, HashMap<Uuid, PathBuf>> {
        // It is whole after any panic: nothing is done under the lock but one look or one insertion.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, path: &Path, state: &JobFile) -> Result<(), JsonError> {
        Ok(self.files.replace(path, (to_json(state) + "\n").as_bytes())?)
    }

    /// Runs `work`, which waits for the disk, where that holds nothing up.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let json = self.clone();
        match tokio::task::spawn_blocking(move || work(&json)).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(StoreError::Failed {
                    context: "the state was not written, since Mozart is ending".to_owned(),
                    source: error.into(),
                }),
            },
        }
    }
}

/// Why reading or writing these files failed, before it is known what for.
#[derive(Debug, thiserror::Error)]
enum JsonError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl JsonError {
    fn met(self, doing: &str, path: &Path) -> StoreError {
        match self {
            Self::Io(error) => Trouble::of_io(&error).met(doing, path, error),
            Self::Open(OpenError::Newer { found, known, path: _ }) => StoreError::Newer { found, known },
            Self::Open(error) => StoreError::Failed {
                context: format!("cannot {doing} {}", path.display()),
                source: error.into(),
            },
            Self::Store(error) => error,
        }
    }
}

/// A job's file; `None` when it is not there.
fn read(path: &Path) -> Result<Option<JobFile>, OpenError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(OpenError::Unavailable {
                path: path.to_owned(),
                advice: Trouble::of_io(&error).advice(),
                source: error.into(),
            });
        }
    };
    match serde_json::from_slice::<Head>(&bytes) {
        Ok(head) if head.format > FORMAT => {
            Err(OpenError::Newer { path: path.to_owned(), found: head.format, known: FORMAT })
        }
        Ok(Head { ledger: Some(LedgerHead { version }), .. }) if version > ledger::VERSION => {
            Err(OpenError::Newer { path: path.to_owned(), found: version, known: ledger::VERSION })
        }
        Ok(_) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| OpenError::Damaged { path: path.to_owned(), source: error.into() }),
        Err(error) if error.is_data() => Err(OpenError::Foreign { path: path.to_owned() }),
        Err(error) => Err(OpenError::Damaged { path: path.to_owned(), source: error.into() }),
    }
}

fn make_folder(folder: &Path) -> Result<(), OpenError> {
    fs::create_dir_all(folder).map_err(|error| OpenError::Unavailable {
        path: folder.to_owned(),
        advice: Trouble::of_io(&error).advice(),
        source: error.into(),
    })
}

/// The first 8 digits.
fn short(uid: Uuid) -> String {
    uid.simple().to_string()[..8].to_owned()
}

/// JSON holds Unicode only.
fn lossy(path: &Path) -> PathBuf {
    path.to_string_lossy().into_owned().into()
}
