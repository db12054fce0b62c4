//! Which operator looks after the jobs of a namespace, as far as the Deployments of operators may be seen.

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, Client, ResourceExt as _, api::ListParams};

use crate::{backend::health::Health, cluster::reach::OPERATORS};

/// The operators that were found.
#[derive(Debug)]
pub enum Operators {
    /// Deployments may not be seen.
    Hidden,
    /// Those that may be.
    Seen {
        /// That look after the namespace.
        ours: Vec<Deployment>,
        /// That look after others.
        others: Vec<Deployment>,
        /// Whether those of every namespace may be seen.
        everywhere: bool,
    },
}

impl Operators {
    /// Looks in all namespaces, or in this one alone if no more is allowed.
    pub async fn look(client: &Client, namespace: &str) -> Self {
        let parameters = ListParams::default().labels(OPERATORS);
        let mut found = Api::<Deployment>::all(client.clone()).list(&parameters).await;
        let everywhere = found.is_ok();
        if !everywhere {
            found = Api::<Deployment>::namespaced(client.clone(), namespace).list(&parameters).await;
        }
        let Ok(found) = found else { return Self::Hidden };
        let (ours, others) = found.items.into_iter().partition(|one| looks_after(one, namespace));
        Self::Seen { ours, others, everywhere }
    }

    /// The operator of the namespace; one that is ready, if there are several.
    pub fn one(&self) -> Option<&Deployment> {
        let Self::Seen { ours, .. } = self else { return None };
        ours.iter().find(|one| is_ready(one)).or_else(|| ours.first())
    }

    /// Whether one is there, and ready.
    pub fn health(&self, namespace: &str) -> Health {
        let name = "operator";
        let Self::Seen { others, everywhere, .. } = self else {
            return Health::warn(
                name,
                "you may not see Deployments",
                "a job that none sees stays without a phase",
            );
        };
        match (self.one(), others.first()) {
            (Some(one), _) if is_ready(one) => Health::ok(name, format!("{} is ready", whose(one))),
            (Some(one), _) => {
                let advice = format!(
                    "kubectl -n {} logs deployment/{}",
                    one.namespace().unwrap_or_default(),
                    one.name_any()
                );
                Health::fail(name, format!("{} is not ready", whose(one)), advice)
            }
            (None, Some(other)) => {
                let found = format!("{} is there, and does not look after {namespace}", whose(other));
                Health::warn(name, found, format!("add {namespace} to the jobs.namespaces of its release"))
            }
            (None, None) if *everywhere => Health::warn(
                name,
                "none of the chart's is there",
                "helm upgrade --install mozart charts/mozart",
            ),
            (None, None) => Health::warn(
                name,
                format!("none in {namespace}, and you may not look elsewhere"),
                "a job that none sees stays without a phase",
            ),
        }
    }
}

fn is_ready(one: &Deployment) -> bool {
    one.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0) > 0
}

fn whose(one: &Deployment) -> String {
    format!("{}/{}", one.namespace().unwrap_or_default(), one.name_any())
}

/// What an operator is started with, as the chart writes it.
pub fn arguments(one: &Deployment) -> Vec<&str> {
    let pod = one.spec.template.spec.iter();
    pod.flat_map(|spec| &spec.containers)
        .flat_map(|container| container.args.iter().flatten())
        .map(String::as_str)
        .collect()
}

/// By its arguments; without one it looks after its own namespace.
fn looks_after(one: &Deployment, namespace: &str) -> bool {
    let arguments = arguments(one);
    let mut named = arguments.iter().filter_map(|argument| argument.strip_prefix("--namespace=")).peekable();
    if arguments.contains(&"--all-namespaces") {
        return true;
    }
    if named.peek().is_none() {
        return one.namespace().as_deref() == Some(namespace);
    }
    named.any(|named| named == namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_operator_looks_after_the_namespaces_that_it_names_or_its_own_or_all() {
        let with = |arguments: &[&str]| -> Deployment {
            serde_json::from_value(json!({
                "metadata": {"name": "mozart", "namespace": "tools"},
                "spec": {
                    "selector": {},
                    "template": {"spec": {"containers": [{"name": "operator", "args": arguments}]}},
                },
            }))
            .unwrap()
        };
        for (arguments, tools, team) in [
            (&["operator"][..], true, false),
            (&["operator", "--namespace=team"], false, true),
            (&["operator", "--namespace=team", "--namespace=tools"], true, true),
            (&["operator", "--all-namespaces"], true, true),
            (&["operator", "--namespace=team-2"], false, false),
        ] {
            let one = with(arguments);
            assert_eq!(
                (looks_after(&one, "tools"), looks_after(&one, "team")),
                (tools, team),
                "{arguments:?}"
            );
        }
    }
}
