//! What a job may name in a cluster: `ConfigMap`s of its own namespace. There is no way from here to a file, a variable
//! or a command of the operator.

use std::collections::BTreeMap;

use crate::{
    api::{MozartJobSpec, batch::KeyReference},
    job::sources::{MAX_BYTES, Mode, SourceError, Sources},
};

/// The texts that a job names, read beforehand.
#[derive(Clone, Debug, Default)]
pub struct ClusterSources {
    texts: BTreeMap<(String, String), String>,
}

impl ClusterSources {
    /// Which keys of which `ConfigMap`s a job names.
    pub fn named(spec: &MozartJobSpec) -> Vec<&KeyReference> {
        let items = spec.batch.items_from.as_ref().and_then(|from| from.config_map_key_ref.as_ref());
        let template = spec.prompt.template_from.as_ref().map(|from| &from.config_map_key_ref);
        items.into_iter().chain(template).collect()
    }

    /// Holds the text of a key.
    pub fn put(&mut self, key: &KeyReference, text: String) {
        self.texts.insert((key.name.clone(), key.key.clone()), text);
    }
}

impl Sources for ClusterSources {
    fn mode(&self) -> Mode {
        Mode::Cluster
    }

    fn file(&self, _: &str) -> Result<String, SourceError> {
        Err(SourceError::NotHere("files"))
    }

    fn command(&self, _: &str) -> Result<String, SourceError> {
        Err(SourceError::NotHere("commands"))
    }

    fn config_map(&self, name: &str, key: &str) -> Result<String, SourceError> {
        let text = self.texts.get(&(name.to_owned(), key.to_owned()));
        let what = format!("key {key} in the ConfigMap {name}");
        match text {
            None => Err(SourceError::Missing(what)),
            Some(text) if text.len() as u64 > MAX_BYTES => Err(SourceError::TooLarge { what }),
            Some(text) => Ok(text.clone()),
        }
    }
}
