//! The tutorial that needs no cluster, as a newcomer types it.

use std::{fs, path::Path, process::Command};

use crate::cli::mozart::Place;

/// The commands of a page, in order: its blocks of the language `sh`.
fn commands(page: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split_once("\n```").unwrap().0);
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_first_tutorial_does_what_it_says() {
    let place = Place::new();
    let program = Path::new(env!("CARGO_BIN_EXE_mozart")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let environment = place.mozart(&[]);
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &commands("docs/tutorials/first-job.md")])
        .current_dir(place.work());
    shell.env_clear().envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", path);
    let ran = place.output_of(shell);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    // What the page says of each step.
    for said in ["3 batches", "batch 2 failed", "found exit 1", "1/1 done"] {
        let both = format!("{}{}", ran.stdout, ran.stderr);
        assert!(both.contains(said), "{said:?} is not in\n{both}");
    }
}
