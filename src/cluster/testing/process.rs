//! An operator on the server in memory, as a process of its own that can die.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use kube::Client;
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use super::{ApiServer, wire::Wire};
use crate::{
    cluster::{
        fence::{Clocks, Moment},
        lease,
        object::DEFAULT_MANAGER,
        operator::{Scope, Settings, Ways, run},
        outgoing::Outgoing,
        telemetry,
    },
    driver::clock::MachineClock,
    launch::pod::Images,
};

/// Paused time, seen from a machine whose date is off by so many seconds.
#[derive(Clone)]
pub(crate) struct TestClocks {
    pub(crate) start: Instant,
    pub(crate) offset: i64,
    /// By how many seconds it was set.
    pub(crate) set: Arc<AtomicI64>,
}

impl Clocks for TestClocks {
    fn now(&self) -> Moment {
        let boot = self.start.elapsed();
        let set = self.set.load(Ordering::Relaxed);
        let wall = 1_800_000_000 + self.offset + set + i64::try_from(boot.as_secs()).unwrap();
        let wall = Timestamp::new(wall, i32::try_from(boot.subsec_nanos()).unwrap()).unwrap();
        Moment { boot, wall }
    }
}

/// An operator. Dropping it kills it.
pub(crate) struct Operator {
    pub(crate) wire: Wire,
    pub(crate) telemetry: telemetry::Shared,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Operator {
    /// The container of the one Pod that there is: started again it is the same to the lease.
    pub(crate) fn start(server: &ApiServer) -> Self {
        Self::named(server, "pod-uid", |_| {})
    }

    /// One of several, or with other settings.
    pub(crate) fn named(server: &ApiServer, identity: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let wire = Wire::new(server, identity, 1);
        let mut settings = Settings {
            scope: Scope::Namespaces(vec!["team".to_owned()]),
            lease: lease::Settings {
                namespace: "mozart".to_owned(),
                name: "mozart".to_owned(),
                identity: identity.to_owned(),
            },
            manager: DEFAULT_MANAGER.to_owned(),
            writer: "mozart/mozart".to_owned(),
            identity: identity.to_owned(),
            images: Images { mozart: "mozart:1".to_owned(), batch: Some("batch:1".to_owned()) },
            allowed: Vec::new(),
            fs_group: true,
            archive: None,
            tracer: None,
            outgoing: Outgoing::new(vec!["127.0.0.0/8".parse().unwrap()]).unwrap(),
        };
        change(&mut settings);
        let client = || Client::new(wire.clone(), "mozart");
        let ways = Ways { lease: client(), work: client(), people: client() };
        let clocks = TestClocks { start: server.start(), offset: 0, set: server.clock() };
        let clock = MachineClock::paused(server.start(), server.clock());
        let (stop, stopped) = oneshot::channel();
        let telemetry = telemetry::Shared::default();
        let stopped = async { drop(stopped.await) };
        let task = tokio::spawn(run(ways, settings, telemetry.clone(), clocks, clock, stopped));
        Self { wire, telemetry, stop: Some(stop), task }
    }

    /// Asks it to end, and waits for it.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        let _ = tokio::time::timeout(Duration::from_mins(2), &mut self.task).await.expect("it ends");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // What it has spawned lives on in this runtime: nothing of that may come through.
        self.wire.cut(true);
        self.task.abort();
    }
}
