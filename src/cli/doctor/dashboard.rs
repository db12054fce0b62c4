//! Whether the dashboard of an operator is on, what it needs to know its visitors, and whether this person gets there.

use std::net::SocketAddr;

use k8s_openapi::api::{apps::v1::Deployment, authorization::v1::ResourceAttributes};
use kube::{Client, Config, ResourceExt as _};

use super::{
    cluster::may_i,
    grants::{Account, may},
    operators::arguments,
};
use crate::{backend::health::Health, cluster::reach};

/// Looks at the dashboard of the operator of `namespace`; at nothing where no operator is seen.
pub async fn look(
    config: &Config,
    client: &Client,
    namespace: &str,
    operator: Option<&Deployment>,
) -> Vec<Health> {
    let Some(operator) = operator else { return Vec::new() };
    let shown = Shown::of(operator);
    let mut checks = vec![shown.health()];
    if shown.is_on {
        checks.push(visitors(client, &Account::of(Some(operator))).await);
        checks.push(way(config, client, namespace, operator).await);
    }
    checks
}

/// How an operator shows the dashboard, by its arguments.
struct Shown {
    is_on: bool,
    /// Without TLS; its Pod's own address where nothing else is said.
    listen: Option<SocketAddr>,
    has_tls: bool,
    asks_nobody: bool,
}

impl Shown {
    fn of(operator: &Deployment) -> Self {
        let arguments = arguments(operator);
        let value = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
        Self {
            is_on: arguments.contains(&"--dashboard") || value("--data=").is_some(),
            listen: value("--listen=").and_then(|address| address.parse().ok()),
            has_tls: value("--tls-cert=").is_some(),
            asks_nobody: value("--auth=") == Some("none"),
        }
    }

    fn health(&self) -> Health {
        let name = "dashboard";
        if !self.is_on {
            let advice = "helm upgrade with --set dashboard.enabled=true shows it";
            return Health::warn(name, "off", advice);
        }
        if self.asks_nobody {
            let advice = "leave --auth=none away: then each shows a token, and may do what that may";
            return Health::warn(name, "on for whoever may forward a port to it, read only", advice);
        }
        let outside = self.listen.filter(|address| !address.ip().is_loopback());
        match (outside, self.has_tls) {
            (None, true) => Health::ok(name, "on, at the address of its Pod with TLS"),
            (None, false) => Health::ok(name, "on, through a forwarded port"),
            (Some(address), true) => {
                Health::ok(name, format!("on, at {address} for what has TLS before it, and with TLS beside"))
            }
            (Some(address), false) => Health::warn(
                name,
                format!("on, at {address} without TLS of its own"),
                "put an Ingress or a Gateway with TLS before its Service, or set tls.secretName",
            ),
        }
    }
}

/// Whether the operator may ask who its visitors are, and what they may.
async fn visitors(client: &Client, account: &Account) -> Health {
    let name = "visitors";
    for (group, resource) in
        [("authentication.k8s.io", "tokenreviews"), ("authorization.k8s.io", "subjectaccessreviews")]
    {
        let deed = ResourceAttributes {
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            verb: Some("create".to_owned()),
            ..ResourceAttributes::default()
        };
        match may(client, account, deed).await {
            Ok(true) => {}
            Ok(false) => {
                let found = format!(
                    "the operator ({}) may not create {resource}, so that it lets nobody in",
                    account.user()
                );
                let advice =
                    "helm upgrade with rbac.create=true, or mozart rbac --history | kubectl apply -f -";
                return Health::fail(name, found, advice);
            }
            Err(error) => {
                return Health::warn(name, format!("not known: {error}"), "ask an administrator");
            }
        }
    }
    Health::ok(name, "the operator may ask who they are, and what they may")
}

/// Whether this person reaches it with a token.
async fn way(config: &Config, client: &Client, namespace: &str, operator: &Deployment) -> Health {
    let name = "way there";
    if let Err(error) = reach::token_of(config, client, namespace).await {
        return Health::warn(name, error.to_string(), error.advice());
    }
    let place = operator.namespace().unwrap_or_default();
    for (verb, subresource) in [("list", None), ("create", Some("portforward"))] {
        let deed = ResourceAttributes {
            resource: Some("pods".to_owned()),
            subresource: subresource.map(str::to_owned),
            namespace: Some(place.clone()),
            verb: Some(verb.to_owned()),
            ..ResourceAttributes::default()
        };
        match may_i(client, deed).await {
            Ok(true) => {}
            Ok(false) => {
                let what = subresource.map_or_else(|| "pods".to_owned(), |sub| format!("pods/{sub}"));
                let advice = "ask for that right, or for the dashboard's address: kubectl mozart dashboard --server URL";
                return Health::warn(name, format!("you may not {verb} {what} in {place}"), advice);
            }
            Err(error) => {
                return Health::warn(name, format!("not known: {error}"), "ask an administrator");
            }
        }
    }
    Health::ok(name, format!("kubectl mozart dashboard -n {namespace}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backend::health::HealthState;

    #[test]
    fn the_dashboard_is_as_the_operators_arguments_say() {
        for (arguments, state, found) in [
            (&[][..], HealthState::Warn, "off"),
            (&["--dashboard"], HealthState::Ok, "through a forwarded port"),
            (&["--data=/var/lib/mozart"], HealthState::Ok, "through a forwarded port"),
            (&["--dashboard", "--listen=127.0.0.1:8000"], HealthState::Ok, "through a forwarded port"),
            (&["--dashboard", "--listen=0.0.0.0:8000"], HealthState::Warn, "0.0.0.0:8000 without TLS"),
            (&["--dashboard", "--listen=[::]:8000", "--tls-cert=a"], HealthState::Ok, "with TLS beside"),
            (&["--dashboard", "--tls-cert=a"], HealthState::Ok, "of its Pod with TLS"),
            (&["--dashboard", "--auth=none"], HealthState::Warn, "read only"),
        ] {
            let operator: Deployment = serde_json::from_value(json!({
                "metadata": {"name": "mozart", "namespace": "tools"},
                "spec": {
                    "selector": {},
                    "template": {"spec": {"containers": [{"name": "operator", "args": arguments}]}},
                },
            }))
            .unwrap();
            let health = Shown::of(&operator).health();
            assert_eq!(health.state, state, "{arguments:?}: {health:?}");
            assert!(health.found.contains(found), "{arguments:?}: {health:?}");
            assert_eq!(health.advice.is_some(), state != HealthState::Ok, "{health:?}");
        }
    }
}
