//! What the network lets through: nobody reaches a batch, and a batch reaches names, Claude, and what is said besides.
//!
//! It is what `mozart network-policy` prints. The chart has a policy of its own for the operator, with the same addresses
//! that count as outside.

use std::{num::NonZeroU16, str::FromStr};

use serde_json::{Value, json};

use super::outgoing::Network;
use crate::launch::pod::names::JOB_UID;

/// What is private, shared, link-local (where clouds answer for the node) or for tests.
const INSIDE: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
];
/// All that is given out of IPv6.
const OUTSIDE_6: &str = "2000::/3";

/// Addresses that batches may reach beside what all may: `10.0.0.9/32:3128`, or without a port all of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    network: Network,
    port: Option<NonZeroU16>,
}

/// Why a text is no [`Reached`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no range of addresses with or without a port, such as 10.0.0.0/8 or 10.0.0.9/32:3128")]
pub struct InvalidReached(String);

impl FromStr for Reached {
    type Err = InvalidReached;

    fn from_str(text: &str) -> Result<Self, InvalidReached> {
        if let Ok(network) = text.parse() {
            return Ok(Self { network, port: None });
        }
        let invalid = || InvalidReached(text.to_owned());
        let (network, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let network = network.parse().map_err(|_| invalid())?;
        let port = port.parse().map_err(|_| invalid())?;
        Ok(Self { network, port: Some(port) })
    }
}

impl Reached {
    fn rule(self) -> Value {
        let to = json!([{"ipBlock": {"cidr": self.network.to_string()}}]);
        match self.port {
            Some(port) => json!({"to": to, "ports": [tcp(port)]}),
            None => json!({"to": to}),
        }
    }
}

/// Every address outside, as peers of a policy. A policy knows no names, so that "Claude" cannot be said.
pub fn outside() -> Value {
    json!([
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": INSIDE}},
        {"ipBlock": {"cidr": OUTSIDE_6}},
    ])
}

/// The `NetworkPolicy` of all batches in a namespace, whichever operator runs them.
pub fn of_batches(namespace: &str, reached: &[Reached]) -> Value {
    let mut egress = vec![
        json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}),
        json!({"ports": [{"port": 443, "protocol": "TCP"}], "to": outside()}),
    ];
    egress.extend(reached.iter().map(|one| one.rule()));
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": "mozart-batches",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": "mozart"},
        },
        "spec": {
            "podSelector": {"matchExpressions": [{"key": JOB_UID, "operator": "Exists"}]},
            "policyTypes": ["Ingress", "Egress"],
            // Nobody has to: logs are read through the node.
            "ingress": [],
            "egress": egress,
        },
    })
}

fn tcp(port: NonZeroU16) -> Value {
    json!({"port": port, "protocol": "TCP"})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<Value, InvalidReached> {
        text.parse().map(Reached::rule)
    }

    #[test]
    fn a_range_is_reached_at_one_port_or_at_all() {
        for (text, cidr, port) in [
            ("10.0.0.0/8", "10.0.0.0/8", None),
            ("10.0.0.9/8", "10.0.0.0/8", None),
            ("10.0.0.9", "10.0.0.9/32", None),
            ("10.0.0.9:3128", "10.0.0.9/32", Some(3128)),
            ("10.0.0.9/32:3128", "10.0.0.9/32", Some(3128)),
            ("fd00::/8", "fd00::/8", None),
            ("fd00::1/128:443", "fd00::1/128", Some(443)),
            ("0.0.0.0/0", "0.0.0.0/0", None),
            ("::/0", "::/0", None),
        ] {
            let mut expected = json!({"to": [{"ipBlock": {"cidr": cidr}}]});
            if let Some(port) = port {
                expected["ports"] = json!([{"port": port, "protocol": "TCP"}]);
            }
            assert_eq!(rule(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_an_example() {
        for text in
            ["", "github.com", "10.0.0.0/33", "10.0.0.0/8:0", "10.0.0.0/8:65536", "10.0.0.0/8:", ":443"]
        {
            let refusal = rule(text).unwrap_err().to_string();
            assert!(
                refusal.contains(&format!("`{text}`")) && refusal.contains("10.0.0.9/32:3128"),
                "{refusal}"
            );
        }
    }

    #[test]
    fn every_pod_of_a_batch_is_meant_and_no_inner_address_is_outside() {
        let policy = of_batches("team-a", &["10.0.0.9/32:3128".parse().unwrap()]);
        let spec = &policy["spec"];
        assert_eq!(spec["podSelector"]["matchExpressions"][0]["key"], "mozart.dev/job-uid");
        assert_eq!(spec["ingress"], json!([]), "nobody comes in");
        assert_eq!(spec["egress"].as_array().unwrap().len(), 3);
        let except = spec["egress"][1]["to"][0]["ipBlock"]["except"].as_array().unwrap();
        let metadata_service = "169.254.169.254".parse().unwrap();
        assert!(
            except.iter().any(|one| one
                .as_str()
                .unwrap()
                .parse::<Network>()
                .unwrap()
                .holds(metadata_service))
        );
    }
}
