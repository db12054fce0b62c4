//! What a program wrote, on the terminal of whoever looks at it.

use super::mozart::{Place, written_to_terminal};

/// It sets the clipboard and the title, goes up a line, rings, and says something in red.
const HOSTILE: &str = "\
name: hostile
backend: {type: command, command: [printf, '\\033]52;c;ZXZpbA==\\007one\\033]0;title\\033\\\\ \\033[1A\\007\\033[31mtwo\\033[0m\\n']}
batch: {size: 1, total_items: 1}
prompt: {template: \"{{ start_item }}\"}
";

#[test]
fn s02_a_terminal_gets_colours_and_text_of_what_programs_wrote_and_nothing_else() {
    let place = Place::new();
    place.write("hostile.yaml", HOSTILE);
    assert_eq!(place.run(&["run", "hostile.yaml"]).code, 0);
    let written = "\x1b]52;c;ZXZpbA==\x07one\x1b]0;title\x1b\\ \x1b[1A\x07\x1b[31mtwo\x1b[0m\n";
    let shown = |arguments: &[&str]| written_to_terminal(place.mozart(arguments), "").1.replace("\r\n", "\n");
    for arguments in [&["logs"][..], &["output"]] {
        assert_eq!(shown(arguments), "one \x1b[31mtwo\x1b[0m\n", "{arguments:?}");
        assert_eq!(place.run(arguments).stdout, written, "{arguments:?}");
    }
    assert_eq!(shown(&["logs", "--color", "never"]), "one two\n");
    assert_eq!(shown(&["logs", "--raw"]), written);
}

#[test]
fn s02_what_an_error_quotes_of_a_program_commands_no_terminal() {
    let place = Place::new();
    let failing =
        HOSTILE.replace("[printf, ", "[sh, -c, 'printf \"$0\" >&2; exit 3', ").replace("hostile", "failing");
    place.write("failing.yaml", &failing);
    let (code, shown) =
        written_to_terminal(place.mozart(&["run", "failing.yaml", "--set", "retry.maxRetries=0"]), "");
    assert_ne!(code, 0);
    for arguments in
        [&["status"][..], &["history", "--batches"], &["logs", "--failed"], &["status", "-b", "1"]]
    {
        let written = written_to_terminal(place.mozart(arguments), "").1;
        assert!(!written.contains("\x1b]") && !written.contains('\x07'), "{arguments:?}: {written:?}");
    }
    assert!(shown.contains("two") && !shown.contains("\x1b]") && !shown.contains('\x07'), "{shown:?}");
}
