//! The operator: while this process leads, every job of its namespaces has a task that attends to it.

mod answers;
mod archived;
mod attend;
mod begin;
mod claims;
mod closing;
mod connect;
mod context;
mod drive;
mod driven;
mod herald;
mod in_process;
mod in_turn;
mod notices;
mod prepare;
mod readback;
mod roster;
mod secrets;
mod size;
mod task;
#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc, time::Duration};

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use http::Request;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    client::{Body, ClientBuilder},
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::sync::watch;
use tower::service_fn;

use self::{closing::Closing, context::Context, driven::Driven, roster::Roster};
use super::{
    archive::Archive,
    credential,
    fence::{Clocks, Fence},
    lean::LeanObject,
    lease::{self, Election, Standing},
    outgoing::Outgoing,
    store::resource,
    telemetry::{self, Health},
};
use crate::{
    driver::clock::MachineClock,
    launch::pod::{Images, ServerClock, allow::Guarded},
    trace::Tracer,
};

/// All jobs are listed anew this often: a watch that has lost an event does not know it.
const RELIST: Duration = Duration::from_mins(5);
/// Objects in one answer of a listing: it is held as text and as values at a time, and a job's takes tens of kilobytes
/// when its spec is long.
const PAGE: u32 = 50;
/// An operator that is asked to end has so long for what runs in its own process, and to save what it knows.
const DRAIN: Duration = Duration::from_mins(1);
/// How often Pods of jobs that are no more are looked for.
const SWEEP: Duration = Duration::from_mins(10);

/// Which namespaces an operator is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// These.
    Namespaces(Vec<String>),
    /// All.
    Cluster,
}

impl Scope {
    /// All of them, or those that are named, or `own` where none is.
    pub fn of(all: bool, named: Vec<String>, own: &str) -> Self {
        match (all, named.is_empty()) {
            (true, _) => Self::Cluster,
            (false, true) => Self::Namespaces(vec![own.to_owned()]),
            (false, false) => Self::Namespaces(named),
        }
    }
}

/// What an installation says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which namespaces it is for.
    pub scope: Scope,
    /// The lease, and who this process is.
    pub lease: lease::Settings,
    /// What `spec.managedBy` of its jobs says.
    pub manager: String,
    /// What a ledger names as its writer: the namespace and name of the lease.
    pub writer: String,
    /// This process, for Events.
    pub identity: String,
    /// The images of batches.
    pub images: Images,
    /// The guarded fields of `spec.pod` that jobs may use.
    pub allowed: Vec<Guarded>,
    /// Whether volumes are given to the group of the batches.
    pub fs_group: bool,
    /// The way to the model's service, for batches in its own process.
    pub outgoing: Outgoing,
    /// History, and answers that are kept nowhere else; `None` without a volume.
    pub archive: Option<Archive>,
    /// Who is told of spans; `None` where nobody collects them.
    pub tracer: Option<Tracer>,
}

/// The ways to the API server. Neither tries anything again by itself: what was asked in one term must not arrive in
/// another.
#[derive(Clone)]
pub struct Ways {
    /// For the lease alone, so that nothing else is before it in the queue.
    pub lease: Client,
    /// For everything else that the operator does.
    pub work: Client,
    /// For what people look at, so that however many ask they hold up no job.
    pub people: Client,
}

impl Ways {
    /// Those of a configuration.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn new(config: &kube::Config) -> kube::Result<Self> {
        Ok(Self {
            lease: connect::client(config)?,
            work: connect::client(config)?,
            people: connect::client(config)?,
        })
    }

    /// The way for everything else, behind `fence`.
    fn fenced<C: Clocks>(
        &self,
        fence: &Fence<C>,
        telemetry: &telemetry::Shared,
        clock: &ServerClock,
    ) -> Client {
        let (client, telemetry, clock) = (self.work.clone(), Arc::clone(telemetry), clock.clone());
        let send = move |request: Request<Body>| {
            let (client, telemetry, clock) = (client.clone(), Arc::clone(&telemetry), clock.clone());
            async move {
                let answer = telemetry.metrics.request(request, |request| client.send(request)).await;
                answer.inspect(|answer| clock.hear(answer.headers()))
            }
        };
        ClientBuilder::new(service_fn(send), self.work.default_namespace()).with_layer(fence).build()
    }
}

/// Runs until `stop` resolves, telling of itself in `telemetry`; then begins nothing more, saves what it knows, and gives the lease
/// back, so that the next one goes on at once. Pods run on, and whoever leads next finds them.
pub async fn run<C: Clocks>(
    ways: Ways,
    settings: Settings,
    telemetry: telemetry::Shared,
    clocks: C,
    clock: MachineClock,
    stop: impl Future<Output = ()>,
) {
    let settings = Arc::new(settings);
    let fence = Fence::new(clocks.clone());
    let election = Election::new(ways.lease.clone(), settings.lease.clone(), clocks, fence.clone());
    let (sender, mut standing) = watch::channel(Standing::Following { holder: None });
    let (stopped, ended) = tokio::sync::oneshot::channel::<()>();
    let election = tokio::spawn(election.run(sender, async { drop(ended.await) }));
    let closing = Closing::new();
    let stopping = async {
        stop.await;
        telemetry.stands(Health::Stopping);
        if tokio::time::timeout(DRAIN, closing.close()).await.is_err() {
            tracing::warn!("not all that was under way is recorded: whoever leads next sees to it");
        }
    };
    tokio::select! {
        () = stopping => {}
        () = lead_when_leader(&ways, &settings, &telemetry, &closing, &fence, &clock, &mut standing) => {}
    }
    // The fence shuts behind the last write.
    drop(stopped);
    if let Err(error) = election.await {
        tracing::error!(%error, "the election has ended by itself");
    }
}

async fn lead_when_leader<C: Clocks>(
    ways: &Ways,
    settings: &Arc<Settings>,
    telemetry: &telemetry::Shared,
    closing: &Closing,
    fence: &Fence<C>,
    clock: &MachineClock,
    standing: &mut watch::Receiver<Standing>,
) {
    let driven = Arc::new(Driven::default());
    loop {
        let now = standing.borrow_and_update().clone();
        telemetry.stands(match &now {
            Standing::Leading { .. } => Health::TakingUp,
            Standing::Following { holder: Some(leader) } => Health::StandingBy { leader: leader.clone() },
            Standing::Following { holder: None } => Health::Starting,
        });
        if let Standing::Leading { term } = now {
            let fence = fence.in_term(term);
            let server_clock = ServerClock::new(clock.clone());
            let context = Context::new(
                ways.fenced(&fence, telemetry, &server_clock),
                Arc::clone(settings),
                Arc::clone(telemetry),
                closing.clone(),
                server_clock,
                clock.clone(),
                Arc::clone(&driven),
            );
            tokio::select! {
                // Everything of the term ends with it.
                ended = standing.wait_for(|standing| *standing != now) => if ended.is_err() { return },
                () = lead(&context) => {}
            }
        } else if standing.changed().await.is_err() {
            return;
        }
    }
}

/// Attends to every job, for as long as it is polled.
async fn lead(context: &Arc<Context>) {
    let Context { client, settings, .. } = &**context;
    let credentials = stream::select_all(watches(client, &settings.scope, &credential::resource()));
    tokio::select! {
        () = context.credentials.follow(credentials) => {}
        () = lead_jobs(context) => {}
    }
}

/// A watch of every collection of a resource that is in a scope.
pub(super) fn watches(
    client: &Client,
    scope: &Scope,
    resource: &ApiResource,
) -> Vec<BoxStream<'static, watcher::Result<watcher::Event<DynamicObject>>>> {
    let client = || client.clone();
    let apis: Vec<Api<LeanObject>> = match scope {
        Scope::Cluster => vec![Api::all_with(client(), resource)],
        Scope::Namespaces(namespaces) => {
            let api = |namespace: &String| Api::namespaced_with(client(), namespace, resource);
            namespaces.iter().map(api).collect()
        }
    };
    let anew = |api| {
        let anew = stream::repeat(api).flat_map(|api| {
            let events = watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff();
            let events = events.map(|event| event.map(LeanObject::told));
            events.take_until(tokio::time::sleep(RELIST)).boxed()
        });
        anew.boxed()
    };
    apis.into_iter().map(anew).collect()
}

async fn lead_jobs(context: &Arc<Context>) {
    let watches = watches(&context.client, &context.settings.scope, &resource());
    let mut rosters: Vec<Roster> = watches.iter().map(|_| Roster::new(Arc::clone(context))).collect();
    let watches = watches.into_iter().enumerate();
    let mut events =
        stream::select_all(watches.map(|(index, events)| events.map(move |event| (index, event)).boxed()));
    let mut sweep = tokio::time::interval(SWEEP);
    let mut listed = vec![false; rosters.len()];
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some((index, Ok(event))) => {
                    if rosters[index].take(event) && !std::mem::replace(&mut listed[index], true) {
                        sweep.reset_immediately();
                        if listed.iter().all(|listed| *listed) {
                            context.telemetry.stands(Health::Leading);
                        }
                    }
                }
                Some((_, Err(error))) => {
                    tracing::warn!(%error, "the watch of the jobs broke off; it is taken up again");
                }
                None => return,
            },
            _ = sweep.tick(), if listed.iter().all(|listed| *listed) => {
                if let Some(archive) = &context.settings.archive {
                    let of = match &context.settings.scope {
                        Scope::Namespaces(namespaces) => Some(namespaces.clone()),
                        Scope::Cluster => None,
                    };
                    archive.keep_only(rosters.iter().flat_map(Roster::uids).collect(), of);
                }
                let namespaces: Vec<String> = match &context.settings.scope {
                    Scope::Namespaces(namespaces) => namespaces.clone(),
                    Scope::Cluster => rosters.iter().flat_map(Roster::namespaces).collect(),
                };
                let context = Arc::clone(context);
                tokio::spawn(async move { context.sweep(namespaces).await });
            }
        }
    }
}
