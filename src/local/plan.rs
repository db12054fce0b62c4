//! The plan of a run beside that of the job file as it is now, and how it cuts the items.

use std::num::NonZeroU32;

use serde_json::Value;

use crate::job::batches::Batches;

/// Whether a batch's number means the same items in both plans: the same size and first item, and, where items are
/// listed, a list that at most goes on.
pub fn same_cut(before: &str, now: &str) -> bool {
    let (Some(before), Some(now)) = (batch_of(before), batch_of(now)) else { return false };
    let same = |name: &str| before.get(name) == now.get(name);
    let goes_on =
        match (before.get("items").and_then(Value::as_array), now.get("items").and_then(Value::as_array)) {
            (Some(before), Some(now)) => now.starts_with(before),
            (None, None) => true,
            _ => false,
        };
    same("size") && same("startItem") && same("pinnedItems") && goes_on
}

/// How a plan cuts the items, without the items themselves.
pub fn cut_of(plan: &str) -> Option<Batches> {
    let batch = batch_of(plan)?;
    let number = |value: Option<&Value>| u32::try_from(value?.as_u64()?).ok();
    let start_item = number(batch.get("startItem")).unwrap_or(1);
    let listed = batch.get("items").and_then(Value::as_array);
    let listed = listed.and_then(|items| u32::try_from(items.len()).ok());
    let count = listed.or_else(|| number(batch.pointer("/pinnedItems/count")));
    let last = || start_item.checked_add(count?)?.checked_sub(1);
    let total_items = number(batch.get("totalItems")).or_else(last)?;
    let size = NonZeroU32::new(number(batch.get("size"))?)?;
    Some(Batches { size, start_item, total_items, items: None })
}

fn batch_of(plan: &str) -> Option<Value> {
    let plan: Value = serde_saphyr::from_str(plan).ok()?;
    plan.get("batch").cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_keeps_its_items_only_under_the_same_cut() {
        let plan = |batch: &str| format!("backend: {{type: command}}\nbatch: {batch}\n");
        for (before, now, same) in [
            ("{size: 10, totalItems: 50}", "{size: 10, totalItems: 60}", true),
            ("{size: 10, totalItems: 50}", "{size: 5, totalItems: 50}", false),
            ("{size: 10, totalItems: 50}", "{size: 10, totalItems: 50, startItem: 2}", false),
            ("{size: 1, items: [a, b]}", "{size: 1, items: [a, b, c]}", true),
            ("{size: 1, items: [a, b]}", "{size: 1, items: [b, a]}", false),
            (
                "{size: 1, pinnedItems: {count: 2, sha256: a}}",
                "{size: 1, pinnedItems: {count: 2, sha256: b}}",
                false,
            ),
            ("{size: 1, totalItems: 2}", "{size: 1, items: [a, b]}", false),
        ] {
            assert_eq!(same_cut(&plan(before), &plan(now)), same, "{before} and {now}");
        }
        assert!(!same_cut("", "batch: {size: 1}"));
    }

    #[test]
    fn a_plan_says_which_items_a_batch_has() {
        for (batch, last) in [
            ("{size: 10, totalItems: 25, startItem: 11}", (21, 25)),
            ("{size: 2, items: [a, b, c]}", (3, 3)),
            ("{size: 2, pinnedItems: {count: 4, sha256: a}, startItem: 5}", (7, 8)),
        ] {
            let cut = cut_of(&format!("batch: {batch}\n")).unwrap();
            let second = cut.get(crate::job::identity::BatchNum(2)).unwrap();
            assert_eq!((second.start_item, second.end_item), last, "{batch}");
        }
        assert!(cut_of("batch: {size: 0, totalItems: 1}").is_none() && cut_of("").is_none());
    }
}
