//! The rights that the operator needs, and no others: the one list behind every manifest that grants them. It is what
//! `mozart rbac` prints and `deploy/rbac.yaml` holds.

use serde_json::{Value, json};

use super::operator::Scope;

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
    Right { group: "mozart.dev", resources: &["mozartcredentials"], verbs: &["get", "list", "watch"] },
    Right { group: "mozart.dev", resources: &["mozartcredentials/status"], verbs: &["patch"] },
    Right {
        group: "",
        resources: &["pods"],
        verbs: &["get", "list", "watch", "create", "patch", "delete", "deletecollection"],
    },
    // Whether the attempt that tries a limit was accepted.
    Right { group: "", resources: &["pods/log"], verbs: &["get"] },
    // Plans, and what jobs name; never listed.
    Right { group: "", resources: &["configmaps"], verbs: &["get", "create", "delete"] },
    Right { group: "", resources: &["persistentvolumeclaims"], verbs: &["get", "create"] },
    Right { group: "events.k8s.io", resources: &["events"], verbs: &["create", "patch"] },
];

/// Of one Secret by name, where the owner of a namespace grants it: never a part of the operator's own rights.
pub const OF_ONE_SECRET: Right = Right { group: "", resources: &["secrets"], verbs: &["get"] };

const LEASES: Right =
    Right { group: "coordination.k8s.io", resources: &["leases"], verbs: &["get", "update"] };
/// What is made has no name yet that a right could be bound to.
const NEW_LEASES: Right = Right { verbs: &["create"], ..LEASES };
/// In the operator's own namespace, of the lease of its name alone where that can be said.
pub const AT_HOME: &[Right] = &[LEASES, NEW_LEASES];

/// Of the whole cluster, where the operator shows history or the dashboard to people: who they are, and what they may. Neither belongs to
/// a namespace.
pub const OF_VISITORS: &[Right] = &[
    Right { group: "authentication.k8s.io", resources: &["tokenreviews"], verbs: &["create"] },
    Right { group: "authorization.k8s.io", resources: &["subjectaccessreviews"], verbs: &["create"] },
];

impl Right {
    /// As a rule of a `Role`.
    pub fn rule(&self) -> Value {
        json!({"apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs})
    }
}

/// An operator as far as its rights go.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Of its account, its roles and its lease.
    pub name: String,
    /// The namespace that it runs in.
    pub namespace: String,
    /// Whose jobs it runs.
    pub scope: Scope,
    /// Whether it shows history or the dashboard to people.
    pub visitors: bool,
}

impl Installation {
    /// Its account, and every right that the account needs.
    pub fn manifests(&self) -> Vec<Value> {
        let (name, home) = (self.name.as_str(), self.namespace.as_str());
        let lease = format!("{name}-lease");
        let mut of_lease = LEASES.rule();
        of_lease["resourceNames"] = json!([name]);
        let mut manifests = vec![
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name, Some(home))}),
            Self::role(&lease, Some(home), &json!([of_lease, NEW_LEASES.rule()])),
            self.binding(&lease, Some(home)),
        ];
        let rules = IN_NAMESPACES.iter().map(Right::rule).collect();
        let mut allow = |namespace: Option<&str>| {
            manifests.extend([Self::role(name, namespace, &rules), self.binding(name, namespace)]);
        };
        match &self.scope {
            Scope::Cluster => allow(None),
            Scope::Namespaces(namespaces) => namespaces.iter().for_each(|namespace| allow(Some(namespace))),
        }
        if self.visitors {
            // Roles of the cluster have no namespace that would tell two installations apart.
            let visitors = format!("{home}-{name}-visitors");
            let rules = OF_VISITORS.iter().map(Right::rule).collect();
            manifests.extend([Self::role(&visitors, None, &rules), self.binding(&visitors, None)]);
        }
        manifests
    }

    /// The same as a stream of YAML documents.
    ///
    /// # Errors
    /// Never for what [`Self::manifests`] makes.
    pub fn yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        let mut yaml = "# Made by `mozart rbac` from src/cluster/role.rs: change that.\n".to_owned();
        yaml += &stream(&self.manifests())?;
        Ok(yaml)
    }

    /// The right to read one Secret of a namespace, and nothing beside it, as a stream of YAML documents.
    ///
    /// # Errors
    /// Never.
    pub fn grant(&self, namespace: &str, secret: &str) -> Result<String, serde_saphyr::ser::Error> {
        let mut rule = OF_ONE_SECRET.rule();
        rule["resourceNames"] = json!([secret]);
        let name = format!("{}-secret-{secret}", self.name);
        stream(&[Self::role(&name, Some(namespace), &json!([rule])), self.binding(&name, Some(namespace))])
    }

    /// A `Role`; a `ClusterRole` without a namespace.
    fn role(name: &str, namespace: Option<&str>, rules: &Value) -> Value {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": role_kind(namespace),
            "metadata": metadata(name, namespace),
            "rules": rules,
        })
    }

    /// Gives the account the role of that name.
    fn binding(&self, name: &str, namespace: Option<&str>) -> Value {
        let role = role_kind(namespace);
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": format!("{role}Binding"),
            "metadata": metadata(name, namespace),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}],
        })
    }
}

/// Objects as a stream of YAML documents.
///
/// # Errors
/// Never for what is made here.
pub fn stream(manifests: &[Value]) -> Result<String, serde_saphyr::ser::Error> {
    let mut yaml = String::new();
    for manifest in manifests {
        yaml += "---\n";
        yaml += &serde_saphyr::to_string(manifest)?;
    }
    Ok(yaml)
}

fn role_kind(namespace: Option<&str>) -> &'static str {
    if namespace.is_some() { "Role" } else { "ClusterRole" }
}

fn metadata(name: &str, namespace: Option<&str>) -> Value {
    let mut metadata = json!({"name": name, "labels": {"app.kubernetes.io/name": "mozart"}});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(scope: Scope) -> Installation {
        Installation { name: "mozart".to_owned(), namespace: "mozart".to_owned(), scope, visitors: false }
    }

    #[test]
    fn no_right_reaches_a_secret_a_spec_or_everything() {
        for right in IN_NAMESPACES.iter().chain(AT_HOME).chain(OF_VISITORS) {
            assert!(!right.resources.contains(&"secrets"), "{right:?}");
            assert!(!right.resources.contains(&"*") && !right.verbs.contains(&"*"), "{right:?}");
            let spec = right.group == "mozart.dev" && !right.resources.iter().any(|one| one.contains('/'));
            let writes = ["patch", "update", "create"].iter().any(|verb| right.verbs.contains(verb));
            assert!(!(spec && writes), "{right:?}");
        }
    }

    #[test]
    fn a_grant_is_of_one_secret_by_name_and_only_to_read() {
        let yaml = installation(Scope::Cluster).grant("team-a", "anthropic").unwrap();
        let documents: Vec<&str> = yaml.split("---\n").filter(|one| !one.is_empty()).collect();
        let role: Value = serde_saphyr::from_str(documents[0]).unwrap();
        let only = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"],
            "resourceNames": ["anthropic"]}]);
        assert_eq!((&role["rules"], &role["metadata"]["namespace"]), (&only, &json!("team-a")));
        let binding: Value = serde_saphyr::from_str(documents[1]).unwrap();
        assert_eq!(binding["subjects"][0]["namespace"], "mozart");
        assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    }

    #[test]
    fn the_file_in_deploy_holds_what_is_said_here() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rbac.yaml");
        let made = installation(Scope::Namespaces(vec!["mozart".to_owned()])).yaml().unwrap();
        let stored = std::fs::read_to_string(file).unwrap_or_default();
        assert!(stored == made, "deploy/rbac.yaml is stale: run `mozart rbac > deploy/rbac.yaml`");
    }

    #[test]
    fn who_visitors_are_is_asked_by_an_operator_that_shows_them_something_alone() {
        let one = installation(Scope::Namespaces(vec!["a".to_owned()]));
        let asks = |one: &Installation| one.yaml().unwrap().contains("tokenreviews");
        assert!(!asks(&one) && asks(&Installation { visitors: true, ..one }));
    }

    #[test]
    fn each_namespace_has_its_own_role_and_a_cluster_one_for_all() {
        let kinds = |scope| {
            let manifests = installation(scope).manifests().into_iter();
            manifests
                .map(|one| format!("{} {}", one["kind"], one["metadata"]["namespace"]).replace('"', ""))
                .collect::<Vec<_>>()
        };
        let home = ["ServiceAccount mozart", "Role mozart", "RoleBinding mozart"];
        let teams = Scope::Namespaces(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(
            kinds(teams),
            [&home[..], &["Role a", "RoleBinding a", "Role b", "RoleBinding b"]].concat()
        );
        assert_eq!(
            kinds(Scope::Cluster),
            [&home[..], &["ClusterRole null", "ClusterRoleBinding null"]].concat()
        );
    }
}
