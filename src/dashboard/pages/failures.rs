//! Failed batches together by what they have in common.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    dashboard::view::{View, ViewError},
    engine::ranges::Ranges,
    job::{
        identity::{BatchNum, RunId},
        outcome::FailureClass,
    },
    store::record::{BatchRecord, BatchState},
};

/// How many are read at a time.
const READ: u32 = 1_000;

/// Failed batches that say the same but for numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureGroup {
    /// What they have in common.
    pub signature: String,
    /// What follows from it.
    pub class: Option<FailureClass>,
    /// The closed word.
    pub reason: String,
    /// How many batches.
    pub count: u32,
    /// Which.
    pub batches: Ranges,
    /// The first of them.
    pub first: BatchNum,
    /// What it says, in full.
    pub message: String,
}

/// The failed batches of a run, the commonest failure first.
pub async fn groups(view: &impl View, run: &RunId) -> Result<Vec<FailureGroup>, ViewError> {
    let mut groups: BTreeMap<String, FailureGroup> = BTreeMap::new();
    let mut after = BatchNum(0);
    loop {
        let page = view.batches(run, Some(BatchState::Failed), after, READ).await?;
        let Some(last) = page.last() else { break };
        after = last.batch;
        let is_last = page.len() < READ as usize;
        for batch in page {
            add(&mut groups, batch);
        }
        if is_last {
            break;
        }
    }
    let mut groups: Vec<FailureGroup> = groups.into_values().collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.count), group.first));
    Ok(groups)
}

fn add(groups: &mut BTreeMap<String, FailureGroup>, batch: BatchRecord) {
    let reason = batch.reason.unwrap_or_else(|| "Unknown".to_owned());
    let message = batch.message.unwrap_or_default();
    let signature = format!("{reason}: {}", shape(&message));
    let group = groups.entry(signature.clone()).or_insert_with(|| FailureGroup {
        signature,
        class: batch.class,
        reason,
        count: 0,
        batches: Ranges::default(),
        first: batch.batch,
        message,
    });
    group.count += u32::from(group.batches.insert(batch.batch));
}

/// The first line of a message with every number as `#`: what differs from batch to batch is mostly that.
fn shape(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let mut shape = String::new();
    for character in line.chars().take(200) {
        match character {
            '0'..='9' if shape.ends_with('#') => {}
            '0'..='9' => shape.push('#'),
            other => shape.push(other),
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_keep_failures_apart() {
        assert_eq!(
            shape("batch12-report.md: expected a file, found nothing\nmore"),
            "batch#-report.md: expected a file, found nothing"
        );
        assert_eq!(shape("batch7-report.md: expected a file"), shape("batch123-report.md: expected a file"));
        assert_ne!(shape("exit 1"), shape("signal 1"));
    }
}
