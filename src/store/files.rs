//! The writes behind every state file that is not SQLite's: durable and atomic, and countable by tests that make the
//! Nth of them fail.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Writes files.
#[derive(Clone, Debug, Default)]
pub struct Files {
    #[cfg(test)]
    pub(crate) faults: faults::Faults,
}

impl Files {
    /// Replaces `path` by `content`. After `Ok` it survives a loss of power; after an error the file is the old or the
    /// new one, whole.
    ///
    /// # Errors
    /// Those of the system.
    pub fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = folder_of(path);
        let fresh = fresh_name(path);
        let written = self.write_new(&fresh, content).and_then(|()| {
            self.step()?;
            fs::rename(&fresh, path)
        });
        if written.is_err() {
            // What could not be written is of no use; where this fails too, the next `replace` overwrites it.
            let _ = fs::remove_file(&fresh);
        }
        written?;
        self.sync_folder(folder)
    }

    /// Cuts `path` to `length` bytes, appends `content` there and makes both durable. The file is made when it is not
    /// there. After an error, anything may stand after `length`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn append_at(&self, path: &Path, length: u64, content: &[u8]) -> io::Result<()> {
        let mut file = File::options().append(true).create(true).open(path)?;
        if file.metadata()?.len() > length {
            self.step()?;
            file.set_len(length)?;
        }
        self.write(&mut file, content)?;
        self.step()?;
        file.sync_data()
    }

    /// Makes what was created in `folder` durable.
    ///
    /// # Errors
    /// Those of the system.
    pub fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        File::open(folder)?.sync_all()
    }

    fn write_new(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.step()?;
        let mut file = File::create(path)?;
        self.write(&mut file, content)?;
        self.step()?;
        file.sync_all()
    }

    fn write(&self, file: &mut File, content: &[u8]) -> io::Result<()> {
        if let Err(fault) = self.step() {
            // A full disk takes a part.
            file.write_all(&content[..content.len() / 2])?;
            return Err(fault);
        }
        file.write_all(content)
    }

    /// Something is about to be written.
    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "in tests it counts, and fails when told to"
    )]
    fn step(&self) -> io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn step(&self) -> io::Result<()> {
        self.faults.step()
    }
}

/// Runs `change` while no other process and no other task runs one on `path` (`<path>.lock`).
///
/// # Errors
/// Those of the system, and of `change`.
pub fn exclusively<T, E: From<io::Error>>(
    path: &Path,
    change: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = File::options().append(true).create(true).open(name)?;
    lock.lock()?;
    change()
}

/// The folder that `path` is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a new version is written. Writers hold the file's lock, so that one name does.
fn fresh_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(test)]
pub(crate) mod faults {
    //! Makes the Nth write fail.

    use std::{
        io,
        sync::{Arc, Mutex},
    };

    /// Shared by the clones of one [`Files`](super::Files).
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Faults(Arc<Mutex<Option<Plan>>>);

    #[derive(Debug)]
    struct Plan {
        left: u32,
        kind: io::ErrorKind,
        fired: bool,
    }

    impl Faults {
        /// From now on the `nth` write (from 1) and every later one fail.
        pub(crate) fn fail_from(&self, nth: u32, kind: io::ErrorKind) {
            *self.0.lock().unwrap() = Some(Plan { left: nth - 1, kind, fired: false });
        }

        /// The disk is well again; says whether a write failed.
        pub(crate) fn heal(&self) -> bool {
            self.0.lock().unwrap().take().is_some_and(|plan| plan.fired)
        }

        pub(super) fn step(&self) -> io::Result<()> {
            let mut plan = self.0.lock().unwrap();
            let Some(plan) = plan.as_mut() else { return Ok(()) };
            if plan.left == 0 {
                plan.fired = true;
                return Err(plan.kind.into());
            }
            plan.left -= 1;
            Ok(())
        }
    }
}
