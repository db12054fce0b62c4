//! What runs Pods in memory, and remembers when each ran: the witness that no Mozart can talk to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::Instant};

use super::ApiServer;

/// How long it takes to look at what has changed.
const LOOK: Duration = Duration::from_millis(20);

/// How a Pod goes.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) takes: Duration,
    pub(crate) exit_code: i32,
    pub(crate) message: String,
}

/// When a Pod ran.
#[derive(Clone, Debug)]
pub(crate) struct Lived {
    pub(crate) run: String,
    pub(crate) batch: u32,
    pub(crate) ordinal: u32,
    pub(crate) from: Instant,
    pub(crate) to: Option<Instant>,
    played: Played,
}

/// Runs every Pod of a server; ends with it.
pub(crate) struct Kubelet {
    lives: Arc<Mutex<BTreeMap<String, Lived>>>,
    task: JoinHandle<()>,
}

impl Kubelet {
    pub(crate) fn start(server: &ApiServer, script: fn(u32, u32) -> Played) -> Self {
        let lives = Arc::<Mutex<BTreeMap<String, Lived>>>::default();
        let (server, known) = (server.clone(), Arc::clone(&lives));
        let task = tokio::spawn(async move {
            loop {
                let mut changed = server.changes();
                let next = look(&server, &mut known.lock().unwrap(), script);
                tokio::select! {
                    _ = changed.changed() => tokio::time::sleep(LOOK).await,
                    () = tokio::time::sleep(next) => {}
                }
            }
        });
        Self { lives, task }
    }

    /// Every Pod that ran, in order of the batches.
    pub(crate) fn lives(&self) -> Vec<Lived> {
        let mut lives: Vec<Lived> = self.lives.lock().unwrap().values().cloned().collect();
        lives.sort_by_key(|life| (life.run.clone(), life.batch, life.ordinal, life.from));
        lives
    }

    /// Two Pods of one batch that ran at a time.
    pub(crate) fn overlap(&self) -> Option<String> {
        let lives = self.lives();
        let pairs = lives
            .iter()
            .enumerate()
            .flat_map(|(index, one)| lives[index + 1..].iter().map(move |other| (one, other)));
        let mut same = pairs.filter(|(one, other)| one.run == other.run && one.batch == other.batch);
        same.find(|(one, other)| {
            let before = one.to.is_some_and(|end| end <= other.from);
            let after = other.to.is_some_and(|end| end <= one.from);
            !before && !after
        })
        .map(|(one, other)| format!("{one:?} beside {other:?}"))
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts, ends and counts Pods; how long until the next one ends by itself.
fn look(server: &ApiServer, lives: &mut BTreeMap<String, Lived>, script: fn(u32, u32) -> Played) -> Duration {
    let pods = server.all("/api/v1/namespaces/");
    let mut there = Vec::new();
    for pod in pods.iter().filter(|pod| pod["kind"] == "Pod" || pod["spec"]["containers"].is_array()) {
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        there.push(uid.clone());
        step(server, pod, &uid, lives, script);
    }
    for (_, life) in lives.iter_mut().filter(|(uid, life)| life.to.is_none() && !there.contains(uid)) {
        life.to = Some(Instant::now());
    }
    let left = lives.values().filter(|life| life.to.is_none());
    let left = left.map(|life| life.played.takes.saturating_sub(life.from.elapsed()));
    left.min().unwrap_or(Duration::from_hours(24))
}

fn step(
    server: &ApiServer,
    pod: &Value,
    uid: &str,
    lives: &mut BTreeMap<String, Lived>,
    script: fn(u32, u32) -> Played,
) {
    let (namespace, name) = (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    let now = server.state().objects.now();
    let state = |state: Value| json!([{"name": "attempt", "state": state}]);
    let Some(life) = lives.get_mut(uid) else {
        let label = |name: &str| text(&pod["metadata"]["labels"][format!("mozart.dev/{name}")]);
        let number = |name: &str| label(name).parse().unwrap_or(0);
        let (batch, ordinal) = (number("batch"), number("attempt"));
        let run = format!("{}/{}", label("job-uid"), label("run"));
        let played = script(batch, ordinal);
        lives.insert(uid.to_owned(), Lived { run, batch, ordinal, from: Instant::now(), to: None, played });
        server.edit(&path, |pod| {
            pod["spec"]["nodeName"] = "node".into();
            pod["status"] = json!({"phase": "Running", "startTime": now,
                "containerStatuses": state(json!({"running": {"startedAt": now}}))});
        });
        return;
    };
    let asked_to_end = !pod["metadata"]["deletionTimestamp"].is_null();
    let over = life.from.elapsed() >= life.played.takes;
    if life.to.is_some() || !over && !asked_to_end {
        return;
    }
    life.to = Some(Instant::now());
    let (code, message) =
        if over { (life.played.exit_code, life.played.message.as_str()) } else { (143, "") };
    server.edit(&path, |pod| {
        pod["status"]["phase"] = if code == 0 { "Succeeded" } else { "Failed" }.into();
        let ended = json!({"exitCode": code, "message": message, "startedAt": pod["status"]["startTime"],
            "finishedAt": now});
        pod["status"]["containerStatuses"] = state(json!({"terminated": ended}));
    });
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
