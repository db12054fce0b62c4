//! A state folder with 100,000 runs and 1,000,000 batches: one run is written as runs are, and the others are copies of
//! it, made by the database.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mozart::{
    driver::ports::Store as _,
    engine::{
        event::Event,
        ledger::{Ledger, RunPhase, RunStart},
        ranges::Ranges,
    },
    job::{
        identity::RunId,
        model::{StateBackend, StateKind},
    },
    store::{Local, home::Home},
};
use sqlx::{Connection as _, SqliteConnection};

use crate::success::success;

pub const JOBS: u32 = 200;
pub const RUNS: u32 = 100_000;
const BATCHES: u32 = 10;

pub fn with_history(folder: &Path) -> PathBuf {
    let home = folder.join("history");
    std::fs::create_dir(&home).expect("room on the disk");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        first_runs(&home).await;
        copies(&Home::new(home.clone()).database()).await;
    });
    home
}

async fn first_runs(home: &Path) {
    let backend = StateBackend { kind: StateKind::Sqlite, path: None };
    let store = Local::open(&Home::new(home.to_owned()), &backend).await.expect("a new state");
    for number in 0..JOBS {
        let name = format!("job-{number}").parse().expect("a name");
        let file = home.join(format!("job-{number}.yaml"));
        let job = store.register_job(&name, &file, home).await.expect("room on the disk");
        let start = RunStart {
            run: RunId { job, run: 1 },
            plan_hash: "0".repeat(64),
            of_total: BATCHES,
            selected: Ranges::span(1, BATCHES),
            done_before: Ranges::default(),
        };
        let mut ledger = Ledger::start(start, Timestamp::now());
        store.begin_run(&ledger, "the plan").await.expect("room on the disk");
        ledger.seq += 1;
        ledger.succeeded = Ranges::span(1, BATCHES);
        ledger.phase = RunPhase::Complete;
        ledger.ended = Some(Timestamp::now());
        let journal: Vec<Event> = (1..=BATCHES).flat_map(success).collect();
        store.save(&ledger, &journal).await.expect("room on the disk");
    }
    store.close().await;
}

async fn copies(database: &Path) {
    let address = format!("sqlite://{}", database.display());
    let mut connection = SqliteConnection::connect(&address).await.expect("it was made");
    let each = RUNS / JOBS;
    let of_first = "FROM job_runs r JOIN job_runs first ON first.job = r.job AND first.run = 1
         JOIN {table} o ON o.run_id = first.id WHERE r.run > 1";
    let columns = "state, {more} started, ended, class, reason, message, input_tokens, output_tokens,
         cache_read_tokens, cache_write_tokens, cost_micro_usd, usage_partial";
    let of = |columns: &str| {
        let names = columns.split(',').map(|name| format!("o.{}", name.trim()));
        names.collect::<Vec<_>>().join(", ")
    };
    let batches = columns.replace("{more}", "attempts, until,");
    let attempts = columns.replace("{more}", "exit_code, accepted, session, warnings, provenance,");
    let statements = [
        "PRAGMA synchronous = OFF".to_owned(),
        format!(
            "INSERT INTO job_runs (job, run, seq, ended, started, phase, ledger)
             WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {each})
             SELECT job, i, seq, ended, started - ({each} - i) * 60000, phase,
                 json_set(ledger, '$.run.run', i,
                     '$.started', strftime('%Y-%m-%dT%H:%M:%SZ', started / 1000 - ({each} - i) * 60, 'unixepoch'))
             FROM job_runs, n WHERE run = 1"
        ),
        format!(
            "INSERT INTO batches (run_id, batch, {batches}) SELECT r.id, o.batch, {} {}",
            of(&batches),
            of_first.replace("{table}", "batches")
        ),
        format!(
            "INSERT INTO attempts (run_id, batch, ordinal, {attempts}) SELECT r.id, o.batch, o.ordinal, {} {}",
            of(&attempts),
            of_first.replace("{table}", "attempts")
        ),
    ];
    for statement in statements {
        let ran = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await;
        ran.expect("the tables are as the migrations make them");
    }
    connection.close().await.expect("it is whole");
}
