//! What an author of a job must be allowed to do himself, asked by the API server when a job comes: the operator makes
//! Pods and reads `ConfigMap`s with rights of its own, and is nobody's deputy.
//!
//! A `ValidatingAdmissionPolicy` asks the authorizer; it needs no webhook. It is what `mozart rbac --policies` prints and
//! the chart installs.

use serde_json::{Value, json};

use super::{operator::Scope, role::Installation};

/// A rule of admission: its name, and the spec of its policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Of what it is.
    pub name: &'static str,
    /// The policy's spec.
    pub spec: Value,
}

/// A check that must hold, and what is said where it does not.
type Check = (&'static str, &'static str);

/// Whether a right of the core group is had on each of the names in a variable. Who has it on all of them is asked once.
const SECRETS: Check = (
    "variables.secrets.size() == 0 \
     || authorizer.group('').resource('secrets').namespace(object.metadata.namespace).check('get').allowed() \
     || variables.secrets.all(one, authorizer.group('').resource('secrets').namespace(object.metadata.namespace)\
        .name(one).check('get').allowed())",
    "'you may not get each Secret that this names, and so it may not name them: ' + variables.secrets.join(', ')",
);
const CONFIG_MAPS: Check = (
    "variables.configMaps.size() == 0 \
     || authorizer.group('').resource('configmaps').namespace(object.metadata.namespace).check('get').allowed() \
     || variables.configMaps.all(one, authorizer.group('').resource('configmaps')\
        .namespace(object.metadata.namespace).name(one).check('get').allowed())",
    "'you may not get each ConfigMap that this job names, and so it may not name them: ' \
     + variables.configMaps.join(', ')",
);
const PODS: Check = (
    "authorizer.group('').resource('pods').namespace(object.metadata.namespace).check('create').allowed()",
    "'whoever makes or changes a job runs programs in its namespace: you may not create Pods in ' \
     + object.metadata.namespace",
);
const CREDENTIAL: Check = (
    "variables.credential == '' \
     || authorizer.group('mozart.dev').resource('mozartcredentials').namespace(object.metadata.namespace)\
        .name(variables.credential).check('use').allowed()",
    "'you may not use the MozartCredential ' + variables.credential + ': that takes the verb use on it'",
);
const SERVICE_ACCOUNT: Check = (
    "variables.serviceAccount == '' \
     || authorizer.group('').resource('serviceaccounts').namespace(object.metadata.namespace)\
        .name(variables.serviceAccount).check('use').allowed()",
    "'you may not use the service account ' + variables.serviceAccount + ': that takes the verb use on it'",
);

const JOB_SECRETS: &str = "object.spec.?pod.?secretEnv.orValue([]).map(one, one.secretKeyRef.name) \
     + object.spec.?pod.?volumes.orValue([]).filter(one, has(one.secret))\
        .map(one, one.secret.?secretName.orValue('')) \
     + object.spec.?pod.?imagePullSecrets.orValue([]).map(one, one.name) \
     + object.spec.?notifications.orValue([]).filter(one, one.?urlFrom.?secretKeyRef.hasValue())\
        .map(one, one.urlFrom.secretKeyRef.name) \
     + object.spec.?notifications.orValue([]).filter(one, one.?secretFrom.?secretKeyRef.hasValue())\
        .map(one, one.secretFrom.secretKeyRef.name)";
const JOB_CONFIG_MAPS: &str = "(object.spec.prompt.?templateFrom.?configMapKeyRef.hasValue() \
        ? [object.spec.prompt.templateFrom.configMapKeyRef.name] : []) \
     + (object.spec.batch.?itemsFrom.?configMapKeyRef.hasValue() \
        ? [object.spec.batch.itemsFrom.configMapKeyRef.name] : []) \
     + object.spec.?pod.?env.orValue([]).filter(one, one.?valueFrom.?configMapKeyRef.hasValue())\
        .map(one, one.valueFrom.configMapKeyRef.name) \
     + object.spec.?pod.?volumes.orValue([]).filter(one, has(one.configMap))\
        .map(one, one.configMap.?name.orValue(''))";
const JOB_CREDENTIAL: &str = "object.spec.?backend.?type.orValue('claude_cli') == 'command' ? '' \
     : object.spec.?backend.?credential.orValue('default')";
const JOB_SERVICE_ACCOUNT: &str = "object.spec.?pod.?serviceAccountName.orValue('')";

/// That of jobs, and that of credentials: whoever names a Secret there has it sent to an address of his choice.
pub fn policies() -> [Policy; 2] {
    let of_jobs = [
        ("secrets", JOB_SECRETS),
        ("configMaps", JOB_CONFIG_MAPS),
        ("credential", JOB_CREDENTIAL),
        ("serviceAccount", JOB_SERVICE_ACCOUNT),
    ];
    let of_credentials = [("secrets", "[object.spec.secretRef.name]")];
    [
        Policy {
            name: "jobs",
            spec: spec("mozartjobs", &of_jobs, &[PODS, SECRETS, CONFIG_MAPS, CREDENTIAL, SERVICE_ACCOUNT]),
        },
        Policy { name: "credentials", spec: spec("mozartcredentials", &of_credentials, &[SECRETS]) },
    ]
}

fn spec(resource: &str, variables: &[(&str, &str)], checks: &[Check]) -> Value {
    let variable = |(name, expression): &(&str, &str)| json!({"name": name, "expression": expression});
    let validation = |(expression, message): &Check| json!({"expression": expression, "messageExpression": message, "reason": "Forbidden"});
    json!({
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{
            "apiGroups": ["mozart.dev"],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE"],
            "resources": [resource],
        }]},
        // Labels, finalizers and what is written for people are everybody's who may write them.
        "matchConditions": [
            {"name": "another-spec", "expression": "oldObject == null || object.spec != oldObject.spec"},
        ],
        "variables": variables.iter().map(variable).collect::<Vec<_>>(),
        "validations": checks.iter().map(validation).collect::<Vec<_>>(),
    })
}

/// The policies of an installation, each with its binding to the namespaces whose jobs are run.
pub fn manifests(installation: &Installation) -> Vec<Value> {
    let version = "admissionregistration.k8s.io/v1";
    let one = |policy: Policy| {
        let name = format!("{}.{}.{}", installation.name, installation.namespace, policy.name);
        let metadata = json!({"name": name, "labels": {"app.kubernetes.io/name": "mozart"}});
        let mut bound = json!({"policyName": name, "validationActions": ["Deny"]});
        if let Scope::Namespaces(namespaces) = &installation.scope {
            bound["matchResources"] = json!({"namespaceSelector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces},
            ]}});
        }
        [
            json!({"apiVersion": version, "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": policy.spec}),
            json!({"apiVersion": version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": metadata, "spec": bound}),
        ]
    };
    policies().into_iter().flat_map(one).collect()
}
