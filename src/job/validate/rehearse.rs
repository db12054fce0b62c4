//! Every batch rendered once before anything is paid: its prompt in each form, its label, its validations' paths.

use std::time::{Duration, Instant};

use super::{context::Context, prompt::report};
use crate::job::{
    batches::Batch,
    expand::{ExpandError, NAMES, expand_command, expand_path},
    finding::Finding,
    identity::BatchNum,
    load::nearest,
    model::Job,
    prompt::{After, PromptContext, RenderError, render_label, render_prompt},
};

/// All renders of a job together.
const BUDGET: Duration = Duration::from_secs(10);

/// Renders everything, and reports the first batch that cannot be: the others most often fail alike.
pub fn rehearse(job: &Job, context: &mut Context<'_>) {
    let began = Instant::now();
    let retry = PromptContext {
        attempt: 2,
        previous_failures: failures(job),
        after: After::OverItsFiles("ValidationFailed".to_owned()),
    };
    // Where the template does not look at what happened before, the retry's text differs by Mozart's words alone.
    let retried = ["attempt", "previous_failures"].iter().any(|name| job.prompt.templates.uses(name));
    for number in 1..=job.batches.total() {
        let Some(batch) = job.batches.get(BatchNum(number)) else { return };
        let mut rendered = render_prompt(job, batch, &PromptContext::first());
        if rendered.is_ok() && (retried || number == 1) {
            rendered = render_prompt(job, batch, &retry);
        }
        if let Err(error) = rendered {
            return prompt_error(job, &error, context);
        }
        if let Err(RenderError::Template { source, .. }) = render_label(job, batch) {
            return report(&source, "", "batch.label", job.label.as_deref().unwrap_or_default(), context);
        }
        if !paths(job, batch, context) {
            return;
        }
        if began.elapsed() > BUDGET {
            let message = format!(
                "rendering the prompts takes too long: {} s were over at batch {number} of {}",
                BUDGET.as_secs(),
                job.batches.total()
            );
            let help = "make the template's loops shorter; long lists belong in batch.items, a few a batch";
            context.error(template_path(context), message, help);
            return;
        }
    }
}

fn template_path(context: &Context<'_>) -> &'static str {
    if context.has("prompt.templateFile") { "prompt.templateFile" } else { "prompt.template" }
}

fn prompt_error(job: &Job, error: &RenderError, context: &mut Context<'_>) {
    let path = template_path(context);
    match error {
        RenderError::Template { batch, source } => {
            let mut source = source.clone();
            source.message = format!("{} (batch {batch})", source.message);
            let file = if path == "prompt.templateFile" { job.prompt.template_name.as_str() } else { "" };
            report(&source, file, "prompt", &job.prompt.template, context);
        }
        RenderError::Blank { .. } => context.error(path, error.to_string(), "write what Claude is to do"),
        RenderError::TooLong { .. } => {
            context.error(
                path,
                error.to_string(),
                "name files instead of putting their text in; Claude can read them",
            );
        }
    }
}

/// What a retry might be told: every validation failed.
fn failures(job: &Job) -> Vec<Finding> {
    let failed = |validation| Finding::failed(validation, "it passes", "it does not");
    job.validations.iter().map(failed).collect()
}

fn paths(job: &Job, batch: Batch, context: &mut Context<'_>) -> bool {
    let mut sound = true;
    for (index, validation) in job.validations.iter().enumerate() {
        if let Some(command) = validation.check.command() {
            // Cannot fail: what it does not know stays the shell's.
            expand_command(job, batch, command);
        }
        let Some(path) = validation.check.path() else { continue };
        let Err(error) = expand_path(job, batch, path) else { continue };
        let help = match &error {
            ExpandError::UnknownName(name) => match nearest(name, NAMES) {
                Some(near) => format!("did you mean `{{{near}}}`?"),
                None => format!("known: {}", NAMES.map(|name| format!("{{{name}}}")).join(", ")),
            },
            ExpandError::LeavesWorkspace(_) => {
                format!("begin it with `{{workspace}}/`; the workspace is {}", job.workspace.path.display())
            }
        };
        context.error(&format!("validations.{index}.path"), error.to_string(), help);
        sound = false;
    }
    sound
}
