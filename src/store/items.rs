//! The items that runs have pinned: `runs/<job>/items/<sha256>.json`, named by what is in them, so that no crash can
//! leave a run with the items of another.

use std::{fs, io, path::Path, sync::Arc};

use serde_json::Value;
use uuid::Uuid;

use super::{
    error::Trouble,
    files::{Files, folder_of},
    home::Home,
};
use crate::{
    driver::ports::StoreError,
    job::items::{hash_of, text_of},
};

/// Keeps the items with this hash of a job, if they are not kept already. When it returns `Ok`, they survive a crash
/// and a loss of power.
///
/// # Errors
/// They could not be written.
pub fn keep(home: &Home, job: Uuid, hash: &str, values: &[Value]) -> Result<(), StoreError> {
    let path = home.items(job, hash);
    if path.exists() {
        return Ok(());
    }
    let folder = folder_of(&path);
    let files = Files::default();
    let written = fs::create_dir_all(folder)
        .and_then(|()| files.replace(&path, text_of(values).as_bytes()))
        .and_then(|()| files.sync_folder(folder_of(folder)));
    written.map_err(|error| Trouble::of_io(&error).met("keep the items in", &path, error))
}

/// The items with this hash of a job; `None` when they are not there.
///
/// # Errors
/// They could not be read, or are not what they were.
pub fn load(home: &Home, job: Uuid, hash: &str) -> Result<Option<Arc<[Value]>>, StoreError> {
    let path = home.items(job, hash);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Trouble::of_io(&error).met("read the items in", &path, error)),
    };
    let damaged = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Trouble::Damaged.met("read the items in", &path, cause)
    };
    if hash_of(&text) != hash {
        return Err(damaged("its content is not what its name says".into()));
    }
    let values: Vec<Value> = serde_json::from_str(&text).map_err(|error| damaged(error.into()))?;
    Ok(Some(values.into()))
}

/// Deletes all items of a job but those with this hash: the job's last run has them, and no other can go on. What
/// cannot be deleted stays until the next run begins.
pub fn keep_only(home: &Home, job: Uuid, hash: &str) {
    let kept = home.items(job, hash);
    let Ok(entries) = fs::read_dir(folder_of(&kept)) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| *path != kept) {
        delete(&path);
    }
}

fn delete(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "items that no run needs any more are left");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_are_kept_whole_under_their_hash_until_another_run_has_others() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().to_owned());
        let job = Uuid::from_u128(7);
        let lists = [vec![json!("a"), json!({"n": 1.5})], vec![json!("b")]];
        let hashes = lists.each_ref().map(|list| hash_of(text_of(list)));
        for (list, hash) in lists.iter().zip(&hashes) {
            assert_eq!(load(&home, job, hash).unwrap(), None);
            keep(&home, job, hash, list).unwrap();
            assert_eq!(load(&home, job, hash).unwrap().unwrap()[..], list[..]);
        }
        keep_only(&home, job, &hashes[1]);
        assert_eq!(load(&home, job, &hashes[0]).unwrap(), None);
        assert!(load(&home, job, &hashes[1]).unwrap().is_some());
    }

    #[test]
    fn items_that_are_not_what_they_were_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().to_owned());
        let hash = hash_of("[\"a\"]");
        keep(&home, Uuid::nil(), &hash, &[json!("a")]).unwrap();
        fs::write(home.items(Uuid::nil(), &hash), "[\"b\"]").unwrap();
        let refused = load(&home, Uuid::nil(), &hash).unwrap_err().to_string();
        assert!(refused.contains("it is damaged"), "{refused}");
    }
}
