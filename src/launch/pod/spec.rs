//! The Pod of an attempt: safe by default, and nothing of it that the job may not name.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde_json::{Map, Value, json};

use super::{
    PodPlace, Volume,
    allow::{self, OWN_FOLDER},
    names,
    pods::lock,
};
use crate::{
    api::credential::CredentialType,
    attempt::remote::RemoteCall,
    job::{
        identity::{AttemptKey, AttemptName},
        model::{Backend, Check, Job},
        outcome::{Failure, FailureClass},
        start::Start,
        trace::{TRACEPARENT, traceparent},
    },
};

/// The container that an attempt is.
pub const CONTAINER: &str = "attempt";
/// The container that brings Mozart's own program.
pub const INSTALLER: &str = "install";
/// Where batches read and write.
pub const WORKSPACE: &str = "/workspace";
/// Where `mozart install` puts the program.
const PROGRAM: &str = "/mozart/bin/mozart";
/// Where the program is in an image that has it.
const PROGRAM_OF_IMAGE: &str = "/usr/local/bin/mozart";
/// The user of a Pod whose image names none, or root: no account of a machine has this number.
const USER: i64 = 65_532;
/// How long a Pod may take from its acceptance by a node to the start of its attempt, and to end it: seconds.
const BEFORE_AND_AFTER: u64 = 900;

/// What the Pods of all attempts of a run have in common. A Pod is written into it and read off: to copy it for each would
/// take longer than all else about the Pod.
pub struct Pattern(Mutex<core::Pod>);

impl Pattern {
    /// The pattern of a run.
    ///
    /// # Errors
    /// With the failure of each attempt: the job asks for what is not allowed, or for what is no Pod.
    pub fn new(place: &PodPlace) -> Result<Self, Failure> {
        pattern(place).map(|pod| Self(Mutex::new(pod)))
    }

    /// The JSON of the Pod of an attempt.
    ///
    /// # Errors
    /// Never: names, numbers and texts are JSON.
    pub fn pod(&self, place: &PodPlace, start: &Start) -> serde_json::Result<Vec<u8>> {
        let mut pod = lock(&self.0);
        fill_in(&mut pod, place, start);
        serde_json::to_vec(&*pod)
    }

    /// A Pod that was made, by the metadata that it got: as it was sent, as far as is looked at.
    pub fn made(&self, metadata: ObjectMeta) -> core::Pod {
        let longest = lock(&self.0).spec.as_ref().and_then(|spec| spec.active_deadline_seconds);
        let spec = core::PodSpec { active_deadline_seconds: longest, ..core::PodSpec::default() };
        core::Pod { metadata, spec: Some(spec), status: None }
    }
}

fn pattern(place: &PodPlace) -> Result<core::Pod, Failure> {
    if let Some(refusal) = allow::refusals(&place.pod, &place.allowed).into_iter().next() {
        return Err(invalid(refusal));
    }
    let image = place.pod.image.as_ref().or(place.images.batch.as_ref());
    let Some(image) = image else {
        return Err(invalid(
            "pod.image is not written, and this installation names no image for batches".to_owned(),
        ));
    };
    let brought = place.pod.image.is_some();
    let mut labels = names::labels(&place.job_name, &place.run);
    labels.insert("app.kubernetes.io/component".to_owned(), CONTAINER.to_owned());
    labels.extend(place.pod.labels.clone().unwrap_or_default());
    let one_node = match &place.workspace {
        Volume::Claim { name, one_node: true, .. } => Some(name),
        _ => None,
    };
    if let Some(claim) = one_node {
        // A claim's name may be longer than a label's value.
        labels.insert(names::WORKSPACE.to_owned(), crate::job::items::hash_of(claim)[..16].to_owned());
    }
    let mut annotations = place.pod.annotations.clone().unwrap_or_default();
    annotations.insert("kubectl.kubernetes.io/default-container".to_owned(), CONTAINER.to_owned());
    annotations.extend(
        place.credential.as_ref().map(|credential| (names::CREDENTIAL.to_owned(), credential.name.clone())),
    );
    let resources = written(place.pod.resources.as_ref());
    let mut spec = json!({
        "restartPolicy": "Never",
        "enableServiceLinks": false,
        "automountServiceAccountToken": false,
        "activeDeadlineSeconds": longest(&place.job),
        "terminationGracePeriodSeconds": place.pod.termination_grace_period_seconds.unwrap_or(30),
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": place.fs_group.then_some(USER),
            "fsGroupChangePolicy": place.fs_group.then_some("OnRootMismatch"),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": CONTAINER,
            "image": image,
            "command": [if brought { PROGRAM } else { PROGRAM_OF_IMAGE }],
            "workingDir": WORKSPACE,
            "env": environment(place),
            "resources": resources,
            "volumeMounts": mounts(place),
            "terminationMessagePolicy": "File",
            "securityContext": confined(),
        }],
        "volumes": volumes(place, brought),
    });
    if brought {
        spec["initContainers"] = json!([{
            "name": INSTALLER,
            "image": place.images.mozart,
            "args": ["install", PROGRAM],
            "resources": resources,
            "volumeMounts": [{"name": "mozart-program", "mountPath": "/mozart/bin"}],
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": confined(),
        }]);
    }
    for (name, value) in [
        ("imagePullSecrets", written(place.pod.image_pull_secrets.as_ref())),
        ("nodeSelector", written(place.pod.node_selector.as_ref())),
        ("tolerations", written(place.pod.tolerations.as_ref())),
        ("affinity", affinity(place, labels.get(names::WORKSPACE))),
        ("runtimeClassName", written(place.pod.runtime_class_name.as_ref())),
        ("priorityClassName", written(place.pod.priority_class_name.as_ref())),
        ("serviceAccountName", written(place.pod.service_account_name.as_ref())),
    ] {
        spec[name] = value;
    }
    let pod = json!({
        "metadata": {
            "namespace": place.namespace,
            "labels": labels,
            "annotations": annotations,
            "finalizers": [names::FINALIZER],
            "ownerReferences": [place.owner],
        },
        "spec": spec,
    });
    serde_json::from_value(pod).map_err(|error| invalid(format!("spec.pod makes no Pod: {error}")))
}

/// Makes of the Pod of any attempt of a run that of this one.
fn fill_in(pod: &mut core::Pod, place: &PodPlace, start: &Start) {
    pod.metadata.name = Some(names::pod(&place.job_name, &place.run, start.key));
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(names::BATCH.to_owned(), start.key.batch.to_string());
    labels.insert(names::ORDINAL.to_owned(), start.key.ordinal.to_string());
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.remove(names::BUDGET);
    annotations.extend(start.budget_micro_usd.map(|budget| (names::BUDGET.to_owned(), budget.to_string())));
    for container in pod.spec.iter_mut().flat_map(|spec| &mut spec.containers) {
        container.args = Some(vec!["attempt".to_owned(), "--pod".to_owned(), call(place, start)]);
        if place.traced {
            let value = Some(traceparent(AttemptName { run: &place.run, key: start.key }));
            let variables = container.env.get_or_insert_default();
            variables.retain(|variable| variable.name != TRACEPARENT);
            variables.push(core::EnvVar { name: TRACEPARENT.to_owned(), value, value_from: None });
        }
    }
}

/// The longest that a Pod may take, in seconds from its acceptance by a node: a second lock, should the one inside fail.
pub fn longest(job: &Job) -> u64 {
    let checks = job.validations.iter().map(|validation| match validation.check {
        Check::CommandSucceeds { timeout, .. } => timeout.as_secs(),
        _ => 0,
    });
    job.timeout.as_secs() + checks.sum::<u64>() + BEFORE_AND_AFTER
}

/// A failure that only a change of the job mends.
pub fn invalid(text: String) -> Failure {
    Failure::new(FailureClass::JobFatal, "PodInvalid", text)
}

/// Where an attempt's own files are in the container.
pub fn folder(key: AttemptKey) -> PathBuf {
    PathBuf::from(OWN_FOLDER).join("state").join(key.to_string())
}

fn call(place: &PodPlace, start: &Start) -> String {
    let call = RemoteCall {
        run: place.run.clone(),
        start: start.clone(),
        plan_hash: place.plan.hash.clone(),
        plan: place.plan.parts.iter().map(|part| PathBuf::from("/mozart/plan").join(part)).collect(),
        workspace: WORKSPACE.into(),
        folder: folder(start.key),
        message: "/dev/termination-log".into(),
        secrets: secrets(place),
    };
    serde_json::to_string(&call).expect("names, numbers and paths are JSON")
}

/// The environment variables whose values are secret.
fn secrets(place: &PodPlace) -> Vec<String> {
    let own = place.credential.iter().map(|credential| credential.variable().to_owned());
    let named = place.pod.secret_env.iter().flatten().map(|variable| variable.name.clone());
    own.chain(named).collect()
}

fn environment(place: &PodPlace) -> Vec<Value> {
    let mut own = vec![
        json!({"name": "HOME", "value": "/mozart/state/home"}),
        json!({"name": "TMPDIR", "value": "/tmp"}),
        // Volumes belong to another user than the one that works in them, which git takes for danger.
        json!({"name": "GIT_CONFIG_COUNT", "value": "1"}),
        json!({"name": "GIT_CONFIG_KEY_0", "value": "safe.directory"}),
        json!({"name": "GIT_CONFIG_VALUE_0", "value": "*"}),
    ];
    if let Some(credential) = &place.credential {
        let secret = &credential.secret;
        let reference = json!({"secretKeyRef": {"name": secret.name, "key": secret.key}});
        own.push(json!({"name": credential.variable(), "valueFrom": reference}));
        if let (Some(url), Backend::ClaudeCli(_)) = (&credential.base_url, &place.job.backend) {
            own.push(json!({"name": "ANTHROPIC_BASE_URL", "value": url}));
        }
    }
    let is_own = |name: &str| own.iter().any(|variable| variable["name"] == name);
    let mut written: Vec<Value> = place
        .pod
        .env
        .iter()
        .flatten()
        .filter(|one| !is_own(&one.name))
        .map(|one| self::written(Some(one)))
        .collect();
    for variable in place.pod.secret_env.iter().flatten().filter(|one| !is_own(&one.name)) {
        let reference = json!({"secretKeyRef": variable.secret_key_ref});
        written.push(json!({"name": variable.name, "valueFrom": reference}));
    }
    written.extend(own);
    written
}

fn mounts(place: &PodPlace) -> Vec<Value> {
    let sub_path = match &place.workspace {
        Volume::Claim { sub_path, .. } => sub_path.clone(),
        Volume::EmptyDir { .. } => None,
    };
    let mut mounts = vec![
        json!({"name": "mozart-plan", "mountPath": "/mozart/plan", "readOnly": true}),
        json!({"name": "mozart-state", "mountPath": "/mozart/state"}),
        without_null(json!({"name": "mozart-workspace", "mountPath": WORKSPACE, "subPath": sub_path})),
    ];
    if place.pod.image.is_some() {
        mounts.push(json!({"name": "mozart-program", "mountPath": "/mozart/bin", "readOnly": true}));
    }
    let own_tmp = place
        .pod
        .volume_mounts
        .iter()
        .flatten()
        .any(|mount| Path::new(&mount.mount_path) == Path::new("/tmp"));
    if !own_tmp {
        mounts.push(json!({"name": "mozart-tmp", "mountPath": "/tmp"}));
    }
    mounts.extend(place.pod.volume_mounts.iter().flatten().map(|mount| written(Some(mount))));
    mounts
}

fn volumes(place: &PodPlace, brought: bool) -> Vec<Value> {
    let parts: Vec<Value> = place
        .plan
        .parts
        .iter()
        .map(|part| json!({"configMap": {"name": part, "items": [{"key": "plan", "path": part}]}}))
        .collect();
    let workspace = match &place.workspace {
        Volume::Claim { name, .. } => json!({"persistentVolumeClaim": {"claimName": name}}),
        Volume::EmptyDir { medium, size_limit } => {
            json!({"emptyDir": without_null(json!({"medium": medium, "sizeLimit": size_limit}))})
        }
    };
    let named = |name: &str, source: Value| {
        let mut volume = source;
        volume["name"] = name.into();
        volume
    };
    let mut volumes = vec![
        named("mozart-plan", json!({"projected": {"defaultMode": 0o444, "sources": parts}})),
        named("mozart-state", json!({"emptyDir": {}})),
        named("mozart-tmp", json!({"emptyDir": {}})),
        named("mozart-workspace", workspace),
    ];
    if brought {
        volumes.push(named("mozart-program", json!({"emptyDir": {}})));
    }
    volumes.extend(place.pod.volumes.iter().flatten().map(|volume| written(Some(volume))));
    volumes
}

/// What the job asks for, and the node of the Pod beside, where they share a volume that one node can mount.
fn affinity(place: &PodPlace, workspace: Option<&String>) -> Value {
    let mut affinity = written(place.pod.affinity.as_ref());
    if let Some(workspace) = workspace {
        let term = json!({
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": {names::WORKSPACE: workspace}},
        });
        let terms = &mut affinity["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        match terms {
            Value::Array(terms) => terms.push(term),
            none => *none = json!([term]),
        }
    }
    affinity
}

fn confined() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
    })
}

/// A part of the job's own words, as Kubernetes has it. Those parts have Kubernetes' own form.
fn written(part: Option<&impl serde::Serialize>) -> Value {
    without_null(serde_json::to_value(part).unwrap_or_default())
}

fn without_null(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: Map<String, Value> = fields
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_null(value)))
                .collect();
            Value::Object(fields)
        }
        Value::Array(items) => items.into_iter().map(without_null).collect(),
        other => other,
    }
}

impl super::Credential {
    /// The environment variable that its value is given in.
    pub fn variable(&self) -> &'static str {
        match self.kind {
            CredentialType::ApiKey => "ANTHROPIC_API_KEY",
            CredentialType::OAuthToken => "CLAUDE_CODE_OAUTH_TOKEN",
        }
    }
}
