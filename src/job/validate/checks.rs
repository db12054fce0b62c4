//! What must be true after an attempt.

use std::time::Duration;

use super::{context::Context, policy::regex};
use crate::{
    api::validation::{
        self as api,
        ValidationType::{
            self, CommandSucceeds, ContentContains, ContentRegex, FileExists, FileModified, OutputContains,
            OutputRegex,
        },
    },
    job::{
        expand::differs_by_batch,
        model::{Backend, Check, Validation},
    },
};

/// How long a command may take unless it is written.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(10);

/// `side_by_side` says that several batches run at once in a workspace that is not said to be shared.
pub fn validations(
    api: &[api::Validation],
    backend: Option<&Backend>,
    side_by_side: bool,
    context: &mut Context<'_>,
) -> Vec<Validation> {
    if api.is_empty() && matches!(backend, Some(Backend::ClaudeCli(_))) {
        context.warning(
            "validations",
            "nothing is checked: a batch counts as done when Claude says so, also where it was not allowed to write",
            "add `validations`, such as `- {type: file_exists, path: \"{workspace}/batch{batch_num}.md\"}`",
        );
    }
    let mut validations = Vec::new();
    for (index, validation) in api.iter().enumerate() {
        let path = format!("validations.{index}");
        if let Some(check) = check(validation, &path, context) {
            validations.push(Validation { check, description: validation.description.clone() });
        }
        let shared = validation.path.as_deref().filter(|path| !differs_by_batch(path));
        let looks_at_own = !validation.allow_existing.unwrap_or(false);
        if let Some(file) = shared
            && side_by_side
            && looks_at_own
        {
            let message = format!(
                "`{file}` is the same file for every batch, and `{}` is above 1: batches would overwrite each other \
                 and pass each other's checks",
                context.name("batch.parallelism")
            );
            let help = "use one file a batch ({batch_num}), parallelism 1, or `workspace.shared: true`";
            context.error(&format!("{path}.path"), message, help);
        }
    }
    validations
}

fn word(kind: ValidationType) -> &'static str {
    match kind {
        FileExists => "file_exists",
        FileModified => "file_modified",
        ContentContains => "content_contains",
        ContentRegex => "content_regex",
        CommandSucceeds => "command_succeeds",
        OutputContains => "output_contains",
        OutputRegex => "output_regex",
    }
}

fn check(api: &api::Validation, path: &str, context: &mut Context<'_>) -> Option<Check> {
    let kind = api.kind;
    let files = [FileExists, FileModified, ContentContains, ContentRegex];
    let patterns = [ContentContains, ContentRegex, OutputContains, OutputRegex];
    // Name, who must have it, who may have it.
    let fields: [(&str, &[ValidationType], &[ValidationType]); 6] = [
        ("path", &files, &files),
        ("pattern", &patterns, &patterns),
        ("command", &[CommandSucceeds], &[CommandSucceeds]),
        ("workingDirectory", &[], &[CommandSucceeds]),
        ("timeoutSeconds", &[], &[CommandSucceeds]),
        ("allowExisting", &[], &[FileExists]),
    ];
    let mut whole = true;
    for (field, must, may) in fields {
        let here = format!("{path}.{field}");
        let is = word(kind);
        if must.contains(&kind) && !context.has(&here) {
            let message = format!("`{}` of type {is} lacks `{}`", context.name(path), context.spell(field));
            context.error(path, message, format!("add `{}: …`", context.spell(field)));
            whole = false;
        }
        if !may.contains(&kind) && context.has(&here) {
            let of: Vec<&str> = may.iter().map(|kind| word(*kind)).collect();
            let message = format!("`{}` does nothing for {is}", context.name(&here));
            context.error(&here, message, format!("take it out; it is of {}", of.join(", ")));
        }
    }
    if !whole {
        return None;
    }
    let file = api.path.clone().unwrap_or_default();
    let pattern = api.pattern.clone().unwrap_or_default();
    let pattern_path = format!("{path}.pattern");
    Some(match kind {
        FileExists => Check::FileExists { path: file, allow_existing: api.allow_existing.unwrap_or(false) },
        FileModified => Check::FileModified { path: file },
        ContentContains => Check::ContentContains { path: file, pattern },
        ContentRegex => {
            Check::ContentRegex { path: file, pattern: regex(&pattern, false, &pattern_path, context)? }
        }
        CommandSucceeds => Check::CommandSucceeds {
            command: api.command.clone().unwrap_or_default(),
            working_directory: api.working_directory.as_deref().and_then(|written| match written {
                // The original's files say so often; it is the default.
                "{workspace}" | "{{ workspace }}" | "{{workspace}}" => None,
                other => Some(context.resolve(other)),
            }),
            timeout: api
                .timeout_seconds
                .map_or(COMMAND_TIMEOUT, |seconds| Duration::from_secs(u64::from(seconds))),
        },
        OutputContains => Check::OutputContains { pattern },
        OutputRegex => Check::OutputRegex { pattern: regex(&pattern, false, &pattern_path, context)? },
    })
}
