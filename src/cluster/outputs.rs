//! The answers of batches that run in the operator's process, in `ConfigMap`s of the job's namespace.
//!
//! Answers that wait together are written together: JSON lines, gzipped, cut into pieces of at most 512 KiB, one piece
//! an object. The objects of a run are numbered without a gap, so that nobody need list them to go on.

mod reading;

use std::{collections::BTreeMap, io::Write as _, sync::Arc};

use crate::{
    driver::ports::{Outputs, StoreError},
    engine::ranges::Ranges,
    job::{
        answer::AnswerFacts,
        identity::{AttemptKey, BatchNum, RunId},
    },
    launch::pod::names,
};
use flate2::{Compression, write::GzEncoder};
use k8s_openapi::{
    ByteString,
    api::core::v1::ConfigMap,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Api, Client, api::PostParams};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

pub use self::reading::{KeptHere, ReadError, read};

/// The label of an object with answers; its value is the number.
pub const LABEL: &str = "mozart.dev/output";
/// Which batches are in the answers that this object is a piece of.
const BATCHES: &str = "mozart.dev/batches";
/// `2/3`: which of the pieces that belong together.
const PIECE: &str = "mozart.dev/piece";
/// The bytes of all objects of the run up to this one.
const BYTES: &str = "mozart.dev/output-bytes";
const KEY: &str = "answers.jsonl.gz";
/// The longest piece.
const PIECE_BYTES: usize = 512 << 10;
/// The most of a run.
const RUN_BYTES: u64 = 16 << 20;
/// So much text is written together at most; one answer may be more.
const TOGETHER: usize = 2 << 20;

/// An answer, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptAnswer {
    /// The batch.
    pub batch: BatchNum,
    /// Which start of the batch.
    pub attempt: u32,
    /// What is known of it.
    #[serde(flatten)]
    pub facts: AnswerFacts,
    /// The text.
    pub answer: String,
}

/// Keeps the answers of one run.
#[derive(Debug)]
pub struct ConfigMapOutputs {
    queue: mpsc::UnboundedSender<Put>,
    _writer: JoinSet<()>,
    kept: KeptHere,
}

#[derive(Debug)]
struct Put {
    batch: BatchNum,
    line: String,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl ConfigMapOutputs {
    /// For a run; `owner` is the job if they go with it.
    pub fn open(
        client: Client,
        namespace: &str,
        job: &str,
        run: &RunId,
        owner: Option<OwnerReference>,
    ) -> Self {
        let (queue, puts) = mpsc::unbounded_channel();
        let (api, prefix) = (Api::namespaced(client, namespace), names::of_run(job, run));
        let kept = KeptHere { api: api.clone(), prefix: prefix.clone(), recent: Arc::default() };
        let writer = Writer { api, prefix, labels: names::labels(job, run), owner, next: None };
        let mut tasks = JoinSet::new();
        tasks.spawn(writer.run(puts));
        Self { queue, _writer: tasks, kept }
    }

    /// The way to read back what was kept.
    pub fn kept(&self) -> KeptHere {
        self.kept.begin();
        self.kept.clone()
    }
}

impl Outputs for ConfigMapOutputs {
    async fn put(
        &self,
        _run: &RunId,
        key: AttemptKey,
        answer: &str,
        facts: &AnswerFacts,
    ) -> Result<(), StoreError> {
        let (facts, answer) = (facts.clone(), answer.to_owned());
        let kept = KeptAnswer { batch: key.batch, attempt: key.ordinal, facts, answer };
        let mut line = serde_json::to_string(&kept)
            .map_err(|error| failed("an answer cannot be written as JSON", error))?;
        line.push('\n');
        let (done, written) = oneshot::channel();
        let ended = || failed("what keeps the answers has ended", "its task is gone");
        self.queue.send(Put { batch: key.batch, line, done }).map_err(|_| ended())?;
        written.await.unwrap_or_else(|_| Err(ended()))?;
        self.kept.note(key, kept.answer);
        Ok(())
    }
}

/// Where the next object goes.
#[derive(Clone, Copy, Debug)]
struct Next {
    number: u32,
    /// Of all before.
    bytes: u64,
}

struct Writer {
    api: Api<ConfigMap>,
    prefix: String,
    labels: BTreeMap<String, String>,
    owner: Option<OwnerReference>,
    next: Option<Next>,
}

/// Why answers were not written, for each of them.
#[derive(Clone, Debug)]
enum NotWritten {
    Full,
    Failed(Arc<kube::Error>),
    Text(&'static str),
}

impl NotWritten {
    fn told(&self) -> StoreError {
        let context = "the answers could not be written to a ConfigMap";
        match self {
            Self::Full => StoreError::Full {
                context: format!(
                    "the answers of the run are more than {} MiB, which is what ConfigMaps hold of one run: cut the job \
                     into several",
                    RUN_BYTES >> 20
                ),
            },
            Self::Failed(error) => failed(context, Arc::clone(error)),
            Self::Text(text) => failed(context, *text),
        }
    }
}

impl Writer {
    async fn run(mut self, mut puts: mpsc::UnboundedReceiver<Put>) {
        while let Some(first) = puts.recv().await {
            let mut length = first.line.len();
            let mut together = vec![first];
            while length < TOGETHER
                && let Ok(put) = puts.try_recv()
            {
                length += put.line.len();
                together.push(put);
            }
            let written = self.write(&together).await;
            if written.is_err() {
                // What is there now is looked at again.
                self.next = None;
            }
            for put in together {
                // Who asked may have been ended meanwhile.
                let _ = put.done.send(written.as_ref().map_err(NotWritten::told).copied());
            }
        }
    }

    async fn write(&mut self, puts: &[Put]) -> Result<(), NotWritten> {
        let packed = pack(puts).map_err(|_| NotWritten::Text("they cannot be packed"))?;
        let batches: Ranges = puts.iter().map(|put| put.batch).collect();
        let mut next = match self.next {
            Some(next) => next,
            None => self.find_next().await.map_err(|error| NotWritten::Failed(Arc::new(error)))?,
        };
        if next.bytes + packed.len() as u64 > RUN_BYTES {
            return Err(NotWritten::Full);
        }
        let pieces: Vec<&[u8]> = packed.chunks(PIECE_BYTES).collect();
        for (index, piece) in pieces.iter().enumerate() {
            let place = format!("{}/{}", index + 1, pieces.len());
            self.write_piece(&mut next, piece, &place, &batches).await?;
        }
        self.next = Some(next);
        Ok(())
    }

    async fn write_piece(
        &self,
        next: &mut Next,
        piece: &[u8],
        place: &str,
        batches: &Ranges,
    ) -> Result<(), NotWritten> {
        let bytes = next.bytes + piece.len() as u64;
        let mut labels = self.labels.clone();
        labels.insert(LABEL.to_owned(), next.number.to_string());
        let object = ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.name(next.number)),
                labels: Some(labels),
                annotations: Some(
                    [(BATCHES, batches.to_string()), (PIECE, place.to_owned()), (BYTES, bytes.to_string())]
                        .map(|(name, value)| (name.to_owned(), value))
                        .into(),
                ),
                owner_references: self.owner.clone().map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            immutable: Some(true),
            binary_data: Some([(KEY.to_owned(), ByteString(piece.to_vec()))].into()),
            data: None,
        };
        match self.api.create(&PostParams::default(), &object).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
                let there = self.api.get_opt(&self.name(next.number)).await;
                let there = there.map_err(|error| NotWritten::Failed(Arc::new(error)))?;
                // A write whose answer was lost.
                if there.is_none_or(|there| there.binary_data != object.binary_data) {
                    return Err(NotWritten::Text("another is where it would be"));
                }
            }
            Err(error) => return Err(NotWritten::Failed(Arc::new(error))),
        }
        *next = Next { number: next.number + 1, bytes };
        Ok(())
    }

    fn name(&self, number: u32) -> String {
        object_name(&self.prefix, number)
    }

    async fn bytes_at(&self, number: u32) -> kube::Result<Option<u64>> {
        let found = self.api.get_opt(&self.name(number)).await?;
        Ok(found.map(|found| {
            let bytes = found.metadata.annotations.as_ref().and_then(|all| all.get(BYTES));
            bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
        }))
    }

    /// The first number that is free. There is no gap: doubled until one is, then halved.
    async fn find_next(&self) -> kube::Result<Next> {
        let Some(mut bytes) = self.bytes_at(0).await? else { return Ok(Next { number: 0, bytes: 0 }) };
        let (mut there, mut step) = (0, 1);
        while let Some(found) = self.bytes_at(there + step).await? {
            (there, bytes, step) = (there + step, found, step * 2);
        }
        while step > 1 {
            step /= 2;
            if let Some(found) = self.bytes_at(there + step).await? {
                (there, bytes) = (there + step, found);
            }
        }
        Ok(Next { number: there + 1, bytes })
    }
}

fn object_name(prefix: &str, number: u32) -> String {
    format!("{prefix}-out-{number}")
}

fn pack(puts: &[Put]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for put in puts {
        encoder.write_all(put.line.as_bytes())?;
    }
    encoder.finish()
}

fn failed(context: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Failed { context: context.to_owned(), source: source.into() }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        cluster::testing::{ApiServer, wire::Wire},
        job::answer::ItemNumbers,
    };

    const RUN: RunId = RunId { job: Uuid::from_u128(7), run: 2 };

    fn client(server: &ApiServer) -> (Client, Wire) {
        let wire = Wire::new(server, "operator", 1);
        (Client::new(wire.clone(), "team"), wire)
    }

    fn open(client: &Client) -> ConfigMapOutputs {
        ConfigMapOutputs::open(client.clone(), "team", "night", &RUN, None)
    }

    fn facts(batch: u32) -> AnswerFacts {
        let items = Some(ItemNumbers { first: batch, last: batch });
        AnswerFacts { items, stop_reason: Some("end_turn".to_owned()), ..AnswerFacts::default() }
    }

    async fn put(outputs: &ConfigMapOutputs, batch: u32, answer: &str) -> Result<(), StoreError> {
        outputs.put(&RUN, AttemptKey::first(BatchNum(batch)), answer, &facts(batch)).await
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_wait_together_are_one_object_and_come_back_as_they_were() {
        let server = ApiServer::default();
        let (client, wire) = client(&server);
        let outputs = open(&client);
        let puts = (1..=50).map(|batch| {
            let outputs = &outputs;
            async move { put(outputs, batch, &format!("answer {batch}\nwith a line")).await }
        });
        for put in futures::future::join_all(puts).await {
            put.unwrap();
        }
        assert!(wire.sent() <= 3, "{}", wire.sent());
        // The next operator goes on after what is there, and the later answer counts.
        let outputs = open(&client);
        put(&outputs, 51, "more").await.unwrap();
        put(&outputs, 7, "again").await.unwrap();
        let answers = read(&client, "team", &RUN).await.unwrap();
        assert_eq!(answers.len(), 51);
        assert_eq!(answers[&BatchNum(1)].answer, "answer 1\nwith a line");
        assert_eq!(answers[&BatchNum(7)].answer, "again");
        assert_eq!(answers[&BatchNum(7)].facts, facts(7));
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_is_read_back_from_memory_and_after_a_restart_without_a_list() {
        let server = ApiServer::default();
        let (client, wire) = client(&server);
        let outputs = open(&client);
        let kept = outputs.kept();
        for batch in 1..=3 {
            put(&outputs, batch, &format!("answer {batch}")).await.unwrap();
        }
        let key = |batch| AttemptKey::first(BatchNum(batch));
        let before = wire.sent();
        assert_eq!(kept.answer(key(2)).await.unwrap().as_deref(), Some("answer 2"));
        assert_eq!(wire.sent(), before);
        put(&outputs, 2, "the later one").await.unwrap();
        let kept = open(&client).kept();
        assert_eq!(kept.answer(key(2)).await.unwrap().as_deref(), Some("the later one"));
        assert_eq!(kept.answer(key(4)).await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_answer_is_cut_into_pieces_and_half_of_one_is_not_shown() {
        let server = ApiServer::default();
        let (client, _wire) = client(&server);
        let mut chance = fastrand::Rng::with_seed(3);
        let long: String = (0..1_500_000).map(|_| chance.alphanumeric()).collect();
        put(&open(&client), 1, &long).await.unwrap();
        assert_eq!(read(&client, "team", &RUN).await.unwrap()[&BatchNum(1)].answer, long);
        let objects = server.all("/api/v1/namespaces/team/configmaps/");
        assert!(objects.len() > 1);
        let last = format!("{}-out-{}", names::of_run("night", &RUN), objects.len() - 1);
        server.vanish(&format!("/api/v1/namespaces/team/configmaps/{last}"));
        put(&open(&client), 2, "short").await.unwrap();
        let answers = read(&client, "team", &RUN).await.unwrap();
        assert_eq!(answers.into_keys().collect::<Vec<_>>(), [BatchNum(2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_a_run_may_hold_is_refused_for_good() {
        let server = ApiServer::default();
        let (client, _wire) = client(&server);
        let outputs = open(&client);
        let mut chance = fastrand::Rng::with_seed(5);
        let mut refused = None;
        for batch in 1..=30 {
            let long: String = (0..1_000_000).map(|_| chance.alphanumeric()).collect();
            if let Err(error) = put(&outputs, batch, &long).await {
                refused = Some((batch, error));
                break;
            }
        }
        let (batch, error) = refused.expect("it is full");
        assert!(batch > 15 && matches!(error, StoreError::Full { .. }), "{error}");
        assert_eq!(read(&client, "team", &RUN).await.unwrap().into_keys().last(), Some(BatchNum(batch - 1)));
    }
}
