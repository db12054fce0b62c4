//! The real Claude Code in Pods, writing to a volume.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Secret};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use mozart::{
    api::credential::CredentialType,
    driver::ports::Launcher as _,
    job::plan::{Plan, Settled, SettledKey},
    launch::pod::{Credential, PodPlace, Volume, plan},
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, UdpSocket};

use super::{
    super::{Run, ended, first, start},
    IMAGE,
};
use crate::{
    fake_api::{FakeApi, MODEL, Reply, Request},
    support::Namespace,
};

/// A folder of this machine, as a claim of the namespace.
pub struct Claim {
    folder: tempfile::TempDir,
    volumes: Api<PersistentVolume>,
    name: String,
}

impl Claim {
    /// A claim `review` in the namespace.
    pub async fn new(namespace: &Namespace) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The kubelet gives no folder of its node to the group of a Pod.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let volumes: Api<PersistentVolume> = Api::all(namespace.client.clone());
        let name = namespace.name.clone();
        let spec = |more: Value| {
            let mut spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": ""});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec
        };
        let volume = json!({"metadata": {"name": name}, "spec": spec(json!({
            "capacity": {"storage": "1Gi"}, "hostPath": {"path": folder.path()},
        }))});
        volumes.create(&PostParams::default(), &serde_json::from_value(volume).unwrap()).await.unwrap();
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(namespace.client.clone(), &namespace.name);
        let claim = json!({"metadata": {"name": "review"}, "spec": spec(json!({
            "volumeName": name, "resources": {"requests": {"storage": "1Gi"}},
        }))});
        claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();
        Self { folder, volumes, name }
    }

    /// What the batches see as their workspace.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn delete(self) {
        self.volumes.delete(&self.name, &DeleteParams::default()).await.unwrap();
    }
}

/// An address of this machine that Pods reach.
pub async fn reachable(namespace: &Namespace) -> TcpListener {
    let nodes: Api<Node> = Api::all(namespace.client.clone());
    let nodes = nodes.list(&ListParams::default()).await.unwrap();
    let addresses = nodes.items.into_iter().filter_map(|node| node.status?.addresses).flatten();
    let node = addresses.into_iter().find(|one| one.type_ == "InternalIP").unwrap().address;
    // The node may be this machine or a container of it: ours is the address that the way there begins at.
    let way = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    way.connect((node, 9)).await.unwrap();
    TcpListener::bind((way.local_addr().unwrap().ip(), 0)).await.unwrap()
}

/// A service that Pods reach; it lets each batch write its file, and then say that it is done.
pub async fn service(namespace: &Namespace) -> FakeApi {
    FakeApi::start_on(reachable(namespace).await, |request: &Request| {
        let said = request.said();
        let batch =
            said.split("This is batch ").nth(1).and_then(|rest| rest.split('.').next()).unwrap_or("0");
        if said.contains("tool_result") {
            Reply::text("It is written.")
        } else {
            Reply::write(Path::new(&format!("/workspace/report-{batch}.md")), &format!("of batch {batch}"))
        }
    })
}

/// Makes the Secret of a key.
pub async fn key(namespace: &Namespace) {
    let secrets: Api<Secret> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let secret = json!({"metadata": {"name": "anthropic"}, "stringData": {"api-key": "sk-ant-canary-789"}});
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
}

/// The run of `base` with another backend, at another volume and with a key.
async fn with_claude(base: &Run, namespace: &Namespace, url: &str) -> PodPlace {
    let manifest = json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": {"name": "review"},
        "spec": {
            "backend": {"type": "claude_cli", "model": MODEL},
            "batch": {"size": 1, "totalItems": 9},
            "prompt": {"template": "This is batch {{ batch_num }}."},
            "validations": [
                {"type": "file_modified", "path": "{workspace}/report-{batch_num}.md"},
                {"type": "content_contains", "path": "{workspace}/report-{batch_num}.md", "pattern": "of batch"},
            ],
        },
    });
    let job = super::super::loaded(&manifest);
    let settled = Settled { key: Some(SettledKey::Api("ANTHROPIC_API_KEY".to_owned())), base_url: None };
    let plan = Plan::new(&manifest, &job, &settled);
    let mut place = base.place.clone();
    place.run.run = 2;
    place.plan = plan::write(&namespace.client, &namespace.name, &place.owner, "review", &place.run, &plan)
        .await
        .unwrap();
    place.job = job;
    place.workspace = Volume::Claim { name: "review".to_owned(), sub_path: None, one_node: true };
    place.credential = Some(Credential {
        name: "default".to_owned(),
        kind: CredentialType::ApiKey,
        secret: serde_json::from_value(json!({"name": "anthropic", "key": "api-key"})).unwrap(),
        base_url: Some(url.to_owned()),
    });
    place
}

#[tokio::test]
async fn the_real_claude_code_writes_to_a_volume_in_a_restricted_namespace() {
    let namespace = Namespace::restricted().await;
    let claim = Claim::new(&namespace).await;
    let api = service(&namespace).await;
    key(&namespace).await;
    let base = Run::new(&namespace, &["true"], &json!({"pod": {"image": IMAGE}})).await;
    let place = with_claude(&base, &namespace, api.url()).await;
    let launcher = base.launcher_of(place);
    for batch in [1, 2] {
        launcher.launch(start(batch)).await;
    }
    for batch in [1, 2] {
        let outcome = ended(&launcher, batch).await;
        assert!(outcome.succeeded(), "{outcome:?}");
        assert!(outcome.accepted && outcome.usage.cost_micro_usd > 0 && outcome.session.is_none());
        assert_eq!(outcome.provenance.unwrap().model.as_deref(), Some(MODEL));
        assert_eq!(
            fs::read_to_string(claim.file(&format!("report-{batch}.md"))).unwrap(),
            format!("of batch {batch}")
        );
        launcher.release(first(batch)).await;
    }
    assert!(!claim.file(".mozart").exists(), "nothing of Mozart's own stays");
    assert!(api.requests().iter().all(|request| request.header("x-api-key") == "sk-ant-canary-789"));
    namespace.delete().await;
    claim.delete().await;
}
