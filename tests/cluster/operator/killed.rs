//! `kill -9` of the operator at random moments, again and again: what the node ran, not what Mozart says of itself.
//!
//! `MOZART_TEST_BATCHES` says of how many batches the job is (60 unless it is set; from 500 on a job that is left alone
//! is run first, to compare), `MOZART_TEST_SEED` repeats a choice of moments.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::{
    ACCOUNT, Work, kubelet::Played, logged_at, on_the_node, setting, submit, tells_of_leading, until,
};

/// From so many batches on it is worth while to compare times.
const MANY: u64 = 500;

/// Half a second to one and a half; every tenth batch fails the first time.
pub fn script(batch: u32, ordinal: u32) -> Played {
    let takes = Duration::from_millis(500 + u64::from(batch * 379 + ordinal * 131) % 1000);
    Played { takes, fails: batch.is_multiple_of(10) && ordinal == 1 }
}

async fn begin(work: &Work, batches: u64) {
    let spec = json!({
        "batch": {"size": 1, "totalItems": batches, "parallelism": batches / 25 + 4},
        "retry": {"baseDelaySeconds": 0.1},
    });
    submit(&work.namespace, "night", &on_the_node(&work.namespace, &spec)).await;
}

async fn complete(work: &Work) {
    until(&work.namespace, "night", "completes", |status| status["lastRun"]["outcome"] == "Complete").await;
}

/// How long it takes, the operator left alone.
async fn undisturbed(batches: u64) -> Duration {
    let work = Work::new(script).await;
    let _operator = work.place.start(ACCOUNT);
    let since = Instant::now();
    begin(&work, batches).await;
    complete(&work).await;
    let took = since.elapsed();
    check(&work, batches).await;
    work.end().await;
    took
}

/// Every batch has ended well, every attempt was started once, and no two of a batch ran at a time.
pub async fn check(work: &Work, batches: u64) {
    assert_eq!(work.kubelet.wrong(), Vec::<String>::new());
    let lives = work.kubelet.lives();
    let ran: BTreeSet<u32> = lives.iter().map(|life| life.batch).collect();
    assert_eq!(ran, (1..=u32::try_from(batches).unwrap()).collect(), "every batch ran");
    assert_eq!(lives.len() as u64, batches + batches / 10, "what failed ran once more, nothing else did");
    let job = work.namespace.jobs().get("night").await.unwrap();
    assert_eq!(job.data["status"]["checkpoint"]["succeeded"], format!("1-{batches}"));
}

/// From the start of a process to its leading, of each.
fn restarts(work: &Work) -> Vec<Duration> {
    let mut began: Option<Timestamp> = None;
    let mut restarts = Vec::new();
    for line in work.place.log(ACCOUNT) {
        if line["message"] == "the operator starts" {
            began = Some(logged_at(&line));
        } else if let Some(began) = began.filter(|_| tells_of_leading(&line)) {
            restarts.push(logged_at(&line).duration_since(began).unsigned_abs());
        }
    }
    restarts.sort();
    restarts
}

#[tokio::test]
async fn an_operator_that_is_killed_all_the_time_loses_no_batch_and_starts_none_twice() {
    let batches = setting("MOZART_TEST_BATCHES").unwrap_or(60);
    let seed = setting("MOZART_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("MOZART_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let alone = if batches >= MANY { Some(undisturbed(batches).await) } else { None };
    let work = Work::new(script).await;
    let since = Instant::now();
    begin(&work, batches).await;
    let mut kills = 0;
    {
        let mut done = std::pin::pin!(complete(&work));
        loop {
            let mut operator = work.place.start(ACCOUNT);
            tokio::select! {
                () = &mut done => break,
                ended = operator.wait() => panic!("it ended by itself: {ended:?}"),
                () = tokio::time::sleep(Duration::from_millis(random.u64(1000..3000))) => {}
            }
            operator.kill().await.unwrap();
            kills += 1;
        }
    }
    let took = since.elapsed();
    check(&work, batches).await;
    let restarts = restarts(&work);
    let restart = restarts[restarts.len() / 2];
    println!("{batches} batches, {kills} kills: 0 lost, 0 started twice, done in {took:.1?}");
    println!(
        "from the start of a process to its leading: median {restart:.1?}, longest {:.1?}",
        restarts[restarts.len() - 1]
    );
    if let Some(alone) = alone {
        let wanted = alone.mul_f64(1.5) + restarts.iter().sum::<Duration>();
        println!("left alone it takes {alone:.1?}; wanted with the restarts: at most {wanted:.1?}");
        assert!(took <= wanted);
    }
    assert!(kills > 0);
    work.end().await;
}
