//! Which fields of `pod` a job may use.
//!
//! A Pod is made with the operator's rights, so a job must not name what its author may not use himself.

use std::{
    fmt,
    path::{Component, Path},
    str::FromStr,
};

use crate::api::pod::{Pod, Volume};

/// A field that is refused unless the installation allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarded {
    /// `secretEnv`.
    SecretEnv,
    /// Volumes of the kind `secret`.
    SecretVolumes,
    /// `serviceAccountName`.
    ServiceAccountName,
    /// `priorityClassName`.
    PriorityClassName,
    /// `runtimeClassName`.
    RuntimeClassName,
}

impl Guarded {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::SecretEnv,
        Self::SecretVolumes,
        Self::ServiceAccountName,
        Self::PriorityClassName,
        Self::RuntimeClassName,
    ];

    /// The word that allows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::SecretEnv => "secretEnv",
            Self::SecretVolumes => "secretVolumes",
            Self::ServiceAccountName => "serviceAccountName",
            Self::PriorityClassName => "priorityClassName",
            Self::RuntimeClassName => "runtimeClassName",
        }
    }

    fn is_used(self, pod: &Pod) -> bool {
        match self {
            Self::SecretEnv => pod.secret_env.as_ref().is_some_and(|variables| !variables.is_empty()),
            Self::SecretVolumes => volumes(pod).any(|volume| volume.secret.is_some()),
            Self::ServiceAccountName => pod.service_account_name.is_some(),
            Self::PriorityClassName => pod.priority_class_name.is_some(),
            Self::RuntimeClassName => pod.runtime_class_name.is_some(),
        }
    }
}

impl fmt::Display for Guarded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

impl FromStr for Guarded {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|one| one.word() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::word).join(", ");
            format!("`{text}` is none of {words}")
        })
    }
}

/// Where Mozart's own files are in the container.
pub const OWN_FOLDER: &str = "/mozart";
/// What the names of Mozart's own volumes begin with.
pub const OWN_VOLUME: &str = "mozart-";
/// Annotations that would weaken the container.
const WEAKENING: [&str; 3] = [
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
];
/// The one label of Kubernetes that a job may set.
const QUEUE: &str = "kueue.x-k8s.io/queue-name";

/// Why `pod` cannot be made as written, a sentence each; empty when it can.
pub fn refusals(pod: &Pod, allowed: &[Guarded]) -> Vec<String> {
    let mut refusals: Vec<String> = Guarded::ALL
        .into_iter()
        .filter(|one| one.is_used(pod) && !allowed.contains(one))
        .map(|one| {
            let field =
                if one == Guarded::SecretVolumes { "volumes of the kind secret are" } else { "it is" };
            format!(
                "pod.{one}: {field} not allowed here; an administrator allows it with `jobs.allow: [{one}]`"
            )
        })
        .collect();
    for name in pod.labels.iter().flatten().map(|(name, _)| name).filter(|name| is_reserved(name)) {
        refusals.push(format!("pod.labels: `{name}` is not yours to set"));
    }
    for name in pod.annotations.iter().flatten().map(|(name, _)| name) {
        if name.starts_with("mozart.dev/") || WEAKENING.iter().any(|prefix| name.starts_with(prefix)) {
            refusals.push(format!("pod.annotations: `{name}` is not yours to set"));
        }
    }
    for volume in volumes(pod) {
        if volume.name.starts_with(OWN_VOLUME) {
            refusals.push(format!(
                "pod.volumes: names that begin with {OWN_VOLUME} are Mozart's own, such as `{}`",
                volume.name
            ));
        }
    }
    for mount in pod.volume_mounts.iter().flatten() {
        let path = Path::new(&mount.mount_path);
        let leaves = path.components().any(|part| part == Component::ParentDir);
        let own = [OWN_FOLDER, "/dev"].into_iter().any(|folder| path.starts_with(folder));
        if own || leaves || Path::new(super::spec::WORKSPACE).starts_with(path) {
            refusals.push(format!("pod.volumeMounts: `{}` is Mozart's own place", mount.mount_path));
        }
    }
    refusals
}

fn volumes(pod: &Pod) -> impl Iterator<Item = &Volume> {
    pod.volumes.iter().flatten()
}

fn is_reserved(label: &str) -> bool {
    let Some((domain, _)) = label.split_once('/') else { return false };
    let of = |owner: &str| domain == owner || domain.ends_with(&format!(".{owner}"));
    label != QUEUE && ["mozart.dev", "kubernetes.io", "k8s.io"].into_iter().any(of)
}
