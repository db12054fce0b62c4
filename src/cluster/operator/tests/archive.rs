//! An operator with a volume: in real time, since the database and the sockets know no other.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use super::{
    JOB, UID, condition,
    in_process::{put_all, until, until_phase},
    job, status, well,
};
use crate::{
    cluster::{
        archive::{Archive, LOG_BYTES},
        testing::{
            ApiServer, Kubelet, Operator,
            fake_api::{FakeApi, Reply},
        },
    },
    engine::ranges::Ranges,
    job::{
        answer::ItemNumbers,
        identity::{AttemptKey, BatchNum, RunId},
    },
    store::{Sqlite, record::BatchState},
};

/// A job whose batches are Pods.
const OTHER: &str = "/apis/mozart.dev/v1alpha1/namespaces/team/mozartjobs/pods";

fn run() -> RunId {
    RunId { job: UID.parse().unwrap(), run: 1 }
}

/// An operator whose volume is this folder.
pub(super) async fn operator(server: &ApiServer, data: &Path) -> (Operator, Archive) {
    let archive = Archive::open(data.to_owned(), LOG_BYTES).await;
    let with = archive.clone();
    (Operator::named(server, "pod-uid", |settings| settings.archive = Some(with)), archive)
}

fn put_on_volume(server: &ApiServer, url: &str, batches: u32, parallelism: u32, output: Value) {
    put_all(server, url, batches, parallelism);
    server.edit(JOB, |job| job["spec"]["output"] = output);
}

async fn kept(archive: &Archive) -> Vec<u32> {
    let Some(store) = Sqlite::open_to_read(&archive.home().database()).await.unwrap() else {
        return Vec::new();
    };
    store.answered(&run(), BatchNum(0), 10_000).await.unwrap().iter().map(|key| key.batch.0).collect()
}

/// Waits, a minute at most, until history has that many batches in that state.
async fn until_told(archive: &Archive, state: BatchState, count: usize) {
    let waited = tokio::time::timeout(Duration::from_mins(1), async {
        loop {
            let store = Sqlite::open_to_read(&archive.home().database()).await.unwrap().unwrap();
            if store.batches(&run(), Some(state), BatchNum(0), 10_000).await.unwrap().len() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(waited.await.is_ok(), "history does not tell of {count} batches {state:?}");
}

#[tokio::test]
async fn answers_are_on_the_volume_and_history_tells_of_every_batch() {
    let api = FakeApi::start(|request| Reply::text(&format!("heard {}", request.said()))).await;
    let (server, folder) = (ApiServer::default(), tempfile::tempdir().unwrap());
    put_on_volume(&server, api.url(), 12, 4, json!({}));
    let (_operator, archive) = operator(&server, folder.path()).await;
    until_phase(&server, "Complete").await;
    assert_eq!(kept(&archive).await, (1..=12).collect::<Vec<_>>());
    assert!(
        server
            .all("/api/v1/namespaces/team/configmaps/")
            .iter()
            .all(|one| { one["metadata"]["labels"]["mozart.dev/output"].is_null() })
    );
    until_told(&archive, BatchState::Succeeded, 12).await;
    let store = Sqlite::open_to_read(&archive.home().database()).await.unwrap().unwrap();
    assert_eq!(store.gap(&run()).await.unwrap(), 0);
    let found = store.job_in(Path::new("team"), "night").await.unwrap().unwrap();
    assert_eq!(found.uid, run().job);
    let (answer, facts) = store.kept_answer(&run(), BatchNum(3)).await.unwrap().unwrap();
    assert_eq!(facts.items, Some(ItemNumbers { first: 3, last: 3 }));
    assert_eq!(facts.stop_reason.as_deref(), Some("end_turn"));
    assert!(facts.usage.is_some_and(|usage| usage.input_tokens > 0), "{facts:?}");
    assert!(answer.contains("do 3\""), "{answer}");
}

/// H15.
#[tokio::test]
async fn what_pods_wrote_is_copied_before_they_go_and_their_answers_are_kept() {
    let (server, folder) = (ApiServer::default(), tempfile::tempdir().unwrap());
    let finding =
        r#"{"type":"file_exists","path":"a.md","passed":true,"expected":"a file","actual":"a file"}"#;
    let said =
        [(1, 'o', "an answer"), (2, 'e', "only a word beside it"), (2, 'f', finding), (2, 'f', "none")];
    for (batch, letter, text) in said {
        let pod = format!("/api/v1/namespaces/team/pods/night-0aaa1-r1-b{batch}-a1");
        server.say(&pod, &format!("{letter} 2026-01-01T00:00:00.000Z {text}"));
    }
    server.put(JOB, job(3, 3));
    let _kubelet = Kubelet::start(&server, well);
    let (_operator, archive) = operator(&server, folder.path()).await;
    until_phase(&server, "Complete").await;
    until(&server, "no Pods", |server| super::pods(server).is_empty()).await;
    let read = |batch, stdout| {
        let files = archive.home().attempt(&run(), AttemptKey::first(BatchNum(batch)));
        fs::read_to_string(if stdout { files.stdout() } else { files.stderr() }).ok()
    };
    assert_eq!((read(1, true).as_deref(), read(1, false)), (Some("an answer\n"), None));
    assert_eq!((read(2, true), read(2, false).as_deref()), (None, Some("only a word beside it\n")));
    assert_eq!((read(3, true), read(3, false)), (None, None));
    let reader = archive.reader().await.unwrap();
    let findings = |batch| reader.findings(&run(), AttemptKey::first(BatchNum(batch)));
    assert_eq!(findings(2).unwrap()[0].path.as_deref(), Some("a.md"));
    assert_eq!((findings(2).unwrap().len(), findings(1)), (1, None), "what is no finding is none");
    assert_eq!(kept(&archive).await, [1]);
    let found = Sqlite::open_to_read(&archive.home().database()).await.unwrap().unwrap();
    let (answer, facts) = found.kept_answer(&run(), BatchNum(1)).await.unwrap().unwrap();
    assert_eq!(answer, "an answer\n");
    assert_eq!(facts.items, Some(ItemNumbers { first: 1, last: 1 }));
    assert_eq!(facts.usage.map(|usage| usage.output_tokens), Some(2));
}

/// I3 and R-21, with the volume as the home of the answers.
#[tokio::test]
async fn what_the_ledger_calls_done_is_on_the_volume_whenever_the_operator_is_killed() {
    const BATCHES: u32 = 200;
    const PARALLELISM: u32 = 5;
    let api = FakeApi::playing([Reply::text("well").after(Duration::from_millis(5))]).await;
    let (server, folder) = (ApiServer::default(), tempfile::tempdir().unwrap());
    put_on_volume(&server, api.url(), BATCHES, PARALLELISM, json!({"store": "Operator"}));
    let mut chance = fastrand::Rng::with_seed(12);
    let (mut alive, mut archive) = operator(&server, folder.path()).await;
    let mut crashes = 0;
    while status(&server)["phase"] != "Complete" && crashes < 12 {
        tokio::time::sleep(Duration::from_millis(chance.u64(50..700))).await;
        drop(alive);
        crashes += 1;
        let done: Ranges =
            status(&server)["checkpoint"]["succeeded"].as_str().unwrap_or_default().parse().unwrap();
        let kept = kept(&archive).await;
        assert!(done.iter().all(|batch| kept.contains(&batch.0)), "{done} but {kept:?}");
        (alive, archive) = operator(&server, folder.path()).await;
    }
    until_phase(&server, "Complete").await;
    assert_eq!(kept(&archive).await.len(), BATCHES as usize);
    let extra = api.requests().len() - BATCHES as usize;
    assert!(extra <= (crashes * 2 * PARALLELISM) as usize, "{extra} more starts in {crashes} deaths");
    drop(alive);
}

/// R-20.
#[tokio::test]
async fn while_the_volume_cannot_be_written_api_jobs_wait_and_pod_jobs_go_on() {
    let api = FakeApi::playing([Reply::text("well")]).await;
    let (server, folder) = (ApiServer::default(), tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    // No folder can be made where a file is.
    fs::write(&data, "").unwrap();
    put_on_volume(&server, api.url(), 3, 1, json!({"store": "Operator"}));
    let mut pods = job(3, 3);
    pods["metadata"]["name"] = json!("pods");
    pods["metadata"]["uid"] = json!("7d1f3c8e-2f1c-4d0a-9d5f-0a1b2c3d4e5f");
    server.put(OTHER, pods);
    let _kubelet = Kubelet::start(&server, well);
    let (_operator, _archive) = operator(&server, &data).await;
    until(&server, "the other job", |server| {
        server.get(OTHER).is_some_and(|job| job["status"]["phase"] == "Complete")
    })
    .await;
    until(&server, "why it waits", |server| {
        condition(server, "Progressing")["reason"] == "OutputStoreUnavailable"
    })
    .await;
    assert!(api.requests().is_empty());
    fs::remove_file(&data).unwrap();
    until_phase(&server, "Complete").await;
    assert_eq!(api.requests().len(), 3);
}

/// H1.
#[tokio::test]
async fn answers_go_with_their_job_unless_they_are_to_stay() {
    for (retain, left) in [("Job", 0), ("Forever", 2)] {
        let api = FakeApi::playing([Reply::text("well")]).await;
        let (server, folder) = (ApiServer::default(), tempfile::tempdir().unwrap());
        put_on_volume(&server, api.url(), 2, 1, json!({"retain": retain}));
        let (operator, archive) = operator(&server, folder.path()).await;
        until_phase(&server, "Complete").await;
        assert_eq!(kept(&archive).await.len(), 2);
        server.delete(JOB);
        // The deletion is told before the operator can be asked to end.
        tokio::time::sleep(Duration::from_secs(1)).await;
        operator.stop().await;
        archive.close().await;
        assert_eq!(kept(&archive).await.len(), left, "{retain}");
    }
}

/// H1.
#[tokio::test(start_paused = true)]
async fn a_job_whose_answers_would_have_no_home_says_so() {
    for output in [json!({}), json!({"store": "None"})] {
        let server = ApiServer::default();
        put_on_volume(&server, "http://127.0.0.1:9", 2, 1, output);
        let _operator = Operator::start(&server);
        super::until(&server, "the condition", |server| {
            condition(server, "Valid")["reason"] == "NoOutputStore"
        })
        .await;
    }
}
