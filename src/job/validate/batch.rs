//! The items and their cut.

use std::{num::NonZeroU32, sync::Arc};

use super::context::Context;
use crate::{
    api,
    job::{
        batches::Batches,
        item_text,
        items::{Items, hash_of, text_of},
        sources::{Mode, SourceError},
    },
};

/// The most batches of a job.
pub const MAX_BATCHES: u32 = 100_000;

/// The most items of a source.
const MAX_ITEMS: usize = 1_000_000;

pub fn parallelism(api: &api::batch::Batch, context: &Context<'_>) -> NonZeroU32 {
    let written = api.parallelism.and_then(NonZeroU32::new);
    context.overrides.parallelism.or(written).unwrap_or(NonZeroU32::MIN)
}

pub fn batches(api: &api::batch::Batch, job_name: &str, context: &mut Context<'_>) -> Option<Batches> {
    let size = NonZeroU32::new(api.size)?;
    let start_item = api.start_item.unwrap_or(1);
    let (total_items, items) = items(api, job_name, start_item, context)?;
    if start_item > total_items {
        let message = format!(
            "`{}` is {start_item}, and the last item is number {total_items}",
            context.name("batch.startItem")
        );
        context.error("batch.startItem", message, "begin with an item that there is");
        return None;
    }
    let batches = Batches { size, start_item, total_items, items };
    if batches.total() > MAX_BATCHES {
        let items = u64::from(total_items - start_item + 1);
        let least = items.div_ceil(u64::from(MAX_BATCHES));
        let message = format!("this makes {} batches, and a job may have {MAX_BATCHES}", batches.total());
        context.error("batch.size", message, format!("put at least {least} items in a batch"));
        return None;
    }
    Some(batches)
}

fn items(
    api: &api::batch::Batch,
    job_name: &str,
    start_item: u32,
    context: &mut Context<'_>,
) -> Option<(u32, Option<Items>)> {
    let written: Vec<&str> = ["batch.totalItems", "batch.items", "batch.itemsFrom"]
        .into_iter()
        .filter(|path| context.has(path))
        .collect();
    match written.as_slice() {
        [_] => {}
        [] => {
            let (name, help) = (context.name("batch"), context.spell("totalItems"));
            let message = format!("`{name}` does not say how many items there are");
            context.error("batch", message, format!("add `{help}: 100`, or list them under `items`"));
            return None;
        }
        [first, second, ..] => {
            let message = format!(
                "`{}` and `{}` both say what the items are",
                context.name(first),
                context.name(second)
            );
            context.error(second, message, "keep one of them");
            return None;
        }
    }
    if let Some(total) = api.total_items {
        return Some((total, None));
    }
    let items = match (&api.items, &api.items_from) {
        (Some(items), _) => Items { values: items.iter().map(|item| item.0.clone()).collect(), pinned: None },
        (None, Some(from)) => {
            let pinned = context.overrides.items.iter();
            let mut pinned = pinned.filter(|pinned| pinned.from == *from && pinned.job == job_name);
            if let Some(pinned) = pinned.next() {
                Items { values: Arc::clone(&pinned.values), pinned: Some(pinned.hash.clone()) }
            } else {
                let values = read(from, context)?;
                let pinned = Some(hash_of(text_of(&values)));
                Items { values: values.into(), pinned }
            }
        }
        (None, None) => return None,
    };
    let count = u32::try_from(items.values.len()).ok()?;
    let last = start_item.checked_add(count)?.checked_sub(1)?;
    Some((last, Some(items)))
}

fn read(from: &api::batch::ItemsFrom, context: &mut Context<'_>) -> Option<Vec<serde_json::Value>> {
    if let (Mode::Cluster, Some(key)) = (context.sources.mode(), &from.config_map_key_ref) {
        let text = context.sources.config_map(&key.name, &key.key);
        return parse("batch.itemsFrom.configMapKeyRef", text, context);
    }
    let (path, text): (&str, Result<String, SourceError>) = match (&from.file, &from.command) {
        (Some(_), Some(_)) => {
            let message = format!(
                "`{}` and `{}` both say what the items are",
                context.name("batch.itemsFrom.file"),
                context.name("batch.itemsFrom.command")
            );
            context.error("batch.itemsFrom.command", message, "keep one of them");
            return None;
        }
        (Some(file), None) => ("batch.itemsFrom.file", context.sources.file(file)),
        (None, Some(command)) => ("batch.itemsFrom.command", context.sources.command(command)),
        (None, None) => {
            let name = context.name("batch.itemsFrom");
            let (message, help) = match context.sources.mode() {
                Mode::Local => (
                    format!("`{name}` names nothing that can be read on this machine"),
                    "add `file: items.txt`, or `command: …`",
                ),
                Mode::Cluster => {
                    (format!("`{name}` names no ConfigMap"), "add `configMapKeyRef: {name: …, key: …}`")
                }
            };
            context.error("batch.itemsFrom", message, help);
            return None;
        }
    };
    parse(path, text, context)
}

fn parse(
    path: &str,
    text: Result<String, SourceError>,
    context: &mut Context<'_>,
) -> Option<Vec<serde_json::Value>> {
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            context.error(path, chain(&error), help_of(&error));
            return None;
        }
    };
    match item_text::parse(&text) {
        Ok(items) if items.is_empty() => {
            context.error(
                path,
                format!("`{}` gives no items", context.name(path)),
                "one a line, or a JSON array",
            );
            None
        }
        Ok(items) if items.len() > MAX_ITEMS => {
            let message =
                format!("`{}` gives {} items, and may give {MAX_ITEMS}", context.name(path), items.len());
            context.error(path, message, "cut the list into several jobs");
            None
        }
        Ok(items) => Some(items),
        Err((line, why)) => {
            let message = format!("item in line {line} of `{}`: {why}", context.name(path));
            context.error(path, message, "one item a line, JSON or text that does not begin with { or \"");
            None
        }
    }
}

/// An error with what caused it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What to do about a source that gives nothing.
pub fn help_of(error: &SourceError) -> &'static str {
    match error {
        SourceError::Read { .. } => "paths are relative to the job file",
        SourceError::TooLarge { .. } => "cut it into several jobs",
        SourceError::NotUtf8 { .. } => "save it as UTF-8",
        SourceError::Start(_) => "bash must be installed",
        SourceError::Failed { .. } => "it runs by bash in the job file's folder; try it there",
        SourceError::Timeout { .. } => "write its output to a file, and name that under `file`",
        SourceError::Missing(_) => "make it, or name another",
        SourceError::NotHere(_) => "name a source of this mode",
    }
}
