//! Old runs go with their files; the last one stays.

use std::{collections::BTreeSet, fs};

use crate::support::Sandbox;

#[test]
fn runs_beyond_those_that_are_kept_are_forgotten_with_their_files() {
    for state in ["sqlite", "json"] {
        let sandbox = Sandbox::new();
        sandbox.write(
            "job.yaml",
            &format!(
                "name: daily\nbackend: {{type: command, command: [cat]}}\nbatch: {{size: 1, total_items: 2}}\n\
                 prompt: {{template: do}}\nhistory: {{keep_runs: 2}}\nstate_backend: {state}\n"
            ),
        );
        for _ in 0..4 {
            let output = sandbox.mozart(["run", "job.yaml", "--rerun=All"]).output().unwrap();
            assert!(output.status.success(), "{state}: {output:?}");
        }
        let runs = sandbox.json(["history", "daily"]);
        let ids: Vec<&str> = runs.as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["daily/4", "daily/3"], "{state}");
        let job = fs::read_dir(sandbox.home().join("runs")).unwrap().next().unwrap().unwrap().path();
        let folders: BTreeSet<String> = fs::read_dir(job)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('r'))
            .collect();
        assert_eq!(folders, BTreeSet::from(["r3", "r4"].map(str::to_owned)), "{state}");
        let output = sandbox.mozart(["output", "daily"]).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{state}: {output:?}");
    }
}
