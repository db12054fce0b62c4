use std::path::Path;

use super::{ExpandError, environment, expand_command, expand_path};
use crate::{
    job::{
        batches::Batch,
        identity::BatchNum,
        load::{Overrides, load_text},
        model::Job,
    },
    sources::LocalSources,
};

fn job() -> (Job, Batch) {
    let text =
        "name: a\nworkspace: /w/my files\nbatch: {size: 10, total_items: 25}\nprompt: {template: go}\n";
    let sources = LocalSources::new("/w");
    let job = load_text(text, Path::new("/w/job.yaml"), &Overrides::default(), &sources).unwrap().job;
    let batch = job.batches.get(BatchNum(3)).unwrap();
    (job, batch)
}

#[test]
fn only_known_names_in_commands_are_replaced_and_never_after_a_dollar() {
    let (job, batch) = job();
    for (written, expanded) in [
        ("ls {workspace}", "ls '/w/my files'"),
        ("ls ${workspace}", "ls ${workspace}"),
        ("awk '{print $1}'", "awk '{print $1}'"),
        ("awk '{ print }' {{ batch_num }}", "awk '{ print }' 3"),
        ("echo {start_item}..{end_item} of {total_batches}", "echo 21..25 of 3"),
        ("echo {a,b} {job_name}", "echo {a,b} a"),
        ("echo {", "echo {"),
        ("f() { echo {batch_num}; }", "f() { echo 3; }"),
    ] {
        assert_eq!(expand_command(&job, batch, written), expanded, "{written}");
    }
}

#[test]
fn paths_stay_inside_the_workspace_and_know_every_name() {
    let (job, batch) = job();
    for (written, expanded) in [
        ("{workspace}/b{batch_num}.md", Ok("/w/my files/b3.md")),
        ("{{ workspace }}/{{batch_num}}", Ok("/w/my files/3")),
        ("{workspace}/a/../b", Ok("/w/my files/b")),
        ("my files/x", Ok("/w/my files/x")),
        ("{workspace}/../x", Err(ExpandError::LeavesWorkspace("/w/my files/../x".to_owned()))),
        ("{workspace}", Err(ExpandError::LeavesWorkspace("/w/my files".to_owned()))),
        ("/etc/passwd", Err(ExpandError::LeavesWorkspace("/etc/passwd".to_owned()))),
        ("{workspace}/{item}", Err(ExpandError::UnknownName("item".to_owned()))),
        ("{workspace}/{a b}", Err(ExpandError::UnknownName("a b".to_owned()))),
    ] {
        assert_eq!(expand_path(&job, batch, written), expanded.map(Into::into), "{written}");
    }
}

#[test]
fn the_names_are_in_the_environment() {
    let (job, batch) = job();
    let environment = environment(&job, batch);
    assert_eq!(environment.len(), 6);
    assert!(environment.contains(&("MOZART_WORKSPACE".to_owned(), "/w/my files".to_owned())));
    assert!(environment.contains(&("MOZART_END_ITEM".to_owned(), "25".to_owned())));
}
