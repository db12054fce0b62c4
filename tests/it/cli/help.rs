//! What is said about the command line.

use super::mozart::Place;

/// Every command that people type, and those with commands of their own.
fn commands() -> Vec<String> {
    let page = Place::new().run(&["reference"]).stdout;
    let headings = page.lines().filter_map(|line| line.strip_prefix("### ").or(line.strip_prefix("#### ")));
    headings.filter_map(|heading| heading.strip_prefix("mozart ")).map(ToOwned::to_owned).collect()
}

#[test]
fn every_help_page_reads_well() {
    let place = Place::new();
    let mut pages = place.run(&["-h"]).stdout;
    for command in commands() {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.push("-h");
        let ran = place.run(&arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{command}");
        pages = format!("{pages}\n\n=== mozart {command} -h\n\n{}", ran.stdout);
    }
    insta::assert_snapshot!(pages);
}

#[test]
fn the_reference_page_is_up_to_date() {
    let written = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/cli.md"))
        .expect("docs/reference/cli.md is there");
    let made = Place::new().run(&["reference"]).stdout;
    assert!(written == made, "the page is stale, run: cargo run -- reference > docs/reference/cli.md");
}

#[test]
fn a_mistyped_command_or_flag_is_met_with_the_nearest() {
    let place = Place::new();
    let ran = place.run(&["initt"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(ran.stderr);
    let ran = place.run(&["init", "--tempalte", "api"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(ran.stderr);
}

#[test]
fn the_version_is_data() {
    let ran = Place::new().run(&["--version"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.stdout, concat!("mozart ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn help_is_coloured_on_a_terminal_and_not_elsewhere_or_where_nobody_wants_it() {
    let place = Place::new();
    assert!(!place.run(&["-h"]).stdout.contains('\x1b'));
    assert!(place.on_terminal(&["-h"], "").1.contains('‹'));
    assert!(!place.on_terminal(&["-h", "--color", "never"], "").1.contains('‹'));
    let mut forced = place.mozart(&["-h"]);
    forced.env("FORCE_COLOR", "1");
    assert!(place.output_of(forced).stdout.contains('\x1b'));
}
