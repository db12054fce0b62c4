//! Answers in `ConfigMap`s, read back.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Read as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flate2::read::GzDecoder;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, api::ListParams};

use super::{BATCHES, KEY, KeptAnswer, LABEL, PIECE, object_name};
use crate::{
    engine::ranges::Ranges,
    job::identity::{AttemptKey, BatchNum, RunId},
    launch::pod::names,
};

/// No text that is read back is longer: an answer has at most 32 MiB.
const MAX_TEXT: u64 = 64 << 20;
/// So many bytes of answers are remembered of a run that somebody is told of.
const RECENT_BYTES: usize = 2 << 20;

/// Why answers cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The API server refuses.
    #[error("the ConfigMaps with the answers cannot be read")]
    Api(#[source] Box<kube::Error>),
    /// They were changed.
    #[error("the ConfigMap {name} holds no answers that can be read")]
    Broken {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// The answers of a run that are kept, the last one of each batch, by number.
///
/// # Errors
/// They cannot be listed or read.
pub async fn read(
    client: &Client,
    namespace: &str,
    run: &RunId,
) -> Result<BTreeMap<BatchNum, KeptAnswer>, ReadError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let selector = format!("{LABEL},{}={},{}={}", names::JOB_UID, run.job, names::RUN, run.run);
    let listed = api.list(&ListParams::default().labels(&selector)).await;
    let mut objects: Vec<(u32, ConfigMap)> = listed
        .map_err(|error| ReadError::Api(Box::new(error)))?
        .items
        .into_iter()
        .filter_map(|object| {
            let number = object.metadata.labels.as_ref()?.get(LABEL)?.parse().ok()?;
            Some((number, object))
        })
        .collect();
    objects.sort_by_key(|(number, _)| *number);
    let (mut answers, mut pieces) = (BTreeMap::new(), Pieces::default());
    for (_, object) in objects {
        for kept in pieces.add(&object)? {
            answers.insert(kept.batch, kept);
        }
    }
    Ok(answers)
}

/// The pieces of answers that were written together, until the last one is there.
#[derive(Default)]
struct Pieces(Vec<u8>);

impl Pieces {
    /// Takes the next object; gives the answers that it completes.
    fn add(&mut self, object: &ConfigMap) -> Result<Vec<KeptAnswer>, ReadError> {
        let Some((index, of)) = annotation(object, PIECE).and_then(|place| place.split_once('/')) else {
            return Ok(Vec::new());
        };
        if index == "1" {
            // Pieces without their last one are of a write that did not come to its end.
            self.0.clear();
        }
        let piece = object.binary_data.as_ref().and_then(|data| data.get(KEY));
        self.0.extend_from_slice(piece.map_or(&[], |piece| &piece.0));
        if index != of {
            return Ok(Vec::new());
        }
        let name = object.metadata.name.clone().unwrap_or_default();
        unpack(&self.0).map_err(|source| ReadError::Broken { name, source })
    }
}

fn annotation<'a>(object: &'a ConfigMap, name: &str) -> Option<&'a str> {
    object.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// The way back to what a run keeps, for who may read an object of a known name and no more. Clones are one.
#[derive(Clone, Debug)]
pub struct KeptHere {
    pub(super) api: Api<ConfigMap>,
    pub(super) prefix: String,
    /// What was kept last, so that hardly anything is read; `None` as long as nobody asks.
    pub(super) recent: Arc<Mutex<Option<Recent>>>,
}

/// Answers that were kept a moment ago.
#[derive(Debug, Default)]
pub struct Recent {
    answers: VecDeque<(AttemptKey, String)>,
    bytes: usize,
}

impl KeptHere {
    /// Remembers what is kept from now on.
    pub(super) fn begin(&self) {
        self.recent().get_or_insert_default();
    }

    /// Remembers an answer that was kept, where somebody may ask for it.
    pub(super) fn note(&self, key: AttemptKey, answer: String) {
        let mut recent = self.recent();
        let Some(Recent { answers, bytes }) = recent.as_mut() else { return };
        *bytes += answer.len();
        answers.push_back((key, answer));
        while *bytes > RECENT_BYTES
            && let Some((_, old)) = answers.pop_front()
        {
            *bytes -= old.len();
        }
    }

    fn recent(&self) -> MutexGuard<'_, Option<Recent>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer of an attempt that is kept. What was not kept a moment ago is looked for in one object after the
    /// other.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn answer(&self, key: AttemptKey) -> Result<Option<String>, ReadError> {
        let known = |recent: &Recent| recent.answers.iter().find(|(one, _)| *one == key).cloned();
        if let Some((_, answer)) = self.recent().as_ref().and_then(known) {
            return Ok(Some(answer));
        }
        let (mut found, mut pieces) = (None, Pieces::default());
        for number in 0.. {
            let object = self.api.get_opt(&object_name(&self.prefix, number)).await;
            let Some(object) = object.map_err(|error| ReadError::Api(Box::new(error)))? else { break };
            let batches: Option<Ranges> = annotation(&object, BATCHES).and_then(|text| text.parse().ok());
            if batches.is_none_or(|batches| batches.contains(key.batch)) {
                let kept = pieces.add(&object)?.into_iter().find(|kept| kept.batch == key.batch);
                found = kept.map(|kept| kept.answer).or(found);
            }
        }
        Ok(found)
    }
}

fn unpack(packed: &[u8]) -> std::io::Result<Vec<KeptAnswer>> {
    let mut text = String::new();
    GzDecoder::new(packed).take(MAX_TEXT).read_to_string(&mut text)?;
    text.lines().map(|line| serde_json::from_str(line).map_err(std::io::Error::from)).collect()
}
