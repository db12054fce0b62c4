//! The rules of the resources that a schema cannot say, in CEL.

use serde_json::{Value, json};

use super::structural::at;
use crate::{api::backend::BackendType, job::BACKEND_FIELDS};

/// A rule on the value at a path (`[]` steps into the items of a list; the empty path is the whole object).
pub(super) struct Rule {
    path: &'static str,
    cel: &'static str,
    message: &'static str,
}

const fn rule(path: &'static str, cel: &'static str, message: &'static str) -> Rule {
    Rule { path, cel, message }
}

impl Rule {
    pub(super) fn add_to(&self, schema: &mut Value) {
        push(at(schema, self.path), json!({"rule": self.cel, "message": self.message}));
    }
}

fn push(schema: &mut Value, rule: Value) {
    match &mut schema["x-kubernetes-validations"] {
        Value::Array(rules) => rules.push(rule),
        none => *none = json!([rule]),
    }
}

/// What of a job its run follows, and whether it must be there. `dyn` is for what holds values of any type, which CEL
/// knows only at run time.
const PINNED: &[(&str, &str)] = &[
    ("spec", "backend"),
    ("spec", "prompt"),
    ("spec", "validations"),
    ("spec", "workspace"),
    ("spec", "execution"),
    ("spec", "pod"),
    ("spec.batch", "size"),
    ("spec.batch", "totalItems"),
    ("spec.batch", "startItem"),
    ("spec.batch", "itemsFrom"),
    ("spec.batch", "label"),
];

/// Pins the plan while a run is active, refuses another run meanwhile, and an operator once named.
pub(super) fn transitions(schema: &mut Value) {
    let idle = "!has(oldSelf.status) || !has(oldSelf.status.activeRun)";
    let mut same: Vec<String> = PINNED.iter().map(|(parent, field)| unchanged(parent, field)).collect();
    same.push(unchanged_of("dyn(self.spec.batch)", "dyn(oldSelf.spec.batch)", "items"));
    let pinned = json!({
        "rule": format!("{idle} || ({})", same.join(" && ")),
        "messageExpression": "'backend, batch (but for parallelism and pauseSeconds), prompt, validations, workspace, \
            execution and pod are pinned while run %d is active: wait for its end, or set spec.stop to {run: %d} first'\
            .format([oldSelf.status.activeRun, oldSelf.status.activeRun])",
    });
    let one_at_a_time = json!({
        "rule": format!("{idle} || !has(self.spec.rerun) || ({})", unchanged("spec", "rerun")),
        "messageExpression": "'run %d is active: wait for its end, or set spec.stop to {run: %d}, before you ask for \
            another'.format([oldSelf.status.activeRun, oldSelf.status.activeRun])",
    });
    push(schema, pinned);
    push(schema, one_at_a_time);
    let operator = json!({
        "rule": unchanged_of("self", "oldSelf", "managedBy"),
        "message": "managedBy cannot be changed: make another job",
    });
    push(at(schema, "spec"), operator);
}

fn unchanged(parent: &str, field: &str) -> String {
    unchanged_of(&format!("self.{parent}"), &format!("oldSelf.{parent}"), field)
}

/// The way that costs little by CEL's reckoning; comparing optional values counts as unbounded.
fn unchanged_of(new: &str, old: &str, field: &str) -> String {
    format!(
        "has({new}.{field}) == has({old}.{field}) && (!has({new}.{field}) || {new}.{field} == {old}.{field})"
    )
}

/// The rules of a `MozartJob`. What a run follows is pinned while it is active, and the message names the way out; no
/// schema default stands inside a union, so that `has` tells what was written.
pub(super) const JOB: &[Rule] = &[
    rule(
        "",
        "self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name must be a DNS label of at most 52 characters (a-z, 0-9 and -): the names of Pods derive from it",
    ),
    rule(
        "spec",
        "!has(self.execution) || self.execution == 'Pod' || self.?backend.?type.orValue('claude_cli') == 'anthropic_api'",
        "execution: InProcess is for backend.type: anthropic_api only",
    ),
    rule(
        "spec",
        "self.?execution.orValue(self.?backend.?type.orValue('claude_cli') == 'anthropic_api' ? 'InProcess' : 'Pod') \
         == 'InProcess' || (has(self.workspace) && (has(self.workspace.persistentVolumeClaim) \
         || has(self.workspace.volumeClaimTemplate) || has(self.workspace.emptyDir)))",
        "in a cluster the workspace has no default: write workspace.persistentVolumeClaim or \
         workspace.volumeClaimTemplate, or workspace.emptyDir if it may be gone with its Pod",
    ),
    rule(
        "spec",
        "self.?execution.orValue(self.?backend.?type.orValue('claude_cli') == 'anthropic_api' ? 'InProcess' : 'Pod') \
         == 'Pod' || !has(self.validations) \
         || self.validations.all(one, one.type in ['output_contains', 'output_regex'])",
        "execution: InProcess has no workspace: its validations are output_contains and output_regex",
    ),
    rule(
        "spec.workspace",
        "(has(self.persistentVolumeClaim) ? 1 : 0) + (has(self.volumeClaimTemplate) ? 1 : 0) \
         + (has(self.emptyDir) ? 1 : 0) <= 1",
        "write one of persistentVolumeClaim, volumeClaimTemplate and emptyDir",
    ),
    rule(
        "spec.backend",
        "self.?type.orValue('claude_cli') != 'anthropic_api' || has(self.model)",
        "anthropic_api needs a model",
    ),
    rule(
        "spec.backend",
        "self.?type.orValue('claude_cli') != 'command' || has(self.command)",
        "the backend command needs command: [program, argument]",
    ),
    rule(
        "spec.batch",
        "(has(self.totalItems) ? 1 : 0) + (has(dyn(self).items) ? 1 : 0) + (has(self.itemsFrom) ? 1 : 0) == 1",
        "write exactly one of totalItems, items and itemsFrom",
    ),
    rule(
        "spec.batch",
        "!has(self.totalItems) || self.?startItem.orValue(1) <= self.totalItems",
        "totalItems is the number of the last item: it cannot be below startItem",
    ),
    rule(
        "spec.batch",
        "!has(self.totalItems) \
         || (self.totalItems - self.?startItem.orValue(1) + self.size) / self.size <= 100000",
        "a job has at most 100,000 batches: put more items in a batch, or cut the list into several jobs",
    ),
    rule(
        "spec.batch.itemsFrom",
        "has(self.configMapKeyRef)",
        "in a cluster items come from configMapKeyRef; file and command are for mozart local-run",
    ),
    rule(
        "spec.prompt",
        "has(self.template) != has(self.templateFrom)",
        "in a cluster the prompt is one of template and templateFrom",
    ),
    rule(
        "spec.rerun",
        "(self.?select.orValue('Unfinished') == 'Batches') == has(self.batches)",
        "batches goes with select: Batches, and with no other",
    ),
    rule(
        "spec.validations[]",
        "has(self.path) == (self.type in ['file_exists', 'file_modified', 'content_contains', 'content_regex'])",
        "path goes with file_exists, file_modified, content_contains and content_regex, which need it",
    ),
    rule(
        "spec.validations[]",
        "has(self.pattern) == (self.type in ['content_contains', 'content_regex', 'output_contains', 'output_regex'])",
        "pattern goes with content_contains, content_regex, output_contains and output_regex, which need it",
    ),
    rule(
        "spec.validations[]",
        "has(self.command) == (self.type == 'command_succeeds')",
        "command goes with command_succeeds, which needs it",
    ),
    rule(
        "spec.validations[]",
        "self.type == 'command_succeeds' || !(has(self.workingDirectory) || has(self.timeoutSeconds))",
        "workingDirectory and timeoutSeconds go with command_succeeds",
    ),
    rule(
        "spec.validations[]",
        "self.type == 'file_exists' || !has(self.allowExisting)",
        "allowExisting goes with file_exists",
    ),
    rule(
        "spec.notifications[]",
        "self.type == 'desktop' ? !(has(self.url) || has(self.urlFrom)) : has(self.url) != has(self.urlFrom)",
        "webhook and slack need one of url and urlFrom; desktop takes neither",
    ),
    // Who may read a job may not read everything that its author may.
    rule(
        "spec.notifications[]",
        "!has(self.url) || (self.type != 'slack' && !self.url.matches('^[^:]*:/*([^/]*@|hooks[.]slack[.]com/|discord(app)?[.]com/api/webhooks/)'))",
        "this address is a secret: write urlFrom.secretKeyRef, of a Secret of the type mozart.dev/webhook",
    ),
    rule(
        "spec.notifications[]",
        "!has(self.headers) || self.headers.all(name, !(name.lowerAscii() in ['authorization', 'proxy-authorization', 'cookie', 'x-api-key']))",
        "a header that holds a secret is read by everybody who reads the job: secretFrom signs what is sent",
    ),
    rule("spec.pod.env[]", "!(has(self.value) && has(self.valueFrom))", "write one of value and valueFrom"),
    rule(
        "spec.pod.env[].valueFrom",
        "has(self.configMapKeyRef) != has(self.fieldRef)",
        "write one of configMapKeyRef and fieldRef",
    ),
    rule(
        "spec.pod.volumes[]",
        "(has(self.configMap) ? 1 : 0) + (has(self.emptyDir) ? 1 : 0) + (has(self.persistentVolumeClaim) ? 1 : 0) \
         + (has(self.secret) ? 1 : 0) + (has(self.ephemeral) ? 1 : 0) == 1",
        "a volume is exactly one of configMap, emptyDir, persistentVolumeClaim, secret and ephemeral",
    ),
    rule(
        "spec.pod",
        "!has(self.labels) || self.labels.all(name, name == 'kueue.x-k8s.io/queue-name' \
         || !name.matches('^([^/]*[.])?(mozart[.]dev|kubernetes[.]io|k8s[.]io)/'))",
        "labels under mozart.dev/, kubernetes.io/ and k8s.io/ are not yours to set, but for kueue.x-k8s.io/queue-name",
    ),
];

/// The rules of a `MozartCredential`.
pub(super) const CREDENTIAL: &[Rule] = &[rule(
    "spec",
    "!has(self.baseURL) || self.baseURL.startsWith('https://') || self.baseURL.startsWith('http://')",
    "baseURL begins with https:// (or http:// for an address inside the cluster)",
)];

/// Refuses each field of `backend` with the types that do not use it.
pub(super) fn backend_fields(schema: &mut Value) {
    let mut groups: Vec<(&[BackendType], Vec<&str>)> = Vec::new();
    for (field, kinds) in BACKEND_FIELDS {
        match groups.iter_mut().find(|(of, _)| of == kinds) {
            Some((_, fields)) => fields.push(field),
            None => groups.push((kinds, vec![field])),
        }
    }
    for (kinds, fields) in groups {
        let words: Vec<String> = kinds.iter().map(|kind| format!("'{}'", kind.word())).collect();
        let has: Vec<String> = fields.iter().map(|field| format!("has(self.{field})")).collect();
        let rule =
            format!("self.?type.orValue('claude_cli') in [{}] || !({})", words.join(", "), has.join(" || "));
        let of: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
        let message = format!("only {} takes {}", of.join(" and "), fields.join(", "));
        push(at(schema, "spec.backend"), json!({"rule": rule, "message": message}));
    }
}
