//! The rights that the operator needs, and no others: the one list behind every manifest that grants them.

use serde_json::{Value, json};

/// Verbs on resources of an API group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// Empty for the core group.
    pub group: &'static str,
    /// With a subresource after a slash.
    pub resources: &'static [&'static str],
    /// What is done with them.
    pub verbs: &'static [&'static str],
}

/// In every namespace that the operator is for. Nothing of it reads a Secret or writes a spec.
pub const IN_NAMESPACES: &[Right] = &[
    // Deleted when `ttlSecondsAfterFinished` has passed.
    Right { group: "mozart.dev", resources: &["mozartjobs"], verbs: &["get", "list", "watch", "delete"] },
    Right { group: "mozart.dev", resources: &["mozartjobs/status"], verbs: &["patch"] },
    Right { group: "mozart.dev", resources: &["mozartcredentials"], verbs: &["get"] },
    Right {
        group: "",
        resources: &["pods"],
        verbs: &["get", "list", "watch", "create", "patch", "delete", "deletecollection"],
    },
    // Plans, and what jobs name; never listed.
    Right { group: "", resources: &["configmaps"], verbs: &["get", "create", "delete"] },
    Right { group: "", resources: &["persistentvolumeclaims"], verbs: &["get", "create"] },
    Right { group: "events.k8s.io", resources: &["events"], verbs: &["create", "patch"] },
];

/// In the operator's own namespace.
pub const AT_HOME: &[Right] =
    &[Right { group: "coordination.k8s.io", resources: &["leases"], verbs: &["get", "create", "update"] }];

/// The `rules` of a Role.
pub fn rules(rights: &[Right]) -> Value {
    let rule = |right: &Right| json!({"apiGroups": [right.group], "resources": right.resources, "verbs": right.verbs});
    rights.iter().map(rule).collect()
}

/// The Roles of an operator for the namespace that it runs in.
pub fn roles() -> Vec<Value> {
    let role = |name: &str, rights: &[Right]| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "mozart"}},
            "rules": rules(rights),
        })
    };
    vec![role("mozart-operator", IN_NAMESPACES), role("mozart-operator-lease", AT_HOME)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_right_reaches_a_secret_a_spec_or_everything() {
        for right in IN_NAMESPACES.iter().chain(AT_HOME) {
            assert!(!right.resources.contains(&"secrets"), "{right:?}");
            assert!(!right.resources.contains(&"*") && !right.verbs.contains(&"*"), "{right:?}");
            let spec = right.group == "mozart.dev" && !right.resources.iter().any(|one| one.contains('/'));
            let writes = ["patch", "update", "create"].iter().any(|verb| right.verbs.contains(verb));
            assert!(!(spec && writes), "{right:?}");
        }
    }
}
