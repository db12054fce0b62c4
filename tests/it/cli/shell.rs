//! Completion, and the pipes of a shell.

use std::process::{Command, Stdio};

use super::mozart::{Place, written_to_terminal};

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

/// A shell in which `mozart` is found by its name.
fn shell_of(place: &Place, program: &str, arguments: &[&str]) -> Command {
    let bin = place.work().join("bin");
    std::fs::create_dir_all(&bin).expect("a folder for the program");
    let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mozart"), bin.join("mozart"));
    let like = place.mozart(&[]);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(place.work()).env_clear();
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", bin.display()));
    command
}

/// The line that is typed ends in a tab: only what is completed is a command that there is.
#[test]
fn bash_and_zsh_complete_what_is_typed_on_a_terminal() {
    let shells: [(&str, &[&str], &str); 2] = [
        ("bash", &["--norc", "-i"], "source <(mozart completions bash)"),
        ("zsh", &["-f", "-i"], "autoload -U compinit; compinit -u -D; source <(mozart completions zsh)"),
    ];
    for (program, arguments, setup) in shells {
        let place = Place::new();
        let typed = format!("{setup}\nmozart sche\t > completed\nexit\n");
        let (_, written) = written_to_terminal(shell_of(&place, program, arguments), &typed);
        let completed = std::fs::read_to_string(place.work().join("completed")).unwrap_or_default();
        assert!(completed.contains("\"$schema\""), "{program} wrote: {written}");
    }
}

#[test]
fn fish_completes_commands_flags_and_values() {
    let place = Place::new();
    for (line, expected) in [("mozart sche", "schema"), ("mozart init -t c", "command")] {
        let script = format!("mozart completions fish | source; complete -C '{line}'");
        let ran = place.output_of(shell_of(&place, "fish", &["--no-config", "-c", &script]));
        let found: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(found, [expected], "{}{}", ran.stdout, ran.stderr);
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
