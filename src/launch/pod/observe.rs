//! What a Pod's status says of its attempt. Pure.
//!
//! The end is read from the container named `attempt`, never from the Pod's phase alone: a container that something put
//! beside it keeps a Pod running.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition},
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::spec::{CONTAINER, INSTALLER};
use crate::{
    attempt::message,
    job::outcome::{Failure, FailureClass, Outcome, Usage},
};

/// An image, or a container, that cannot be had for so long will not be.
const IMAGE_PATIENCE: Duration = Duration::from_mins(10);
/// So long after its own last moment a Pod of which nothing is heard counts as lost.
const SILENCE: Duration = Duration::from_mins(1);

/// What is seen of a Pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Sight {
    /// It will run, runs, or may still run.
    Live {
        /// What keeps it from running.
        held: Option<HeldUp>,
        /// When time alone changes what is seen.
        until: Option<Timestamp>,
    },
    /// It has ended, or never will begin.
    Ended(Box<Outcome>),
}

/// What keeps a Pod from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldUp {
    /// A closed word.
    pub reason: &'static str,
    /// In Kubernetes' words.
    pub message: String,
}

/// What of a Pod's status matters here. Small: it is kept for every live Pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    created: Timestamp,
    accepted: Option<Timestamp>,
    scheduled: bool,
    deleting: bool,
    /// The longest that it may take from its acceptance.
    longest: Option<Duration>,
    over: bool,
    reason: Option<String>,
    message: Option<String>,
    disruption: Option<(String, String)>,
    unschedulable: Option<(bool, String)>,
    container: Option<Box<ContainerState>>,
    installer: Option<Box<ContainerState>>,
}

impl Facts {
    /// Reads them.
    pub fn of(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let spec = pod.spec.as_ref();
        let conditions = status.conditions.unwrap_or_default();
        let condition = |kind: &str| conditions.iter().find(|one| one.type_ == kind);
        let texts = |one: &PodCondition| {
            (one.reason.clone().unwrap_or_default(), one.message.clone().unwrap_or_default())
        };
        let scheduled = condition("PodScheduled");
        let state = |statuses: &Option<Vec<ContainerStatus>>, name: &str| {
            let status = statuses.iter().flatten().find(|status| status.name == name)?;
            status.state.clone().map(Box::new)
        };
        Self {
            created: pod.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, time),
            accepted: status.start_time.as_ref().map(time),
            scheduled: spec.is_some_and(|spec| spec.node_name.is_some()),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            longest: spec
                .and_then(|spec| spec.active_deadline_seconds)
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Duration::from_secs),
            over: matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")),
            reason: status.reason,
            message: status.message,
            disruption: condition("DisruptionTarget").filter(|one| one.status == "True").map(texts),
            unschedulable: scheduled.filter(|one| one.status == "False").map(|one| {
                let (reason, message) = texts(one);
                (reason == "SchedulingGated", message)
            }),
            container: state(&status.container_statuses, CONTAINER),
            installer: state(&status.init_container_statuses, INSTALLER),
        }
    }

    /// Whether the same is seen of both. That a node was found for a Pod is no news, unless the Pod is to go.
    pub fn shows_as(&self, other: &Self) -> bool {
        let bound = self.scheduled != other.scheduled && !self.deleting && !other.deleting;
        self == other || bound && Self { scheduled: other.scheduled, ..self.clone() } == *other
    }

    /// Whether nothing of it runs any more, so that it may go at once.
    pub fn is_over(&self) -> bool {
        self.over || self.terminated().is_some() || self.deleting && !self.scheduled
    }

    /// Whether its container runs.
    pub fn is_running(&self) -> bool {
        !self.over && self.container.as_ref().is_some_and(|state| state.running.is_some())
    }

    /// Whether somebody has asked for its end.
    pub fn is_deleting(&self) -> bool {
        self.deleting
    }

    /// What is seen now.
    pub fn sight(&self, now: Timestamp) -> Sight {
        if let Some(ended) = self.terminated() {
            return Sight::Ended(Box::new(self.ended(ended, now)));
        }
        if self.over || self.deleting && !self.scheduled {
            return self.failed(self.without_container(), now);
        }
        let last = self.last_moment();
        if let Some(last) = last.filter(|last| *last <= now) {
            let text = format!(
                "nothing was heard of its Pod, which had to end by {}: its node is lost",
                later(last, SILENCE, -1)
            );
            return self.failed(Failure::new(FailureClass::Disruption, "NodeLost", text), now);
        }
        self.waiting(now, last)
    }

    /// The moment after which a Pod of which nothing is heard is lost: only one that a node has taken up can be.
    fn last_moment(&self) -> Option<Timestamp> {
        Some(later(later(self.accepted?, self.longest?, 1), SILENCE, 1))
    }

    fn waiting(&self, now: Timestamp, last: Option<Timestamp>) -> Sight {
        if let Some((gated, message)) = &self.unschedulable {
            let reason = if *gated { "SchedulingGated" } else { "Unschedulable" };
            return Sight::Live { held: Some(HeldUp { reason, message: message.clone() }), until: None };
        }
        let states = [&self.installer, &self.container];
        let waiting = states.into_iter().flatten().find_map(|state| state.waiting.as_ref());
        let Some(waiting) = waiting else { return Sight::Live { held: None, until: last } };
        let message = waiting.message.clone().unwrap_or_default();
        let (reason, class) = match waiting.reason.as_deref().unwrap_or_default() {
            "InvalidImageName" => ("InvalidImageName", Trouble::Hopeless),
            "ErrImageNeverPull" => ("ImageNeverPulled", Trouble::Hopeless),
            "ErrImagePull"
            | "ImagePullBackOff"
            | "RegistryUnavailable"
            | "ImageInspectError"
            | "SignatureValidationFailed" => ("ImageNotPulled", Trouble::Patience),
            "CreateContainerError" | "RunContainerError" => ("ContainerNotCreated", Trouble::Patience),
            "CreateContainerConfigError" => ("ReferenceMissing", Trouble::Wait),
            _ => return Sight::Live { held: None, until: last },
        };
        let patience_ends = later(self.accepted.unwrap_or(self.created), IMAGE_PATIENCE, 1);
        match class {
            Trouble::Hopeless => {}
            Trouble::Patience if now >= patience_ends => {}
            Trouble::Patience => {
                let until = Some(last.map_or(patience_ends, |last| last.min(patience_ends)));
                return Sight::Live { held: Some(HeldUp { reason, message }), until };
            }
            Trouble::Wait => {
                return Sight::Live { held: Some(HeldUp { reason, message }), until: last };
            }
        }
        self.failed(Failure::new(FailureClass::JobFatal, reason, message), now)
    }

    fn terminated(&self) -> Option<&ContainerStateTerminated> {
        self.container.as_ref()?.terminated.as_ref()
    }

    /// The outcome of an attempt whose container has ended.
    fn ended(&self, ended: &ContainerStateTerminated, now: Timestamp) -> Outcome {
        let from = ended.started_at.as_ref().map_or(self.created, time).max(self.created);
        // Kubernetes tells whole seconds.
        let to = later(ended.finished_at.as_ref().map_or(now, time).max(from), Duration::from_secs(1), 1);
        let read = message::read(ended.message.as_deref().unwrap_or_default(), (from, to));
        match read {
            Ok(mut outcome) => {
                if let Some(failure) = &mut outcome.failure {
                    self.explain(failure, ended);
                }
                outcome
            }
            Err(error) => {
                let failure = self.without_message(ended, &error);
                outcome(failure, Some(ended.exit_code), from, to)
            }
        }
    }

    /// Says of a failure what the attempt itself could not know.
    fn explain(&self, failure: &mut Failure, ended: &ContainerStateTerminated) {
        if failure.class == FailureClass::Transient && ended.reason.as_deref() == Some("OOMKilled") {
            // One of its processes was killed for it, and the attempt lived to tell of the rest.
            *failure = out_of_memory();
        } else if failure.reason == "Interrupted"
            && let Some((reason, text)) = self.disrupted()
        {
            reason.clone_into(&mut failure.reason);
            failure.message = text;
        }
    }

    fn without_message(&self, ended: &ContainerStateTerminated, error: &message::MessageError) -> Failure {
        let reason = ended.reason.as_deref().unwrap_or_default();
        let code = ended.exit_code;
        let system = ended.message.as_deref().unwrap_or_default();
        match reason {
            "OOMKilled" => {
                let text =
                    "it needed more memory than pod.resources.limits.memory gives it, or than its node had";
                return Failure::new(FailureClass::Transient, "OutOfMemory", text);
            }
            "StartError" | "ContainerCannotRun" => {
                let text = format!("its program could not be started: {system}");
                return Failure::new(FailureClass::JobFatal, "ContainerNotStarted", text);
            }
            _ => {}
        }
        if let Some((reason, text)) = self.disrupted() {
            return Failure::new(FailureClass::Disruption, reason, text);
        }
        if self.reason.as_deref() == Some("DeadlineExceeded") {
            let text = "its Pod took longer than it may (activeDeadlineSeconds)";
            return Failure::new(FailureClass::Transient, "Timeout", text);
        }
        if reason == "ContainerStatusUnknown" {
            return Failure::new(
                FailureClass::Disruption,
                "NodeLost",
                "its node lost it: nobody saw how it ended",
            );
        }
        if code > 128 {
            let text = format!("its Pod's program was ended by signal {}", code - 128);
            return Failure::new(FailureClass::Transient, "Killed", text);
        }
        Failure::new(
            FailureClass::Transient,
            "ResultUnreadable",
            format!("it ended with {code}, and {error}"),
        )
    }

    /// Why a Pod ended whose attempt's container left nothing.
    fn without_container(&self) -> Failure {
        if let Some((reason, text)) = self.disrupted() {
            return Failure::new(FailureClass::Disruption, reason, text);
        }
        let installer = self.installer.as_ref().and_then(|state| state.terminated.as_ref());
        if let Some(ended) = installer.filter(|ended| ended.exit_code != 0) {
            let said = ended.message.as_deref().or(ended.reason.as_deref()).unwrap_or_default();
            let text = format!(
                "Mozart's program could not be brought into its Pod: exit code {}: {said}",
                ended.exit_code
            );
            return Failure::new(FailureClass::Disruption, "InstallFailed", text);
        }
        let said = self.message.clone().unwrap_or_default();
        match self.reason.as_deref().unwrap_or_default() {
            "DeadlineExceeded" => {
                let text = "its Pod did not start within the time that it may take";
                Failure::new(FailureClass::Disruption, "NotStarted", text)
            }
            "" => Failure::new(FailureClass::Disruption, "PodFailed", "its Pod failed before it had started"),
            other => {
                let text = format!("its node would not run its Pod ({other}): {said}");
                Failure::new(FailureClass::Disruption, "NotAdmitted", text)
            }
        }
    }

    /// Who took the Pod away.
    fn disrupted(&self) -> Option<(&'static str, String)> {
        let of_status = match self.reason.as_deref() {
            Some("Evicted") => Some("Evicted"),
            Some("NodeLost") => Some("NodeLost"),
            Some("Shutdown" | "NodeShutdown" | "Terminated") => Some("NodeShutdown"),
            Some("Preempting") => Some("Preempted"),
            _ => None,
        };
        let of_condition = self.disruption.as_ref().map(|(reason, _)| match reason.as_str() {
            "PreemptionByScheduler" | "WorkloadEvictedDueToPreempted" => "Preempted",
            "EvictionByEvictionAPI" => "Evicted",
            "DeletionByTaintManager" | "DeletionByPodGC" => "NodeLost",
            "TerminationByKubelet" => "NodeShutdown",
            _ => "Disrupted",
        });
        let deleted = self.deleting.then_some("PodDeleted");
        let reason = of_status.or(of_condition).or(deleted)?;
        let said = self.message.clone().or_else(|| self.disruption.as_ref().map(|(_, text)| text.clone()));
        let said = said.filter(|text| !text.is_empty());
        let text = said.unwrap_or_else(|| "somebody deleted its Pod".to_owned());
        Some((reason, text))
    }

    fn failed(&self, failure: Failure, now: Timestamp) -> Sight {
        Sight::Ended(Box::new(outcome(failure, None, self.accepted.unwrap_or(self.created), now)))
    }
}

fn out_of_memory() -> Failure {
    let text = "it needed more memory than pod.resources.limits.memory gives it, or than its node had";
    Failure::new(FailureClass::Transient, "OutOfMemory", text)
}

/// What an image or a container that is not there calls for.
enum Trouble {
    Hopeless,
    Patience,
    Wait,
}

/// The outcome of an attempt that said nothing itself.
pub fn outcome(failure: Failure, exit_code: Option<i32>, started: Timestamp, ended: Timestamp) -> Outcome {
    Outcome {
        failure: Some(failure),
        accepted: false,
        usage: Usage { partial: exit_code.is_some(), ..Usage::default() },
        session: None,
        signal: None,
        warnings: Vec::new(),
        exit_code,
        provenance: None,
        started: started.min(ended),
        ended,
    }
}

fn time(time: &Time) -> Timestamp {
    time.0
}

pub(super) fn later(at: Timestamp, duration: Duration, sign: i32) -> Timestamp {
    let duration = jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX);
    let moved = at.saturating_add(if sign < 0 { -duration } else { duration });
    moved.unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
