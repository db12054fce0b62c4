//! What an attempt was asked: rendered again from the run's plan, for who may read the `ConfigMap`s that are it.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use super::{ClusterView, failed, known::Name};
use crate::{
    cluster::visitors::Deed,
    dashboard::view::{View as _, ViewError},
    job::{
        finding::Finding,
        identity::{AttemptKey, RunId},
        outcome::FailureClass,
        plan::Plan,
        prompt::{After, PromptContext, render_prompt},
        sources::Mode,
    },
    launch::pod::{plan, spec::WORKSPACE},
    store::record::AttemptRecord,
};

/// So many bytes of prompts that were rendered lately are kept: a text is read in pieces, and followed.
const KEPT: usize = 16 << 20;

/// Why the plan of a run is not read.
#[derive(Debug)]
pub(super) enum NoPlan {
    /// Who asks may not, in a sentence.
    Withheld(String),
    /// It is not there any more.
    Gone,
    /// It cannot be read, or makes no prompt.
    Unread(String),
}

/// The prompts that were rendered last.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    rendered: Mutex<VecDeque<(RunId, AttemptKey, Arc<str>)>>,
    /// One is rendered at a time: a template may take memory and time.
    turn: tokio::sync::Mutex<()>,
}

impl Prompts {
    fn get(&self, run: &RunId, key: AttemptKey) -> Option<Arc<str>> {
        let rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        let found = rendered.iter().find(|(of, one, _)| *one == key && of == run);
        found.map(|(_, _, prompt)| Arc::clone(prompt))
    }

    fn put(&self, run: &RunId, key: AttemptKey, prompt: &Arc<str>) {
        let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        rendered.push_back((run.clone(), key, Arc::clone(prompt)));
        let mut bytes: usize = rendered.iter().map(|(_, _, prompt)| prompt.len()).sum();
        while bytes > KEPT
            && let Some((_, _, oldest)) = rendered.pop_front()
        {
            bytes -= oldest.len();
        }
    }
}

impl ClusterView {
    /// The plan of a run, if he may read it.
    pub(super) async fn plan(&self, (namespace, job): &Name, run: &RunId) -> Result<Plan, NoPlan> {
        let deed = Deed::config_map(namespace, &plan::first_part(job, run));
        let unread = |error: &dyn std::error::Error| NoPlan::Unread(error.to_string());
        if !self.may(&deed).await.map_err(|error| unread(&error))? {
            let why = format!(
                "{} may not {deed}, which has the plan of the run: ask for the role view.",
                self.who()
            );
            return Err(NoPlan::Withheld(why));
        }
        let client = &self.cluster.client;
        let found = plan::find(client, namespace, job, run).await.map_err(|error| unread(&error))?;
        let found = found.ok_or(NoPlan::Gone)?;
        plan::read(client, namespace, &found).await.map_err(|error| unread(&error))
    }

    /// The prompt of an attempt.
    pub(super) async fn prompt(
        &self,
        run: &RunId,
        key: AttemptKey,
    ) -> Result<Result<Arc<str>, NoPlan>, ViewError> {
        let Some(name) = self.name_of(run) else { return Ok(Err(NoPlan::Gone)) };
        // Looked at before what is kept: that is nobody's in particular.
        let deed = Deed::config_map(&name.0, &plan::first_part(&name.1, run));
        let prompts = &self.cluster.prompts;
        if self.may(&deed).await?
            && let Some(prompt) = prompts.get(run, key)
        {
            return Ok(Ok(prompt));
        }
        let plan = match self.plan(&name, run).await {
            Ok(plan) => plan,
            Err(why) => return Ok(Err(why)),
        };
        let before = self.attempts(run, key.batch).await?;
        let findings = match before.iter().rfind(|attempt| attempt.ordinal + 1 == key.ordinal) {
            Some(previous) => self.findings(run, previous.key()).await?,
            None => Vec::new(),
        };
        let context = context(key, &before, findings);
        let _turn = prompts.turn.lock().await;
        let rendered = tokio::task::spawn_blocking(move || render(&plan, key, &context)).await;
        let rendered = rendered.map_err(failed("the prompt could not be rendered"))?;
        Ok(match rendered {
            Ok(prompt) => {
                let prompt = Arc::from(prompt);
                prompts.put(run, key, &prompt);
                Ok(prompt)
            }
            Err(why) => Err(NoPlan::Unread(why)),
        })
    }
}

/// What the attempt followed, as far as is known: in a Pod each has a session of its own.
fn context(key: AttemptKey, before: &[AttemptRecord], findings: Vec<Finding>) -> PromptContext {
    let earlier = || before.iter().filter(|attempt| attempt.ordinal < key.ordinal);
    let Some(previous) = earlier().next_back() else { return PromptContext::first() };
    let is_try = |class| matches!(class, None | Some(FailureClass::Transient | FailureClass::Validation));
    let tries = earlier().filter(|attempt| is_try(attempt.class)).count();
    PromptContext {
        attempt: u32::try_from(tries).unwrap_or(u32::MAX).saturating_add(1),
        previous_failures: findings.into_iter().filter(|finding| !finding.passed).collect(),
        after: After::OverItsFiles(previous.reason.clone().unwrap_or_default()),
    }
}

fn render(plan: &Plan, key: AttemptKey, context: &PromptContext) -> Result<String, String> {
    let loaded = plan.load(Path::new(WORKSPACE), Mode::Cluster).map_err(|problems| problems.to_string())?;
    let batch = loaded.job.batches.get(key.batch).ok_or("the plan has no such batch")?;
    render_prompt(&loaded.job, batch, context).map_err(|error| error.to_string())
}
