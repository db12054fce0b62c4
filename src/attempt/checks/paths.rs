//! Paths of validations: inside the workspace, also behind symbolic links, and regular files only.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path, PathBuf},
};

/// Why a path is not looked at.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// It leads out of the workspace.
    #[error("{path} leads out of the workspace, to {target}")]
    Outside {
        /// As written.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// It cannot be followed.
    #[error("{path} cannot be followed")]
    Unreadable {
        /// As written.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Where `path` leads, symbolic links followed as far as something exists. The rest, which does not exist, may hold no
/// `..`, so it cannot lead out again.
///
/// # Errors
/// When it leads out of `workspace` or cannot be followed.
pub fn inside(path: &Path, workspace: &Path) -> Result<PathBuf, PathError> {
    let unreadable = |source| PathError::Unreadable { path: path.display().to_string(), source };
    let workspace = fs::canonicalize(workspace).map_err(unreadable)?;
    let whole = workspace.join(path);
    let mut missing = Vec::new();
    let mut existing = whole.as_path();
    let mut target = loop {
        match fs::canonicalize(existing) {
            Ok(target) => break target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A dangling link is there: what is made through it would lie where it points.
                if let Ok(link) = fs::read_link(existing) {
                    let folder = existing.parent().unwrap_or(existing);
                    return inside(
                        &missing.iter().rev().fold(folder.join(link), |path, name| path.join(name)),
                        &workspace,
                    );
                }
                let (Some(parent), Some(Component::Normal(name))) =
                    (existing.parent(), existing.components().next_back())
                else {
                    return Err(unreadable(error));
                };
                missing.push(name.to_owned());
                existing = parent;
            }
            Err(error) => return Err(unreadable(error)),
        }
    };
    target.extend(missing.iter().rev());
    if target.starts_with(&workspace) {
        Ok(target)
    } else {
        Err(PathError::Outside { path: path.display().to_string(), target: target.display().to_string() })
    }
}

/// Opens a regular file for reading; anything else (a pipe, a device, a folder) is an error and cannot hang.
///
/// # Errors
/// When it is not there, may not be read, or is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() { Ok(file) } else { Err(io::Error::other(format!("it is {}", kind_word(kind)))) }
}

/// What a file that is not regular is, in words.
pub fn kind_word(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_file() {
        "a file"
    } else {
        "a device"
    }
}
