//! What state costs: a save at batch 10 and at batch 10,000, in both forms, and history over a million batches, kept here
//! and copied as an operator copies it.
//!
//! `cargo bench --bench store`; a share of a second is the disk's, since every save is durable.

#![expect(clippy::print_stdout, reason = "what is measured is printed")]

#[path = "compare/success.rs"]
mod success;

use std::{
    ops::RangeInclusive,
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mozart::{
    driver::ports::Store as _,
    engine::{
        event::{Event, EventKind},
        ledger::{Ledger, RunStart},
        ranges::Ranges,
    },
    history::Reader,
    job::{
        identity::{BatchNum, RunId},
        model::{StateBackend, StateKind},
        outcome::FailureClass,
    },
    store::{Local, Saved, Sqlite, home::Home, record::BatchState},
};

use success::success;

/// So many saves are timed at either place.
const SAVES: u32 = 200;
/// Jobs beside the one that is measured.
const OTHER_JOBS: u32 = 50;
const MANY: u32 = 1_000_000;
/// How often history is asked the same.
const QUESTIONS: usize = 21;
/// Batches of one save of the million.
const CHUNK: u32 = 10_000;
/// Batches of one copy.
const COPIED: u32 = 1_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for kind in [StateKind::Sqlite, StateKind::Json] {
        runtime.block_on(saves(kind));
    }
    runtime.block_on(history());
    runtime.block_on(copies());
}

/// A state folder on the disk of the build: memory would make durability free.
async fn opened(kind: StateKind) -> (tempfile::TempDir, Local) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("room on the disk");
    let home = Home::new(folder.path().to_owned());
    let store = Local::open(&home, &StateBackend { kind, path: None }).await.expect("a new state");
    (folder, store)
}

async fn begun(store: &Local, name: &str, total: u32) -> Ledger {
    let file = Path::new("/jobs").join(name);
    let uid = store.register_job(&name.parse().expect("a name"), &file, Path::new("/jobs")).await;
    let start = RunStart {
        run: RunId { job: uid.expect("room on the disk"), run: 1 },
        plan_hash: "0".repeat(64),
        of_total: total,
        selected: Ranges::span(1, total),
        done_before: Ranges::default(),
    };
    let ledger = Ledger::start(start, Timestamp::now());
    store.begin_run(&ledger, "the plan").await.expect("room on the disk");
    ledger
}

/// Saves that these batches succeeded.
async fn save(store: &Local, ledger: &mut Ledger, batches: RangeInclusive<u32>) {
    ledger.seq += 1;
    for batch in batches.clone() {
        ledger.claimed.insert(BatchNum(batch));
        ledger.succeeded.insert(BatchNum(batch));
    }
    let journal: Vec<Event> = batches.flat_map(success).collect();
    store.save(ledger, &journal).await.expect("room on the disk");
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took[took.len() / 2]
}

/// A run at its beginning and one far on, saved in turn: what else the machine does hits both.
async fn saves(kind: StateKind) {
    let mut sides = Vec::new();
    for start in [10, 10_000] {
        let (folder, store) = opened(kind).await;
        for number in 0..OTHER_JOBS {
            begun(&store, &format!("other-{number}"), 10).await;
        }
        let mut ledger = begun(&store, "measured", 20_000).await;
        for first in (1..start).step_by(100) {
            save(&store, &mut ledger, first..=start.min(first + 99)).await;
        }
        sides.push((folder, store, ledger, start, Vec::new()));
    }
    for number in 1..=SAVES {
        for (_folder, store, ledger, start, took) in &mut sides {
            let began = Instant::now();
            save(store, ledger, *start + number..=*start + number).await;
            took.push(began.elapsed());
        }
    }
    let [early, late] = [0, 1].map(|side| median(std::mem::take(&mut sides[side].4)));
    let ratio = late.as_secs_f64() / early.as_secs_f64();
    println!(
        "{kind:?}: a save takes {early:.2?} at batch 10 and {late:.2?} at batch 10,000, ratio {ratio:.2}"
    );
}

async fn history() {
    let (_folder, store) = opened(StateKind::Sqlite).await;
    let mut ledger = begun(&store, "large", MANY).await;
    for first in (1..=MANY).step_by(CHUNK as usize) {
        save(&store, &mut ledger, first..=first + CHUNK - 1).await;
        let (reason, message) = ("ExitCode".to_owned(), "it said 3".to_owned());
        let kind = EventKind::BatchFailed {
            batch: BatchNum(first),
            class: FailureClass::BatchFatal,
            reason,
            message,
        };
        ledger.seq += 1;
        let failed = [Event { at: Timestamp::now(), kind }];
        store.save(&ledger, &failed).await.expect("room on the disk");
    }
    let (run, middle) = (&ledger.run, BatchNum(MANY / 2));
    let failed = Some(BatchState::Failed);
    for (what, state) in [("all", None), ("failed", failed), ("done", Some(BatchState::Succeeded))] {
        let page =
            asked(async || store.batches(run, state, middle, 100).await.expect("it is readable").len());
        page.await.tell(&format!("a page of batches ({what}) of a million"));
    }
    let attempts = asked(async || store.attempts(run, middle).await.expect("it is readable").len());
    attempts.await.tell("the attempts at one of a million batches");
}

/// The history of an operator: what is copied a second, and what a question of a person takes that opens it anew.
async fn copies() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("room on the disk");
    let home = Home::new(folder.path().to_owned());
    let database = Sqlite::open(&home.database()).await.expect("a new state");
    let start = RunStart {
        run: RunId { job: uuid::Uuid::new_v4(), run: 1 },
        plan_hash: "0".repeat(64),
        of_total: MANY,
        selected: Ranges::span(1, MANY),
        done_before: Ranges::default(),
    };
    let mut ledger = Ledger::start(start, Timestamp::now());
    let began = Instant::now();
    for first in (1..=MANY).step_by(COPIED as usize) {
        let batches = first..=first + COPIED - 1;
        ledger.seq += 1;
        for batch in batches.clone() {
            ledger.succeeded.insert(BatchNum(batch));
        }
        let saved = Saved {
            name: "large".to_owned(),
            file: "team/large".into(),
            used_in: "team".into(),
            ledger: ledger.clone(),
            journal: batches.flat_map(success).collect(),
            saves: 1,
        };
        database.copy(&[saved]).await.expect("room on the disk");
    }
    let a_second = f64::from(MANY) / began.elapsed().as_secs_f64();
    println!("a copy takes {a_second:.0} batches a second, {COPIED} at a time, each durable");
    let (team, run) = (Path::new("team"), &ledger.run);
    let question = asked(async || {
        let reader = Reader::open(&home).await.expect("it is readable");
        let job = reader.job_in(team, "large").await.expect("it is readable").expect("it is there");
        let runs = reader.runs(&job).await.expect("it is readable").len();
        let failed = Some(BatchState::Failed);
        let none = reader.batches(run, failed, BatchNum(0), 1_000).await.expect("it is readable").len();
        runs + none
            + reader.batches(run, None, BatchNum(MANY / 2), 1_000).await.expect("it is readable").len()
    });
    question
        .await
        .tell("a run, its failed and 1,000 of its batches of a million that were copied, opened anew");
}

struct Asked {
    first: Duration,
    median: Duration,
    found: usize,
}

/// Asks again and again: the first time nothing is in memory yet.
async fn asked(question: impl AsyncFn() -> usize) -> Asked {
    let mut took = Vec::new();
    let mut found = 0;
    for _ in 0..QUESTIONS {
        let began = Instant::now();
        found = question().await;
        took.push(began.elapsed());
    }
    Asked { first: took[0], median: median(took), found }
}

impl Asked {
    fn tell(&self, what: &str) {
        let Self { first, median, found } = self;
        println!("{what}: {found} in {median:.2?}, the first time {first:.2?}");
    }
}
