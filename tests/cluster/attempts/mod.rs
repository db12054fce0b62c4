//! Attempts as Pods: what the API server takes and tells, and, below `node`, what a kubelet makes of it.

mod asked;
mod author;
mod made;
pub mod node;
mod refused;

use std::{path::Path, sync::Arc, time::Duration};

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{Api, ResourceExt as _, api::PostParams};
use mozart::{
    api::pod,
    driver::{clock::MachineClock, ports::Launcher as _},
    engine::world::AttemptState,
    job::{
        identity::{AttemptKey, BatchNum, RunId},
        load::{Overrides, load_text},
        model::Job,
        outcome::Outcome,
        plan::{Plan, Settled},
        start::Start,
    },
    launch::pod::{Claims, Counts, Images, PodPlace, Pods, ServerClock, Volume, plan},
    sources::LocalSources,
};
use serde_json::{Value, json};

use crate::support::{Namespace, object};

/// Nothing that is waited for takes nearly as long.
const PATIENCE: Duration = Duration::from_mins(3);

/// A launcher that alone knows what is claimed.
pub type PodLauncher = mozart::launch::pod::PodLauncher<Alone>;

/// Claims everything that is launched, and expects nothing that was there before it or is to end at once.
pub struct Alone;

impl Claims for Alone {
    fn is_new(&self, _: AttemptKey) -> bool {
        true
    }

    async fn expect(&self, _: &RunId, _: AttemptKey) -> Result<bool, Arc<kube::Error>> {
        Ok(false)
    }
}

/// A job with an active run, without an operator.
pub struct Run {
    pub place: PodPlace,
    pub pods: Pods,
    pub api: Api<Pod>,
}

impl Run {
    /// A run of the backend `command`; `more` is merged into the spec of the job.
    pub async fn new(namespace: &Namespace, command: &[&str], more: &Value) -> Self {
        let mut job = json!({
            "apiVersion": "mozart.dev/v1alpha1",
            "kind": "MozartJob",
            "metadata": {"name": "review"},
            "spec": {
                "backend": {"type": "command", "command": command},
                "batch": {"size": 1, "totalItems": 9},
                "prompt": {"template": "batch {{ batch_num }}"},
                "workspace": {"emptyDir": {}},
            },
        });
        for (name, value) in more.as_object().unwrap() {
            job["spec"][name] = value.clone();
        }
        let made = namespace.jobs().create(&PostParams::default(), &object(&job)).await.unwrap();
        let loaded = loaded(&job);
        let run = RunId { job: made.uid().unwrap().parse().unwrap(), run: 1 };
        let owner = OwnerReference {
            api_version: "mozart.dev/v1alpha1".to_owned(),
            kind: "MozartJob".to_owned(),
            name: "review".to_owned(),
            uid: made.uid().unwrap(),
            controller: Some(true),
            block_owner_deletion: None,
        };
        let client = &namespace.client;
        let plan = Plan::new(&job, &loaded, &Settled::default());
        let plan = plan::write(client, &namespace.name, &owner, "review", &run, &plan).await.unwrap();
        let pod: Option<pod::Pod> = serde_json::from_value(job["spec"]["pod"].clone()).unwrap();
        let pods = Pods::watch(client.clone(), &namespace.name);
        pods.ready().await;
        let place = PodPlace {
            client: client.clone(),
            namespace: namespace.name.clone(),
            job_name: "review".to_owned(),
            owner,
            job: loaded,
            run,
            plan,
            images: Images {
                mozart: "localhost/mozart:test".to_owned(),
                batch: Some("localhost/mozart:test".to_owned()),
            },
            pod: pod.unwrap_or_else(|| serde_json::from_value(json!({})).unwrap()),
            allowed: Vec::new(),
            workspace: Volume::EmptyDir { medium: None, size_limit: None },
            credential: None,
            fs_group: true,
            counts: Counts::default(),
            logs: None,
            traced: false,
            clock: ServerClock::new(MachineClock::of_environment().unwrap()),
        };
        Self { place, pods, api: Api::namespaced(client.clone(), &namespace.name) }
    }

    pub fn launcher(&self) -> PodLauncher {
        self.launcher_of(self.place.clone())
    }

    /// A launcher that knows the same Pods.
    pub fn launcher_of(&self, place: PodPlace) -> PodLauncher {
        PodLauncher::new(place, self.pods.clone(), Arc::new(Alone))
    }

    /// The Pod of a first attempt.
    pub fn name(&self, batch: u32) -> String {
        mozart::launch::pod::names::pod("review", &self.place.run, first(batch))
    }
}

/// The job of a manifest, as it is in a Pod.
pub fn loaded(manifest: &Value) -> Arc<Job> {
    let overrides = Overrides { workspace: Some("/workspace".into()), ..Overrides::default() };
    let path = Path::new("/workspace/job");
    Arc::new(load_text(&manifest.to_string(), path, &overrides, &LocalSources::new("/")).unwrap().job)
}

pub fn first(batch: u32) -> AttemptKey {
    AttemptKey::first(BatchNum(batch))
}

pub fn start(batch: u32) -> Start {
    Start { key: first(batch), attempt: 1, previous: None, canary: false, budget_micro_usd: None }
}

/// Waits until a look shows what is wanted of an attempt.
pub async fn until<T>(
    launcher: &PodLauncher,
    batch: u32,
    wanted: impl Fn(Option<&AttemptState>) -> Option<T>,
) -> T {
    let look = async {
        loop {
            let seen = launcher.look().await;
            let state = seen.iter().find(|one| one.key == first(batch)).map(|one| &one.state);
            if let Some(found) = wanted(state) {
                return found;
            }
            launcher.changed().await;
        }
    };
    tokio::time::timeout(PATIENCE, look)
        .await
        .unwrap_or_else(|_| panic!("{:?} {:?}", launcher.held(), launcher.blocked()))
}

/// Waits for an attempt's end.
pub async fn ended(launcher: &PodLauncher, batch: u32) -> Outcome {
    until(launcher, batch, |state| match state {
        Some(AttemptState::Ended(outcome)) => Some((**outcome).clone()),
        _ => None,
    })
    .await
}

/// Waits until something is true of the cluster.
pub async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Waits until an attempt's Pod is there.
pub async fn there(run: &Run, batch: u32) -> Pod {
    let name = run.name(batch);
    eventually("the Pod is there", || async { run.api.get_opt(&name).await.unwrap().is_some() }).await;
    run.api.get(&name).await.unwrap()
}
