//! The plan of a run beside that of the job file as it is now.

use serde_json::Value;

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
}
