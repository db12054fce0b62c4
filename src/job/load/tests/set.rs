//! `--set` puts single values in.

use super::{PLAIN, load_set};
use crate::job::model::{Backend, PermissionMode};

#[test]
fn a_value_replaces_what_the_file_says() {
    for path in ["batch.totalItems", "batch.total_items", "spec.batch.totalItems"] {
        let job = load_set(PLAIN, &[(path, "20")]).unwrap().job;
        assert_eq!(job.batches.total_items, 20, "{path}");
    }
}

#[test]
fn a_text_stays_a_text() {
    let job = load_set(PLAIN, &[("description", "5"), ("name", "b"), ("prompt.stakes", "yes")]).unwrap().job;
    assert_eq!(job.description.as_deref(), Some("5"));
    assert_eq!(job.name.as_str(), "b");
    assert_eq!(job.prompt.stakes.as_deref(), Some("yes"));
}

#[test]
fn the_plain_forms_own_paths_are_known() {
    let set = [("pause_between_batches_seconds", "2"), ("rate_limit.wait_minutes", "2"), ("workspace", "/w")];
    let job = load_set(PLAIN, &set).unwrap().job;
    assert_eq!((job.pause.as_secs(), job.rate_limit.wait.as_secs()), (2, 120));
    assert_eq!(job.workspace.path, std::path::Path::new("/w"));
    let job = load_set(PLAIN, &[("backend.skip_permissions", "true")]).unwrap().job;
    let Backend::ClaudeCli(claude) = job.backend else { panic!("claude_cli is the default") };
    assert_eq!(claude.permission_mode, PermissionMode::BypassPermissions);
}

#[test]
fn values_may_be_lists_and_free() {
    let set = [("prompt.variables.depth", "3"), ("validations", "[{type: output_contains, pattern: ok}]")];
    let job = load_set(PLAIN, &set).unwrap().job;
    assert_eq!(job.prompt.variables["depth"], 3);
    assert_eq!(job.validations.len(), 1);
}

#[test]
fn what_is_wrong_points_at_the_flag() {
    let printed = |path: &str, value: &str| load_set(PLAIN, &[(path, value)]).unwrap_err().to_string();
    insta::assert_snapshot!(printed("batch.totalItem", "20"));
    insta::assert_snapshot!(printed("batch.size", "ten"));
    insta::assert_snapshot!(printed("batch.items", "[a"));
}
