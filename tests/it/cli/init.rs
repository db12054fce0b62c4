//! `mozart init`.

use super::mozart::Place;

#[test]
fn a_job_file_is_written_and_an_existing_one_left_alone() {
    let place = Place::new();
    let ran = place.run(&["init", "shout.yaml", "-t", "command", "--name", "shout"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    insta::assert_snapshot!(ran.stderr, @"
    wrote shout.yaml
    hint: mozart validate shout.yaml checks it, mozart run shout.yaml --limit 2 tries two batches
    ");
    let written = std::fs::read_to_string(place.work().join("shout.yaml")).expect("it was written");
    assert!(written.contains("name: shout"));

    place.write("shout.yaml", "mine");
    let ran = place.run(&["init", "shout.yaml"]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.stderr, @"
    error: shout.yaml is there already
    hint: name another file: mozart init other.yaml
    ");
    assert_eq!(std::fs::read_to_string(place.work().join("shout.yaml")).expect("it is there"), "mine");
}

#[test]
fn a_terminal_is_asked_what_was_not_said() {
    let place = Place::new();
    let (code, shown) = place.on_terminal(&["init"], "5\n2\nNo Name\nmoods\n");
    assert_eq!(code, 0, "{shown}");
    insta::assert_snapshot!(shown);
    let written = std::fs::read_to_string(place.work().join("mozart.yaml")).expect("it was written");
    assert!(written.contains("type: anthropic_api") && written.contains("name: moods"));
}

#[test]
fn a_name_that_is_none_is_refused_with_what_one_is() {
    let ran = Place::new().run(&["init", "--name", "No_Name"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(ran.stderr);
}

#[test]
fn where_claude_works_is_asked_and_written_quoted() {
    let place = Place::new();
    let (code, shown) = place.on_terminal(&["init", "-t", "review", "--name", "commits"], "../my repo\n");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Where does Claude work, relative to the job file? [.]"), "{shown}");
    let written = std::fs::read_to_string(place.work().join("mozart.yaml")).expect("it was written");
    assert!(written.contains("workingDirectory: \"../my repo\""), "{written}");
}
