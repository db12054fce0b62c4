//! Leadership in paused time: cut wires, lost answers, paused processes, wrong clocks, and a thousand seeds of them all.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
    client::ClientBuilder,
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{DURATION, Election, Settings, Standing};
use crate::cluster::{
    fence::{Clocks as _, Fence, OPEN_FOR},
    testing::{ApiServer, TestClocks, wire::Wire},
};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/mozart/leases/mozart";

/// A process that asks for the lease, and while it believes to lead writes an object a second.
struct Process {
    wire: Wire,
    standing: watch::Receiver<Standing>,
    stop: Option<oneshot::Sender<()>>,
    paused_until: Arc<Mutex<Instant>>,
    task: JoinHandle<()>,
}

/// A future that is not looked at before that time: a process that was paused.
struct Pausable<F> {
    inner: Pin<Box<F>>,
    until: Arc<Mutex<Instant>>,
    alarm: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl<F: Future> Future for Pausable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let until = *self.until.lock().unwrap();
        if Instant::now() < until {
            let mut alarm = Box::pin(tokio::time::sleep_until(until));
            let waits = alarm.as_mut().poll(context).is_pending();
            self.alarm = Some(alarm);
            if waits {
                return Poll::Pending;
            }
        }
        self.inner.as_mut().poll(context)
    }
}

impl Process {
    fn start(server: &ApiServer, name: &str, seed: u64) -> Self {
        Self::with(server, name, seed, 0, OPEN_FOR)
    }

    fn with(server: &ApiServer, name: &str, seed: u64, offset: i64, open_for: Duration) -> Self {
        let wire = Wire::new(server, name, seed);
        let clocks = TestClocks { start: Instant::now(), offset, set: Arc::default() };
        let fence = Fence::open_for(clocks.clone(), open_for);
        let settings =
            Settings { namespace: "mozart".to_owned(), name: "mozart".to_owned(), identity: name.to_owned() };
        let client = Client::new(wire.clone(), "mozart");
        let election = Election::new(client, settings, clocks, fence.clone());
        let fenced: Client = ClientBuilder::new(wire.clone(), "mozart").with_layer(&fence).build();
        let (sender, standing) = watch::channel(Standing::Following { holder: None });
        let (stop, stopped) = oneshot::channel();
        let writes = write_while_leading(fenced, standing.clone(), name.to_owned());
        let both = async move {
            tokio::select! {
                () = election.run(sender, async { drop(stopped.await) }) => {}
                () = writes => {}
            }
        };
        let paused_until = Arc::new(Mutex::new(Instant::now()));
        let task = tokio::spawn(Pausable { inner: Box::pin(both), until: paused_until.clone(), alarm: None });
        Self { wire, standing, stop: Some(stop), paused_until, task }
    }

    fn leads(&self) -> bool {
        matches!(*self.standing.borrow(), Standing::Leading { .. })
    }

    fn pause(&self, time: Duration) {
        *self.paused_until.lock().unwrap() = Instant::now() + time;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn write_while_leading(client: Client, standing: watch::Receiver<Standing>, name: String) {
    let api: Api<ConfigMap> = Api::namespaced(client, "mozart");
    for number in 0.. {
        if matches!(*standing.borrow(), Standing::Leading { .. }) {
            let metadata = ObjectMeta { name: Some(format!("{name}-{number}")), ..ObjectMeta::default() };
            let object = ConfigMap { metadata, ..ConfigMap::default() };
            // What comes of it is seen at the server.
            drop(api.create(&PostParams::default(), &object).await);
        }
        sleep(Duration::from_millis(700)).await;
    }
}

/// The first write by somebody who did not hold the lease when it arrived.
fn stray_write(server: &ApiServer) -> Option<String> {
    let mut leaders: Vec<(Instant, String)> = Vec::new();
    for write in server.writes() {
        if write.path.contains("/leases") {
            leaders.push((write.at, write.by.clone()));
        } else if let Some((since, leader)) = leaders.last()
            && *leader != write.by
        {
            let late = write.at.duration_since(*since);
            return Some(format!("{} wrote {late:?} after {leader} had renewed", write.by));
        }
    }
    None
}

fn holder(server: &ApiServer) -> String {
    let lease = server.get(LEASE).unwrap();
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn one_of_two_leads_and_the_other_follows() {
    let server = ApiServer::default();
    let (one, other) = (Process::start(&server, "one", 1), Process::start(&server, "other", 2));
    sleep(Duration::from_mins(1)).await;
    assert!(one.leads() != other.leads());
    assert_eq!(stray_write(&server), None);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_before_another_begins() {
    let server = ApiServer::default();
    let one = Process::start(&server, "one", 1);
    sleep(Duration::from_secs(5)).await;
    let other = Process::start(&server, "other", 2);
    sleep(Duration::from_secs(5)).await;
    assert!(one.leads() && !other.leads());
    one.wire.cut(true);
    sleep(OPEN_FOR).await;
    assert!(!one.leads() && !other.leads(), "nobody is sure of leading");
    sleep(DURATION).await;
    assert!(other.leads());
    one.wire.cut(false);
    sleep(3 * DURATION).await;
    assert!(!one.leads() && other.leads());
    assert_eq!(stray_write(&server), None);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_paused_and_wakes_does_no_harm() {
    let server = ApiServer::default();
    let one = Process::start(&server, "one", 1);
    sleep(Duration::from_secs(5)).await;
    let other = Process::start(&server, "other", 2);
    one.pause(3 * DURATION);
    sleep(4 * DURATION).await;
    assert!(other.leads() && !one.leads());
    assert_eq!(stray_write(&server), None);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_slept_past_its_lease_leads_another_term_even_if_nobody_else_did() {
    let server = ApiServer::default();
    let one = Process::start(&server, "one", 1);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(*one.standing.borrow(), Standing::Leading { term: 1 });
    one.pause(3 * DURATION);
    sleep(4 * DURATION).await;
    assert_eq!(*one.standing.borrow(), Standing::Leading { term: 2 });
}

#[tokio::test(start_paused = true)]
async fn a_restarted_process_takes_its_own_lease_back_at_once() {
    let server = ApiServer::default();
    let one = Process::start(&server, "pod-uid", 1);
    sleep(Duration::from_secs(5)).await;
    drop(one);
    let again = Process::start(&server, "pod-uid", 2);
    sleep(Duration::from_millis(100)).await;
    assert!(again.leads());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_given_back_is_taken_by_the_next_look() {
    let server = ApiServer::default();
    let mut one = Process::start(&server, "one", 1);
    sleep(Duration::from_secs(5)).await;
    let other = Process::start(&server, "other", 2);
    sleep(Duration::from_secs(1)).await;
    drop(one.stop.take());
    sleep(super::PERIOD + Duration::from_millis(100)).await;
    assert!(other.leads() && !one.leads());
    assert_eq!(stray_write(&server), None);
}

#[tokio::test(start_paused = true)]
async fn dates_that_are_days_apart_change_nothing() {
    let server = ApiServer::default();
    let one = Process::with(&server, "one", 1, -400_000, OPEN_FOR);
    sleep(Duration::from_secs(5)).await;
    let other = Process::with(&server, "other", 2, 400_000, OPEN_FOR);
    sleep(10 * DURATION).await;
    assert!(one.leads() && !other.leads());
    assert_eq!(holder(&server), "one");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_was_lost_is_found_and_goes_on() {
    let server = ApiServer::default();
    let one = Process::start(&server, "one", 1);
    sleep(Duration::from_secs(5)).await;
    one.wire.lose_answers(1);
    for _ in 0..60 {
        sleep(Duration::from_millis(500)).await;
        assert!(one.leads());
    }
}

/// Three processes under cuts, pauses and slow wires; the first write by one that no longer led.
async fn storm(seed: u64, open_for: Duration) -> (ApiServer, Option<String>) {
    let mut chance = fastrand::Rng::with_seed(seed);
    let server = ApiServer::default();
    let processes: Vec<Process> = (0..3)
        .map(|number| {
            let offset = chance.i64(-1000..1000);
            Process::with(&server, &format!("p{number}"), chance.u64(..), offset, open_for)
        })
        .collect();
    for _ in 0..40 {
        let process = &processes[chance.usize(..processes.len())];
        match chance.u32(..5) {
            0 => process.wire.cut(true),
            1 => process.wire.cut(false),
            2 => process.wire.slow(Duration::from_millis(chance.u64(..1900))),
            3 => process.pause(Duration::from_secs(chance.u64(1..40))),
            _ => process.wire.lose_answers(chance.u32(..3)),
        }
        sleep(Duration::from_millis(chance.u64(500..12_000))).await;
    }
    for process in &processes {
        process.wire.cut(false);
        process.wire.lose_answers(0);
        process.wire.slow(Duration::ZERO);
    }
    sleep(6 * DURATION).await;
    assert_eq!(
        processes.iter().filter(|process| process.leads()).count(),
        1,
        "seed {seed}: somebody leads again"
    );
    let stray = stray_write(&server);
    (server, stray)
}

fn seeds() -> u64 {
    std::env::var("MOZART_TEST_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

#[test]
fn whatever_happens_nobody_writes_after_another_leads() {
    for seed in 0..seeds() {
        in_paused_time(async {
            let (server, stray) = storm(seed, OPEN_FOR).await;
            assert_eq!(stray, None, "seed {seed}");
            let written = server.writes().iter().filter(|write| !write.path.contains("/leases")).count();
            assert!(written > 20, "seed {seed}: work goes on, {written} writes");
        });
    }
}

/// The simulation is worth something only if it sees what the fence prevents.
#[test]
fn without_the_fence_the_simulation_sees_two_leaders() {
    let seen = (0..30).any(|seed| {
        let mut stray = None;
        in_paused_time(async { stray = storm(seed, Duration::from_hours(1)).await.1 });
        stray.is_some()
    });
    assert!(seen);
}

fn in_paused_time(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test);
}

/// A request that waited while another led does not arrive when this process leads again.
#[tokio::test(start_paused = true)]
async fn what_was_begun_in_one_term_is_not_written_in_another() {
    let server = ApiServer::default();
    let clocks = TestClocks { start: Instant::now(), offset: 0, set: Arc::default() };
    let fence = Fence::new(clocks.clone());
    let in_this_term = || -> Api<ConfigMap> {
        let wire = Wire::new(&server, "one", 1);
        let layer = fence.in_term(fence.term());
        Api::namespaced(ClientBuilder::new(wire, "team").with_layer(&layer).build(), "team")
    };
    let named = |name: &str| ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    };
    fence.open(clocks.now());
    let first = in_this_term();
    first.create(&PostParams::default(), &named("in-time")).await.unwrap();
    sleep(OPEN_FOR).await;
    fence.open(clocks.now());
    first.create(&PostParams::default(), &named("late")).await.unwrap_err();
    in_this_term().create(&PostParams::default(), &named("anew")).await.unwrap();
    let names: Vec<_> = server
        .all("/api/v1/namespaces/team/configmaps/")
        .iter()
        .map(|one| one["metadata"]["name"].clone())
        .collect();
    assert_eq!(names, ["anew", "in-time"]);
}
