//! Items that come from a command are read once a run, however the list changes meanwhile.

use std::fs;

use crate::support::Sandbox;

/// Every batch adds to the list that the items come from, as a batch that commits does to `git log`.
fn job_whose_list_grows() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("list", "one\ntwo\nthree\n");
    sandbox.write(
        "job.yaml",
        "name: growing\nbackend:\n  type: command\n  \
         command: [bash, -c, 'sed -i 1imore ../list; cat >> ../prompts; echo >> ../prompts']\n\
         batch: {size: 1, items_from: {command: cat list}}\n\
         prompt: {template: \"{{ batch_num }} {{ items[0] }}\"}\n",
    );
    sandbox
}

fn prompts(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path().join("prompts")).unwrap()
}

/// Runs it; returns its exit code and what it said.
fn mozart<const N: usize>(sandbox: &Sandbox, arguments: [&str; N]) -> (i32, String) {
    let output = sandbox.mozart(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_run_that_goes_on_has_the_items_that_it_began_with() {
    let sandbox = job_whose_list_grows();
    let (code, said) = mozart(&sandbox, ["run", "job.yaml", "--limit", "1"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = mozart(&sandbox, ["resume", "--limit", "1"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = mozart(&sandbox, ["run", "job.yaml"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(prompts(&sandbox), "1 one\n2 two\n3 three\n");
}

#[test]
fn named_batches_have_the_same_items_again_and_a_run_of_everything_reads_them_anew() {
    let sandbox = job_whose_list_grows();
    assert_eq!(mozart(&sandbox, ["run", "job.yaml"]).0, 0);
    let (code, said) = mozart(&sandbox, ["retry", "--batches", "3"]);
    assert_eq!(code, 0, "{said}");
    assert!(prompts(&sandbox).ends_with("3 three\n3 three\n"), "{}", prompts(&sandbox));

    let (code, said) = mozart(&sandbox, ["run", "job.yaml"]);
    assert_eq!(code, 2, "what is new is not passed over in silence: {said}");
    assert!(said.contains("or what it names, has changed since"), "{said}");

    let (code, said) = mozart(&sandbox, ["run", "job.yaml", "--rerun=All"]);
    assert_eq!(code, 0, "{said}");
    assert!(prompts(&sandbox).ends_with("6 two\n7 three\n"), "{}", prompts(&sandbox));
}

#[test]
fn another_source_in_the_file_is_read() {
    let sandbox = job_whose_list_grows();
    assert_eq!(mozart(&sandbox, ["run", "job.yaml", "--limit", "1"]).0, 0);
    let job = fs::read_to_string(sandbox.path().join("job.yaml")).unwrap();
    sandbox.write("job.yaml", &job.replace("cat list", "echo other"));
    let (code, said) = mozart(&sandbox, ["run", "job.yaml", "--continue"]);
    assert_eq!(code, 2, "{said}");
    let (code, said) = mozart(&sandbox, ["run", "job.yaml", "--restart"]);
    assert_eq!(code, 0, "{said}");
    assert!(prompts(&sandbox).ends_with("1 other\n"), "{}", prompts(&sandbox));
}
