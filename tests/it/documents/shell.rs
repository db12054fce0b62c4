//! The pages that need no cluster, as a newcomer types them.

use std::{fs, path::Path, process::Command};

use super::{blocks, files, root};
use crate::cli::mozart::{Place, Ran};

/// The commands of a page, in order: its blocks of the language `sh`.
fn commands(page: &str, text: &str) -> String {
    let blocks = blocks::of(page, text).into_iter().filter(|block| block.language == "sh");
    blocks.map(|block| block.text).collect::<Vec<_>>().join("\n")
}

/// Runs them in a folder of their own, with a state of their own.
fn ran(commands: &str) -> Ran {
    let place = Place::new();
    let program = Path::new(env!("CARGO_BIN_EXE_mozart")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let environment = place.mozart(&[]);
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", commands]).current_dir(place.work());
    shell.env_clear().envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", path);
    place.output_of(shell)
}

#[test]
fn the_first_tutorial_does_what_it_says() {
    let page = "docs/tutorials/first-job.md";
    let ran = ran(&commands(page, &fs::read_to_string(root().join(page)).unwrap()));
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    // What the page says of each step.
    for said in ["3 batches", "batch 2 failed", "found exit 1", "1/1 done"] {
        let both = format!("{}{}", ran.stdout, ran.stderr);
        assert!(both.contains(said), "{said:?} is not in\n{both}");
    }
}

#[test]
fn every_how_to_and_runbook_does_what_it_says() {
    let mut run = 0;
    for (path, text) in ["docs/how-to", "docs/runbooks"].into_iter().flat_map(|folder| files(folder, "md")) {
        let page = path.display().to_string();
        let commands = commands(&page, &text);
        if commands.is_empty() {
            continue;
        }
        let ran = ran(&commands);
        assert_eq!(ran.code, 0, "{page}\n{}\n{}", ran.stdout, ran.stderr);
        run += 1;
    }
    assert!(run > 7, "{run} pages");
}
