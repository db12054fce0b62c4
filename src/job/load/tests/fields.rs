//! Every field acts: written, it changes the job.

use super::load;
use crate::job::{
    identity::BatchNum,
    load::Loaded,
    prompt::{PromptContext, render_label, render_prompt},
};

const CLAUDE: &str = "backend: {type: claude_cli}";

fn manifest(spec: &str) -> String {
    let mut text =
        "apiVersion: mozart.dev/v1alpha1\nkind: MozartJob\nmetadata: {name: a}\nspec:\n".to_owned();
    let has = |field: &str| spec.lines().any(|line| line.starts_with(field));
    for (field, line) in [
        ("batch:", "batch: {size: 10, totalItems: 100}"),
        ("prompt:", "prompt: {template: go}"),
        ("backend:", "backend: {type: command, command: [cat]}"),
    ] {
        if !has(field) {
            text.extend(["  ", line, "\n"]);
        }
    }
    for line in spec.lines() {
        text.extend(["  ", line, "\n"]);
    }
    text
}

/// Everything that a job is, and the prompt and label of its first batch.
fn seen(spec: &str) -> String {
    let Loaded { job, .. } = load(&manifest(spec)).unwrap_or_else(|problems| panic!("{spec}\n{problems}"));
    let batch = job.batches.get(BatchNum(1)).unwrap();
    let prompt = render_prompt(&job, batch, &PromptContext::first()).unwrap();
    let label = render_label(&job, batch).unwrap();
    let mut plain = job;
    // These follow from the text as such.
    plain.plan_hash = String::new();
    plain.plan_text = String::new();
    format!("{plain:#?}\n{prompt}\n{label:?}")
}

#[test]
fn every_field_changes_the_job() {
    let claude = |field: &str| (CLAUDE.to_owned(), format!("backend: {{type: claude_cli, {field}}}"));
    let api = |field: &str| {
        let base = "backend: {type: anthropic_api, model: m}";
        (base.to_owned(), format!("backend: {{type: anthropic_api, model: m, {field}}}"))
    };
    let alone = |text: &str| (String::new(), text.to_owned());
    let check = |kind: &str, base: &str, field: &str| {
        let path = if kind.starts_with("file") { ", path: '{workspace}/{batch_num}'" } else { "" };
        (
            format!("validations: [{{type: {kind}{path}{base}}}]"),
            format!("validations: [{{type: {kind}{path}{base}, {field}}}]"),
        )
    };
    let hook = |field: &str| {
        let base = "type: webhook, url: 'https://a.example'";
        (format!("notifications: [{{{base}}}]"), format!("notifications: [{{{base}, {field}}}]"))
    };
    let from = |text: &str| ("batch: {size: 10, totalItems: 100}".to_owned(), text.to_owned());
    let cases = [
        alone("description: d"),
        alone("suspend: true"),
        alone("workspace: {path: other}"),
        alone("workspace: {shared: true}"),
        alone("managedBy: x"),
        alone("suspendPolicy: Drain"),
        alone("stop: {run: 3}"),
        alone("rerun: {id: x, select: Batches, batches: '3'}"),
        alone("workspace: {persistentVolumeClaim: {claimName: c, subPath: a}}"),
        alone("workspace: {volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}}"),
        alone("workspace: {emptyDir: {}}"),
        alone("execution: Pod"),
        alone("output: {store: Operator, retain: Job}"),
        alone("pod: {image: i}"),
        alone("backend: {type: claude_cli}"),
        claude("model: m"),
        claude("auth: Subscription"),
        claude("apiKeyEnv: KEY"),
        claude("credential: c"),
        claude("timeoutSeconds: 5"),
        claude("permissionMode: plan"),
        claude("workingDirectory: ."),
        claude("allowedTools: [Bash]"),
        claude("disallowedTools: [Bash]"),
        claude("tools: [Bash]"),
        claude("maxTurns: 3"),
        claude("effort: high"),
        claude("fallbackModel: f"),
        claude("appendSystemPrompt: s"),
        claude("mcpConfig: {mcpServers: {}}"),
        claude("settingSources: [project]"),
        claude("hooks: true"),
        claude("fileMentions: true"),
        claude("slashCommand: true"),
        claude("extraArgs: [--add-dir, /x]"),
        api("maxTokens: 5"),
        api("system: s"),
        api("temperature: 0.5"),
        api("baseUrl: 'http://localhost:1'"),
        api("apiKeyEnv: KEY"),
        alone("backend: {type: command, command: [tac]}"),
        alone("backend: {type: command, command: [cat], workingDirectory: /x}"),
        alone("budget: {perAttemptUSD: \"0.5\"}"),
        alone("budget: {perRunUSD: 5}"),
        ("budget: {perRunUSD: 5}".to_owned(), "budget: {perRunUSD: 5, onReached: Stop}".to_owned()),
        from("batch: {size: 9, totalItems: 100}"),
        from("batch: {size: 10, totalItems: 99}"),
        from("batch: {size: 10, totalItems: 100, label: 'l{{ batch_num }}'}"),
        from("batch: {size: 10, totalItems: 100, startItem: 2}"),
        from("batch: {size: 10, items: [a, {b: c}]}"),
        from("batch: {size: 10, itemsFrom: {command: 'echo a; echo b'}}"),
        from("batch: {size: 10, totalItems: 100, parallelism: 2}"),
        from("batch: {size: 10, totalItems: 100, pauseSeconds: 0.5}"),
        alone("prompt: {template: other}"),
        alone("prompt: {template: go, variables: {a: 1}}"),
        alone("prompt: {template: go, stakes: much}"),
        alone("prompt: {template: go, thinkingMethod: slowly}"),
        alone("retry: {maxRetries: 1}"),
        alone("retry: {baseDelaySeconds: 0.1}"),
        alone("retry: {exponentialBase: 3}"),
        alone("retry: {maxDelaySeconds: 5}"),
        alone("retry: {jitter: false}"),
        alone("retry: {onExhausted: FailJob}"),
        alone("retry: {maxFailedInARow: 1}"),
        alone("retry: {session: Fresh}"),
        alone("rateLimit: {patterns: [slow]}"),
        alone("rateLimit: {waitSeconds: 5}"),
        alone("rateLimit: {onOverage: Spend}"),
        alone("rateLimit: {leave: 0.1}"),
        alone("rateLimit: {maxWaitSeconds: 5}"),
        alone("rateLimit: {giveUpAfterSeconds: 5}"),
        alone("rateLimit: {maxWaits: 5}"),
        check("file_exists", "", "allowExisting: true"),
        check("file_exists", "", "description: d"),
        check("command_succeeds", ", command: 'true'", "workingDirectory: /x"),
        check("command_succeeds", ", command: 'true'", "timeoutSeconds: 5"),
        (
            "validations: [{type: output_regex, pattern: a}]".to_owned(),
            "validations: [{type: output_regex, pattern: b}]".to_owned(),
        ),
        hook("onEvents: [job_start]"),
        hook("headers: {a: b}"),
        hook("secretFrom: {env: S}"),
        hook("includeOutput: true"),
        (
            "notifications: [{type: slack, url: 'https://a.example'}]".to_owned(),
            "notifications: [{type: slack, urlFrom: {env: U}}]".to_owned(),
        ),
        alone("activeDeadlineSeconds: 5"),
        alone("ttlSecondsAfterFinished: 5"),
        alone("history: {keepRuns: 3}"),
        alone("stateBackend: json"),
        alone("statePath: s.db"),
    ];
    for (without, with) in cases {
        assert_ne!(seen(&without), seen(&with), "{with} does nothing");
    }
}

#[test]
fn what_is_of_the_other_mode_is_named() {
    let job = load(&manifest("pod: {image: i}\nexecution: Pod\nbackend: {type: claude_cli, credential: c}"))
        .unwrap()
        .job;
    assert_eq!(job.left, ["spec.backend.credential", "spec.execution", "spec.pod"]);
}
