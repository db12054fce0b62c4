//! The prompt: its template, wherever it comes from, and the author's variables.

use std::sync::Arc;

use super::{
    batch::{chain, help_of},
    context::Context,
    is_plain,
};
use crate::{
    api,
    job::{
        load::At,
        model::Prompt,
        prompt::NAMES,
        sources::Mode,
        template::{TemplateError, Templates, value},
    },
};

pub fn prompt(api: &api::prompt::Prompt, label: Option<&str>, context: &mut Context<'_>) -> Option<Prompt> {
    let variables = api.variables.clone().unwrap_or_default();
    for name in variables.keys().filter(|name| NAMES.contains(&name.as_str())) {
        let path = format!("prompt.variables.{name}");
        context.error(
            &path,
            format!("`{name}` is a name that Mozart gives every template"),
            "call yours otherwise",
        );
    }
    let (template, template_name) = template(api, context)?;
    let templates = Templates::compile(&template)
        .map_err(|error| report(&error, &template_name, "prompt", &template, context))
        .ok()?;
    let templates = match label {
        None => templates,
        Some(label) => templates
            .with_label(label)
            .map_err(|error| report(&error, "", "batch.label", label, context))
            .ok()?,
    };
    if is_plain(context) {
        for (name, path, written) in [
            ("stakes", "prompt.stakes", api.stakes.is_some()),
            ("thinking_method", "prompt.thinkingMethod", api.thinking_method.is_some()),
        ] {
            if written && !templates.uses(name) {
                let message =
                    format!("`{}` is not in the prompt: the template does not use it", context.name(path));
                let help = format!(
                    "add `{{{{ {name} }}}}` to the template; a manifest's prompt would end with it by itself"
                );
                context.warning(path, message, help);
            }
        }
    }
    let template_name =
        if template_name.is_empty() { context.file.display().to_string() } else { template_name };
    let values = variables.iter().map(|(name, json)| (name.clone(), value(json))).collect();
    Some(Prompt {
        template,
        template_name,
        templates,
        variables,
        values: Arc::new(values),
        stakes: api.stakes.clone(),
        thinking_method: api.thinking_method.clone(),
        append_unused: !is_plain(context),
    })
}

fn template(api: &api::prompt::Prompt, context: &mut Context<'_>) -> Option<(String, String)> {
    match (&api.template, &api.template_file) {
        (Some(_), Some(_)) => {
            let message = format!(
                "`{}` and `{}` both say what the prompt is",
                context.name("prompt.template"),
                context.name("prompt.templateFile")
            );
            context.error("prompt.templateFile", message, "keep one of them");
            None
        }
        (Some(template), None) => Some((template.clone(), String::new())),
        (None, Some(file)) => match context.sources.file(file) {
            // As Jinja2 does: one newline at the end of a file is the file's, not the text's.
            Ok(text) => Some((text, context.resolve(file).display().to_string())),
            Err(error) => {
                context.error("prompt.templateFile", chain(&error), help_of(&error));
                None
            }
        },
        (None, None) if context.sources.mode() == Mode::Cluster && api.template_from.is_some() => {
            let key = &api.template_from.as_ref()?.config_map_key_ref;
            match context.sources.config_map(&key.name, &key.key) {
                Ok(text) => Some((text, format!("key {} of the ConfigMap {}", key.key, key.name))),
                Err(error) => {
                    context.error("prompt.templateFrom", chain(&error), help_of(&error));
                    None
                }
            }
        }
        (None, None) => {
            let name = context.name("prompt");
            let help = match context.sources.mode() {
                Mode::Local => {
                    format!(
                        "add `template: |` and the text under it, or `{}: …`",
                        context.spell("templateFile")
                    )
                }
                Mode::Cluster => "add `template: |` and the text under it, or `templateFrom`".to_owned(),
            };
            context.error("prompt", format!("`{name}` has no template"), help);
            None
        }
    }
}

/// Reports what is wrong with a template at its line: in the template file, or where the text stands in the job file.
pub fn report(error: &TemplateError, file: &str, field: &str, template: &str, context: &mut Context<'_>) {
    let path = match field {
        "prompt" if file.is_empty() => "prompt.template",
        "prompt" if context.sources.mode() == Mode::Cluster => "prompt.templateFrom",
        "prompt" => "prompt.templateFile",
        other => other,
    };
    let help = error.help.clone().unwrap_or_else(|| help(error, context));
    let name = context.name(path);
    let at = if file.is_empty() {
        inline(error, template, path, context)
    } else {
        let (column, width) = error.columns.unwrap_or((1, 1));
        let text = context.report.texts.add(file, template);
        Some(At { text, line: error.line.unwrap_or(1), column, width })
    };
    match at {
        Some(at) => context.report.error(at, &name, error.message.clone(), help),
        None => context.error(path, error.message.clone(), help),
    }
}

fn help(error: &TemplateError, context: &Context<'_>) -> String {
    let own = context
        .tree
        .get("spec")
        .and_then(|spec| spec.get("prompt"))
        .and_then(|prompt| prompt.get("variables"));
    let own: Vec<String> = match own.map(crate::job::load::Node::to_json) {
        Some(serde_json::Value::Object(map)) => map.into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    };
    let known: Vec<&str> = own.iter().map(String::as_str).chain(NAMES).collect();
    let name = error.message.split('`').nth(1).unwrap_or_default();
    let first = name.split(['.', '[']).next().unwrap_or_default();
    if error.message.contains("not defined") {
        match crate::job::load::nearest(first, known.iter().copied()) {
            Some(near) if near != first => format!("did you mean `{near}`?"),
            Some(_) => format!("`{first}` has no such part here; guard it with `{{% if … is defined %}}`"),
            None => format!("put it under prompt.variables; Mozart gives: {}", NAMES.join(", ")),
        }
    } else {
        "mend the template; it is Jinja2".to_owned()
    }
}

/// Where a line of a template stands that is written in the job file. Only of a literal block (`|`) is that known: it
/// begins in the line after its key, and every line is the template's with an indent.
fn inline(error: &TemplateError, template: &str, path: &str, context: &Context<'_>) -> Option<At> {
    let (parent, name) = path.rsplit_once('.')?;
    let parent = parent.split('.').try_fold(context.tree.get("spec")?, |node, name| node.get(name))?;
    let key = parent.entry(name)?.key.at;
    let line = error.line?;
    if !context.report.texts.place(key)?.snippet.contains(": |") {
        return None;
    }
    let text = template.lines().nth(line as usize - 1)?;
    let at = At { line: key.line + line, column: 1, width: 1, ..key };
    let source = context.report.texts.place(at)?.snippet;
    let indent = source.strip_suffix(text).map(|indent| indent.chars().count())?;
    let (column, width) = error.columns.unwrap_or((1, 1));
    Some(At { column: column + u32::try_from(indent).ok()?, width, ..at })
}
