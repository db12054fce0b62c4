//! Names in braces in the paths and commands of validations.

use std::path::{Component, Path, PathBuf};

use super::{batches::Batch, model::Job};

/// The names that may stand in braces.
pub const NAMES: [&str; 6] =
    ["workspace", "batch_num", "total_batches", "start_item", "end_item", "job_name"];

/// Why a path cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A name in braces that Mozart does not know.
    #[error("`{{{0}}}` is not a name that a path may use")]
    UnknownName(String),
    /// It leads out of the workspace.
    #[error("`{0}` leaves the workspace")]
    LeavesWorkspace(String),
}

/// A validation's path for a batch, absolute and inside the workspace by its words; a relative one is relative to the
/// job file. Symlinks are for who opens it.
///
/// # Errors
/// A name in braces is unknown, or the path leaves the workspace.
pub fn expand_path(job: &Job, batch: Batch, path: &str) -> Result<PathBuf, ExpandError> {
    let mut out = String::with_capacity(path.len() + 32);
    let mut rest = path;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let (name, after) =
            braced(&rest[open..]).ok_or_else(|| ExpandError::UnknownName(unbraced(&rest[open..])))?;
        out.push_str(&known(job, batch, name).ok_or_else(|| ExpandError::UnknownName(name.to_owned()))?);
        rest = after;
    }
    out.push_str(rest);
    inside(&job.workspace.path, job.file.parent().unwrap_or(Path::new("/")), &out)
}

/// A validation's command for a batch: only the known names are replaced, quoted for the shell and never after `$`;
/// all else in braces is the shell's.
pub fn expand_command(job: &Job, batch: Batch, command: &str) -> String {
    let mut out = String::with_capacity(command.len() + 32);
    let mut rest = command;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let braces = &rest[open..];
        let value = braced(braces)
            .filter(|_| !out.ends_with('$'))
            .and_then(|(name, after)| known(job, batch, name).map(|value| (value, after)));
        if let Some((value, after)) = value {
            out.push_str(&quote(&value));
            rest = after;
        } else {
            out.push('{');
            rest = &braces[1..];
        }
    }
    out.push_str(rest);
    out
}

/// The same names as environment variables: `MOZART_WORKSPACE`, `MOZART_BATCH_NUM`, …
pub fn environment(job: &Job, batch: Batch) -> Vec<(String, String)> {
    let variable = |name: &str| {
        known(job, batch, name).map(|value| (format!("MOZART_{}", name.to_ascii_uppercase()), value))
    };
    NAMES.iter().filter_map(|name| variable(name)).collect()
}

/// Whether a path or command has a name in it that differs from batch to batch.
pub fn differs_by_batch(text: &str) -> bool {
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        if let Some((name, _)) = braced(&rest[open..])
            && ["batch_num", "start_item", "end_item"].contains(&name)
        {
            return true;
        }
        rest = &rest[open + 1..];
    }
    false
}

fn known(job: &Job, batch: Batch, name: &str) -> Option<String> {
    Some(match name {
        "workspace" => job.workspace.path.to_string_lossy().into_owned(),
        "batch_num" => batch.number.to_string(),
        "total_batches" => job.batches.total().to_string(),
        "start_item" => batch.start_item.to_string(),
        "end_item" => batch.end_item.to_string(),
        "job_name" => job.name.to_string(),
        _ => return None,
    })
}

/// The name in `{name}` or `{{ name }}` at the start of a text, and what follows.
fn braced(text: &str) -> Option<(&str, &str)> {
    let (inner, after) = match text.strip_prefix("{{") {
        Some(inner) => inner.split_once("}}")?,
        None => text.strip_prefix('{')?.split_once('}')?,
    };
    let name = inner.trim();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!name.is_empty() && name.bytes().all(word)).then_some((name, after))
}

/// What to call braces that hold no name.
fn unbraced(text: &str) -> String {
    let inner = text.trim_start_matches('{');
    inner.split('}').next().unwrap_or_default().trim().chars().take(40).collect()
}

fn inside(workspace: &Path, folder: &Path, text: &str) -> Result<PathBuf, ExpandError> {
    let leaves = || ExpandError::LeavesWorkspace(text.to_owned());
    let mut path = PathBuf::new();
    for component in folder.join(text).components() {
        match component {
            Component::ParentDir => {
                if !path.pop() {
                    return Err(leaves());
                }
            }
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    if path.starts_with(workspace) && path != workspace { Ok(path) } else { Err(leaves()) }
}

/// A text as one word of the shell.
fn quote(text: &str) -> String {
    let safe = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b',' | b':' | b'+')
    };
    if !text.is_empty() && text.bytes().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
