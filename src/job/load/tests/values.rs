//! Untyped values: what a prompt sees is what the API server would make of them.

use super::load;

#[test]
fn untyped_values_are_those_of_the_api_server() {
    for (written, seen) in [
        ("1", "1"),
        ("+1", "1"),
        ("-7", "-7"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("2.5", "2.5"),
        ("-0.5", "-0.5"),
        (".5", "0.5"),
        ("0x1F", "31"),
        ("9223372036854775807", "9223372036854775807"),
        ("true", "true"),
        ("True", "true"),
        ("FALSE", "false"),
        ("'1.0'", "\"1.0\""),
        ("\"yes\"", "\"yes\""),
        ("!!str 1", "\"1\""),
        ("text", "\"text\""),
        ("2026-11-23", "\"2026-11-23\""),
        ("1.2.3", "\"1.2.3\""),
        ("v1", "\"v1\""),
        ("--x", "\"--x\""),
        ("infinity", "\"infinity\""),
        ("{a: null, b: 1}", "{\"b\":1}"),
        ("[null, ~]", "[null,null]"),
        ("{1: a, 2: b}", "{\"1\":\"a\",\"2\":\"b\"}"),
    ] {
        let text = format!(
            "name: a\nbatch: {{size: 1, total_items: 1}}\nprompt:\n  template: x\n  variables:\n    v: {written}\n"
        );
        let job = load(&text).unwrap_or_else(|problems| panic!("{written}: {problems}")).job;
        assert_eq!(job.prompt.variables["v"].to_string(), seen, "{written}");
    }
}

#[test]
fn words_of_two_meanings_ask_for_quotes() {
    for written in [
        "yes",
        "No",
        "ON",
        "off",
        "y",
        "N",
        "0777",
        "0o17",
        "0b11",
        "1_000",
        "1:30",
        "9223372036854775808",
        "1e400",
        ".inf",
        "-.INF",
        ".nan",
    ] {
        let text = format!(
            "name: a\nbatch: {{size: 1, total_items: 1}}\nprompt:\n  template: x\n  variables:\n    v: {written}\n"
        );
        let problems = load(&text).expect_err(written);
        let problem = problems.iter().next().unwrap();
        assert_eq!(problem.place.as_ref().map(|place| (place.line, place.column)), Some((6, 8)), "{written}");
        assert!(
            problem.help.as_ref().is_some_and(|help| help.contains(&format!("\"{written}\""))),
            "{problems}"
        );
    }
}

#[test]
fn a_map_with_numbers_as_keys_is_asked_by_the_number() {
    let text = "name: a\nbatch: {size: 1, total_items: 2}\nprompt:\n  template: '{{ tasks[batch_num] }}'\n  variables: {tasks: {1: one, 2: two}}\n";
    let job = load(text).unwrap().job;
    let batch = job.batches.get(crate::job::identity::BatchNum(2)).unwrap();
    let prompt = crate::job::prompt::render_prompt(&job, batch, &crate::job::prompt::PromptContext::first());
    assert_eq!(prompt.unwrap(), "two");
}
