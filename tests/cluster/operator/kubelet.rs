//! A node that pretends to run Pods, and remembers which it ran: the witness that no operator can talk to.
//!
//! The scheduler gives it the Pods, and it does to them what a kubelet does; only their program never runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
    runtime::{WatchStreamExt as _, watcher},
};
use mozart::{
    attempt::message,
    job::outcome::{Failure, FailureClass, Outcome, Usage},
};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::Instant};

use crate::support::Namespace;

/// How an attempt goes.
#[derive(Clone, Copy, Debug)]
pub struct Played {
    pub takes: Duration,
    pub fails: bool,
}

/// How attempts go, by batch and ordinal.
pub type Script = fn(u32, u32) -> Played;

/// A Pod that ran.
#[derive(Clone, Debug)]
pub struct Lived {
    /// Names the attempt.
    pub pod: String,
    pub batch: u32,
    pub from: Instant,
    pub to: Option<Instant>,
}

/// Plays the node of a namespace.
pub struct Kubelet {
    nodes: Api<Node>,
    name: String,
    lives: Lives,
    task: JoinHandle<()>,
}

/// By the Pods' UIDs.
type Lives = Arc<Mutex<BTreeMap<String, Lived>>>;

/// The fields of `spec.pod` that bring a Pod here. No other goes here, and nobody else's taints drive it away.
pub fn pod(node: &str) -> Value {
    json!({"nodeSelector": {"mozart.dev/test": node}, "tolerations": [{"operator": "Exists"}]})
}

impl Kubelet {
    pub async fn start(namespace: &Namespace, script: Script) -> Self {
        let name = namespace.name.clone();
        let nodes: Api<Node> = Api::all(namespace.client.clone());
        let node = json!({
            "metadata": {"name": name, "labels": {"mozart.dev/test": name}},
            "spec": {"taints": [{"key": "mozart.dev/test", "effect": "NoSchedule"}]},
        });
        nodes.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
        let room = json!({"cpu": "64", "memory": "64Gi", "pods": "1000"});
        let status = json!({"status": {"capacity": room, "allocatable": room,
            "conditions": [{"type": "Ready", "status": "True"}]}});
        nodes.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        let lives = Lives::default();
        let task =
            tokio::spawn(play(namespace.client.clone(), namespace.name.clone(), script, Arc::clone(&lives)));
        Self { nodes, name, lives, task }
    }

    /// Every Pod that ran, those of a batch in their order.
    pub fn lives(&self) -> Vec<Lived> {
        let mut lives: Vec<Lived> = lock(&self.lives).values().cloned().collect();
        lives.sort_by_key(|life| (life.batch, life.from));
        lives
    }

    /// What ran and should not have: an attempt twice, or two attempts of a batch at a time.
    pub fn wrong(&self) -> Vec<String> {
        let lives = self.lives();
        let pairs = lives.windows(2).filter(|pair| pair[0].batch == pair[1].batch);
        pairs
            .filter(|pair| pair[0].pod == pair[1].pod || pair[0].to.is_none_or(|end| end > pair[1].from))
            .map(|pair| format!("{:?} and {:?}", pair[0], pair[1]))
            .collect()
    }

    pub async fn delete(self) {
        self.task.abort();
        self.nodes.delete(&self.name, &DeleteParams::default()).await.unwrap();
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A Pod that runs here; dropping it forgets it.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn play(client: Client, node: String, script: Script, lives: Lives) {
    let pods: Api<Pod> = Api::namespaced(client, &node);
    let config = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
    let mut events = watcher(pods.clone(), config).default_backoff().boxed();
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    while let Some(event) = events.next().await {
        let pod = match event {
            Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => pod,
            Ok(watcher::Event::Delete(pod)) => {
                let uid = pod.uid().unwrap();
                running.remove(&uid);
                ended(&lives, &uid);
                continue;
            }
            Ok(watcher::Event::Init | watcher::Event::InitDone) | Err(_) => continue,
        };
        let uid = pod.uid().unwrap();
        let known = lock(&lives).contains_key(&uid);
        if pod.metadata.deletion_timestamp.is_some() {
            running.remove(&uid);
            tokio::spawn(end(pods.clone(), pod, known, Arc::clone(&lives)));
        } else if !known {
            let number = |label: &str| pod.labels()[label].parse().unwrap();
            let (batch, ordinal) = (number("mozart.dev/batch"), number("mozart.dev/attempt"));
            let life = Lived { pod: pod.name_any(), batch, from: Instant::now(), to: None };
            lock(&lives).insert(uid.clone(), life);
            let run = run(pods.clone(), pod, script(batch, ordinal), Arc::clone(&lives));
            running.insert(uid, Running(tokio::spawn(run)));
        }
    }
}

async fn run(pods: Api<Pod>, pod: Pod, played: Played, lives: Lives) {
    let started = Timestamp::now();
    let state = json!({"running": {"startedAt": whole(started)}});
    report(&pods, &pod, "Running", json!({"startTime": whole(started)}), state).await;
    tokio::time::sleep(played.takes).await;
    let failure =
        played.fails.then(|| Failure::new(FailureClass::Transient, "ProgramFailed", "it was played so"));
    let outcome = Outcome {
        failure,
        accepted: true,
        usage: Usage::default(),
        session: None,
        signal: None,
        warnings: Vec::new(),
        exit_code: Some(i32::from(played.fails)),
        provenance: None,
        started,
        ended: Timestamp::now(),
    };
    ended(&lives, &pod.uid().unwrap());
    let phase = if played.fails { "Failed" } else { "Succeeded" };
    let state = terminated(i32::from(played.fails), started, &message::write(&outcome));
    report(&pods, &pod, phase, json!({}), state).await;
}

/// A Pod that is deleted: what runs of it is ended, and then it may go as far as the node is concerned.
async fn end(pods: Api<Pod>, pod: Pod, ran: bool, lives: Lives) {
    let uid = pod.uid().unwrap();
    let over = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if ran && !matches!(over, Some("Succeeded" | "Failed")) {
        ended(&lives, &uid);
        report(&pods, &pod, "Failed", json!({}), terminated(143, Timestamp::now(), "")).await;
    }
    let preconditions = Some(Preconditions { uid: Some(uid), resource_version: None });
    let gone = DeleteParams { preconditions, ..DeleteParams::default().grace_period(0) };
    // It may be gone by now.
    let _ = pods.delete(&pod.name_any(), &gone).await;
}

fn terminated(code: i32, started: Timestamp, message: &str) -> Value {
    let now = whole(Timestamp::now());
    json!({"terminated": {"exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" },
        "message": message, "startedAt": whole(started), "finishedAt": now}})
}

/// Kubernetes tells whole seconds.
fn whole(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap().to_string()
}

async fn report(pods: &Api<Pod>, pod: &Pod, phase: &str, more: Value, state: Value) {
    let mut status = json!({"phase": phase, "containerStatuses": [{
        "name": "attempt", "image": "i", "imageID": "i", "ready": false, "restartCount": 0, "state": state,
    }]});
    status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let patch = Patch::Merge(json!({"metadata": {"uid": pod.uid()}, "status": status}));
    // It may be gone by now, or another may have its name. As long as no server answers, a kubelet tells it again.
    while let Err(error) = pods.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await {
        if matches!(&error, kube::Error::Api(status) if status.is_not_found() || status.is_conflict()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn ended(lives: &Lives, uid: &str) {
    if let Some(life) = lock(lives).get_mut(uid) {
        life.to.get_or_insert_with(Instant::now);
    }
}

fn lock(lives: &Lives) -> std::sync::MutexGuard<'_, BTreeMap<String, Lived>> {
    lives.lock().unwrap_or_else(PoisonError::into_inner)
}
