//! A view of one run that changes a hundred times a second, served in a process of its own. What it says of the run is
//! the time at which it changed.

use std::{collections::BTreeMap, io::Write as _, sync::Arc, time::Duration};

use jiff::Timestamp;
use mozart::{
    dashboard::{
        Actions, Server, View, ViewError,
        actions::{Action, ActionError},
        view::{Driver, HistoryList, HistoryWanted, JobEntry, Piece, Rights, RunEntry, Spec, Text, TextKind},
    },
    engine::{
        ledger::{Ledger, RunPhase, RunStart},
        ranges::Ranges,
    },
    history::OutputPage,
    job::{
        finding::Finding,
        identity::{AttemptKey, BatchNum, RunId},
    },
    store::record::{AttemptRecord, BatchRecord, BatchState},
};
use tokio::sync::watch;

/// Set, this program serves.
pub const SERVE: &str = "MOZART_BENCH_CLOCK";
/// Events a second.
pub const RATE: u32 = 100;

struct Clock {
    revision: watch::Sender<u64>,
    ledger: Ledger,
}

pub fn serve() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let server = Server::listen(0).await.expect("a port");
        let mut out = std::io::stdout();
        writeln!(out, "{}", server.link("/")).and_then(|()| out.flush()).expect("somebody reads");
        let start = RunStart {
            run: RunId { job: uuid::Uuid::nil(), run: 1 },
            plan_hash: String::new(),
            of_total: 1_000,
            selected: Ranges::span(1, 1_000),
            done_before: Ranges::default(),
        };
        let ledger = Ledger::start(start, Timestamp::now());
        let clock = Arc::new(Clock { revision: watch::Sender::new(1), ledger });
        let ticking = Arc::clone(&clock);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
            loop {
                ticks.tick().await;
                ticking.revision.send_modify(|revision| *revision += 1);
            }
        });
        server.serve(clock).await;
    });
}

impl Clock {
    fn entry(&self) -> RunEntry {
        let mut ledger = self.ledger.clone();
        let now = Timestamp::now();
        // In microseconds, where readers find it.
        let message = format!("at {} us", now.as_microsecond());
        ledger.phase = RunPhase::Stopping { reason: "Clock".to_owned(), message, now: false };
        let driver = Driver { name: "a clock".to_owned(), since: ledger.started };
        RunEntry::of("clock", &ledger, Some(driver), None, now)
    }
}

impl View for Clock {
    fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    async fn jobs(&self) -> Result<Arc<Vec<JobEntry>>, ViewError> {
        Ok(Arc::new(self.job("clock").await?.into_iter().collect()))
    }

    async fn job(&self, _: &str) -> Result<Option<JobEntry>, ViewError> {
        let now = self.ledger.started;
        Ok(Some(JobEntry {
            key: "clock".to_owned(),
            uid: uuid::Uuid::nil(),
            name: "clock".to_owned(),
            origin: String::new(),
            namespace: None,
            labels: BTreeMap::new(),
            conditions: Vec::new(),
            command_name: "clock".to_owned(),
            created: now,
            used: now,
            last: Some(self.entry()),
            rights: Rights::default(),
        }))
    }

    async fn run(&self, _: &JobEntry, _: u32) -> Result<Option<RunEntry>, ViewError> {
        Ok(Some(self.entry()))
    }

    async fn batches(
        &self,
        _: &RunId,
        _: Option<BatchState>,
        _: BatchNum,
        _: u32,
    ) -> Result<Vec<BatchRecord>, ViewError> {
        Ok(Vec::new())
    }

    async fn history(
        &self,
        _: &HistoryWanted,
        _: Option<String>,
        _: u32,
    ) -> Result<Option<HistoryList>, ViewError> {
        Ok(None)
    }

    async fn attempts_between(
        &self,
        _: &RunId,
        _: BatchNum,
        _: BatchNum,
    ) -> Result<Vec<AttemptRecord>, ViewError> {
        Ok(Vec::new())
    }

    async fn attempts(&self, _: &RunId, _: BatchNum) -> Result<Vec<AttemptRecord>, ViewError> {
        Ok(Vec::new())
    }

    async fn findings(&self, _: &RunId, _: AttemptKey) -> Result<Vec<Finding>, ViewError> {
        Ok(Vec::new())
    }

    async fn text(&self, _: &RunId, _: AttemptKey, _: TextKind, _: Piece) -> Result<Option<Text>, ViewError> {
        Ok(None)
    }

    async fn outputs(&self, _: &RunId, _: BatchNum, _: u32) -> Result<OutputPage, ViewError> {
        Ok(OutputPage { outputs: Vec::new(), next: None })
    }

    async fn spec(&self, _: &JobEntry, _: Option<u32>) -> Result<Spec, ViewError> {
        Ok(Spec::default())
    }
}

impl Actions for Clock {
    async fn act(&self, _: &JobEntry, _: &Action, _: bool) -> Result<String, ActionError> {
        Err(ActionError { message: "a clock cannot be changed".to_owned() })
    }
}
