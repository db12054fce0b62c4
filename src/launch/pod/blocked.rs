//! Why no Pod can be made now, and when it is tried again with one: never a storm of creates.

use std::time::Duration;

use jiff::Timestamp;
use kube::core::Status;

use super::observe::HeldUp;

/// The first pause after a refusal; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// Pods are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// A closed word, and the API server's own.
    pub why: HeldUp,
    /// When one Pod is tried again.
    pub until: Timestamp,
    pause: Duration,
}

/// What a refusal to make a Pod calls for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A Pod of this name is there.
    Exists,
    /// Only a change of the job mends it.
    Invalid(String),
    /// It may be taken later.
    Wait {
        /// Why.
        why: HeldUp,
        /// The longest pause between two tries.
        longest: Duration,
    },
}

impl Blocked {
    /// After a refusal, which may not be the first.
    pub fn after(before: Option<&Self>, why: HeldUp, longest: Duration, now: Timestamp) -> Self {
        let before = before.filter(|before| before.why.reason == why.reason);
        let pause = before.map_or(FIRST_PAUSE, |before| before.pause.saturating_mul(2)).min(longest);
        Self { why, until: super::observe::later(now, pause, 1), pause }
    }
}

/// What the API server's answer to a create means.
pub fn refusal(status: &Status) -> Refusal {
    let text = status.message.as_str();
    let cause = |word: &str| {
        let causes = status.details.iter().flat_map(|details| &details.causes);
        causes.into_iter().any(|cause| cause.reason == word)
    };
    let wait = |reason, longest| {
        let why = HeldUp { reason, message: text.to_owned() };
        Refusal::Wait { why, longest: Duration::from_secs(longest) }
    };
    match (status.code, status.reason.as_str()) {
        (409, "AlreadyExists") => Refusal::Exists,
        // Somebody else writes what admission counts with, such as a quota.
        (409, _) => wait("ApiServerBusy", 10),
        _ if cause("NamespaceTerminating") || text.contains("because it is being terminated") => {
            wait("NamespaceTerminating", 60)
        }
        (404, _) => wait("NamespaceMissing", 60),
        (403, _) if text.contains("exceeded quota") || text.contains("failed quota") => {
            wait("QuotaExceeded", 60)
        }
        (403, _) if text.contains("violates PodSecurity") => wait("PodSecurity", 300),
        (403, _) if text.contains("error looking up service account") => wait("ServiceAccountMissing", 120),
        _ if text.contains("admission webhook") => wait("AdmissionDenied", 300),
        (403 | 401, _) => wait("Forbidden", 120),
        (422 | 400, _) => Refusal::Invalid(format!("Kubernetes takes no such Pod: {text}")),
        _ => wait("ApiServerBusy", 10),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(code: u16, reason: &str, message: &str, causes: &[&str]) -> Status {
        let causes: Vec<_> =
            causes.iter().map(|reason| json!({"reason": reason, "message": "", "field": ""})).collect();
        serde_json::from_value(
            json!({"status": "Failure", "code": code, "reason": reason, "message": message,
            "details": {"causes": causes}}),
        )
        .unwrap()
    }

    #[test]
    fn each_refusal_of_a_pod_has_its_own_word() {
        for (code, reason, message, causes, word) in [
            (
                403,
                "Forbidden",
                "pods \"a\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2",
                &[][..],
                "QuotaExceeded",
            ),
            (
                403,
                "Forbidden",
                "pods \"a\" is forbidden: failed quota: q: must specify limits.cpu for: attempt",
                &[],
                "QuotaExceeded",
            ),
            (
                403,
                "Forbidden",
                "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true",
                &[],
                "PodSecurity",
            ),
            (
                403,
                "Forbidden",
                "pods \"a\" is forbidden: unable to create new content in namespace n because it is being terminated",
                &["NamespaceTerminating"],
                "NamespaceTerminating",
            ),
            (404, "NotFound", "namespaces \"n\" not found", &[], "NamespaceMissing"),
            (
                403,
                "Forbidden",
                "pods \"a\" is forbidden: error looking up service account n/s: serviceaccount \"s\" not found",
                &[],
                "ServiceAccountMissing",
            ),
            (
                403,
                "Forbidden",
                "pods is forbidden: User \"u\" cannot create resource \"pods\" in API group \"\" in the namespace \"n\"",
                &[],
                "Forbidden",
            ),
            (400, "BadRequest", "admission webhook \"w\" denied the request: no", &[], "AdmissionDenied"),
            (504, "Timeout", "request did not complete", &[], "ApiServerBusy"),
            (409, "Conflict", "Operation cannot be fulfilled on resourcequotas \"q\"", &[], "ApiServerBusy"),
        ] {
            let refusal = refusal(&status(code, reason, message, causes));
            assert!(
                matches!(&refusal, Refusal::Wait { why, .. } if why.reason == word),
                "{word}: {refusal:?}"
            );
        }
        assert_eq!(refusal(&status(409, "AlreadyExists", "pods \"a\" already exists", &[])), Refusal::Exists);
        let invalid =
            refusal(&status(422, "Invalid", "Pod \"a\" is invalid: spec.volumes[0].name: Required", &[]));
        assert!(matches!(invalid, Refusal::Invalid(_)));
    }

    #[test]
    fn pauses_grow_as_long_as_the_reason_stays() {
        let why = |reason| HeldUp { reason, message: String::new() };
        let now = Timestamp::UNIX_EPOCH;
        let mut blocked = Blocked::after(None, why("QuotaExceeded"), Duration::from_mins(1), now);
        let mut pauses = vec![blocked.until.as_second()];
        for _ in 0..6 {
            blocked = Blocked::after(Some(&blocked), why("QuotaExceeded"), Duration::from_mins(1), now);
            pauses.push(blocked.until.as_second());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
        let other = Blocked::after(Some(&blocked), why("Forbidden"), Duration::from_mins(1), now);
        assert_eq!(other.until.as_second(), 2);
    }
}
