//! Completion, and the pipes of a shell.

use std::process::{Command, Stdio};

use super::mozart::Place;

#[test]
fn bash_completes_commands_flags_and_values() {
    let place = Place::new();
    let script = place.run(&["completions", "bash"]).stdout;
    assert!(script.contains("MOZART_COMPLETE"), "{script}");
    for (words, expected) in [(&["mozart", "ini"][..], "init"), (&["mozart", "init", "-t", "c"], "command")] {
        let mut asked = place.mozart(&[]);
        asked
            .env("MOZART_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
            .env("_CLAP_IFS", "\n")
            .arg("--")
            .args(words);
        assert_eq!(place.output_of(asked).stdout.lines().collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn a_script_is_what_its_shell_reads() {
    let place = Place::new();
    place.write("script", &place.run(&["completions", "bash"]).stdout);
    let checked = Command::new("bash").args(["-n", "script"]).current_dir(place.work()).status();
    assert!(checked.expect("bash is there").success());
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(!place.run(&["completions", shell]).stdout.is_empty(), "{shell}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let place = Place::new();
    let mut command = place.mozart(&["reference"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    command.stdout(Stdio::from(writer));
    let ran = place.output_of(command);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}
