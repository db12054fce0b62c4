//! What the schema cannot say: rules between fields, what files and patterns hold, and every batch rendered once.

mod backend;
mod batch;
mod checks;
mod context;
mod notify;
mod plan;
mod policy;
mod prompt;
mod rehearse;

use std::{path::Path, time::Duration};

pub use self::backend::BACKEND_FIELDS;
use self::context::Context;
use super::{
    identity::JobName,
    items,
    load::{Form, Node, Overrides, Rehearsal, Report},
    model::{Job, StateBackend, StateKind, Workspace},
    sources::{Mode, Sources},
};
use crate::api::{self, MozartJob};

/// The job that a manifest means. Everything that is wrong is in `report`; `None` where too much is to go on.
pub fn job(
    api: &MozartJob,
    tree: &Node,
    file: &Path,
    overrides: &Overrides,
    sources: &dyn Sources,
    report: &mut Report,
) -> Option<Job> {
    let mut context = Context { tree, file, overrides, sources, report };
    let context = &mut context;
    let spec = &api.spec;
    let name = name(&api.metadata.name, context);
    let workspace = workspace(spec.workspace.as_ref(), context);
    let backend = backend::backend(spec.backend.as_ref(), &workspace, context);
    let batches = batch::batches(&spec.batch, &api.metadata.name, context);
    let prompt = prompt::prompt(&spec.prompt, spec.batch.label.as_deref(), context);
    let parallelism = batch::parallelism(&spec.batch, context);
    let validations = checks::validations(
        spec.validations.as_deref().unwrap_or_default(),
        backend.as_ref(),
        parallelism.get() > 1
            && batches.as_ref().is_none_or(|batches| batches.total() > 1)
            && !workspace.shared,
        context,
    );
    let notifications = notify::notifications(spec.notifications.as_deref().unwrap_or_default(), context);
    let retry = policy::retry(spec.retry.as_ref());
    let rate_limit = policy::rate_limit(spec.rate_limit.as_ref(), context);
    let budget = policy::budget(spec.budget.as_ref(), context);
    let seconds = |value: Option<u32>| value.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let mut job = Job {
        name: name?,
        description: spec.description.clone(),
        file: file.to_owned(),
        workspace,
        backend: backend?,
        timeout: seconds(spec.backend.as_ref().and_then(|backend| backend.timeout_seconds))
            .unwrap_or(Duration::from_mins(30)),
        budget,
        batches: batches?,
        label: spec.batch.label.clone(),
        parallelism,
        pause: Duration::from_secs_f64(spec.batch.pause_seconds.unwrap_or(0.0)),
        prompt: prompt?,
        retry,
        rate_limit,
        validations,
        notifications,
        suspend: spec.suspend.unwrap_or(false),
        active_deadline: seconds(spec.active_deadline_seconds),
        ttl_after_finished: seconds(spec.ttl_seconds_after_finished),
        keep_runs: spec.history.as_ref().and_then(|history| history.keep_runs).unwrap_or(10),
        state: StateBackend {
            kind: match spec.state_backend {
                Some(api::run::StateKind::Json) => StateKind::Json,
                Some(api::run::StateKind::Sqlite) | None => StateKind::Sqlite,
            },
            path: spec.state_path.as_deref().map(|path| context.resolve(path)),
        },
        plan_hash: String::new(),
        plan_text: String::new(),
        left: left(context),
    };
    if overrides.rehearsal == Rehearsal::Whole && !context.report.problems.has_errors() {
        rehearse::rehearse(&job, context);
    }
    job.plan_text = plan::text(&job, tree);
    job.plan_hash = items::hash_of(&job.plan_text);
    Some(job)
}

fn name(text: &str, context: &mut Context<'_>) -> Option<JobName> {
    text.parse()
        .map_err(|error: super::identity::InvalidJobName| {
            let mut slug: String = text
                .to_lowercase()
                .split(|character: char| !character.is_ascii_alphanumeric())
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("-");
            slug.truncate(JobName::MAX_LEN);
            let slug = slug.trim_end_matches('-');
            let help =
                if slug.is_empty() { "write such a name".to_owned() } else { format!("write `{slug}`") };
            context.error("metadata.name", error.to_string(), help);
        })
        .ok()
}

fn workspace(api: Option<&api::workspace::Workspace>, context: &Context<'_>) -> Workspace {
    let written = api.and_then(|workspace| workspace.path.as_deref()).unwrap_or("workspace");
    let path = context.overrides.workspace.clone().unwrap_or_else(|| context.resolve(written));
    Workspace { path, shared: api.and_then(|workspace| workspace.shared).unwrap_or(false) }
}

/// Fields that only the other mode uses, in the user's spelling.
fn left(context: &Context<'_>) -> Vec<String> {
    const CLUSTER: [&str; 13] = [
        "metadata.namespace",
        "managedBy",
        "suspendPolicy",
        "stop",
        "rerun",
        "workspace.persistentVolumeClaim",
        "workspace.volumeClaimTemplate",
        "workspace.emptyDir",
        "backend.credential",
        "execution",
        "output",
        "pod",
        "batch.itemsFrom.configMapKeyRef",
    ];
    const LOCAL: [&str; 10] = [
        "workspace.path",
        "backend.auth",
        "backend.apiKeyEnv",
        "backend.baseUrl",
        "batch.itemsFrom.file",
        "batch.itemsFrom.command",
        "prompt.templateFile",
        "rateLimit.maxWaitSeconds",
        "stateBackend",
        "statePath",
    ];
    let others: &[&str] = match context.sources.mode() {
        Mode::Local => &CLUSTER,
        Mode::Cluster => &LOCAL,
    };
    let mut left: Vec<String> =
        others.iter().filter(|path| context.has(path)).map(|path| context.name(path)).collect();
    if context.sources.mode() == Mode::Local && context.has("prompt.templateFrom") {
        left.push(context.name("prompt.templateFrom"));
    }
    left
}

/// Whether the file is in the original's form.
fn is_plain(context: &Context<'_>) -> bool {
    context.report.form == Form::Plain
}
