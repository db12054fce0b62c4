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
fn a_map_of_a_manifest_is_in_the_order_that_a_cluster_gives_it() {
    let values = "{b: 1, a: {z: 1, 'y': [{d: 1, c: 2}]}, '10': x, '9': z}";
    let sorted = r#"{"10":"x","9":"z","a":{"y":[{"c":2,"d":1}],"z":1},"b":1}"#;
    let manifest = format!(
        "apiVersion: mozart.dev/v1alpha1\nkind: MozartJob\nmetadata: {{name: a}}\nspec:\n  batch: {{size: 1, items: \
         [{values}]}}\n  prompt: {{template: x, variables: {{v: {values}}}}}\n"
    );
    let job = load(&manifest).unwrap().job;
    assert_eq!(job.prompt.variables["v"].to_string(), sorted);
    assert_eq!(job.batches.items.unwrap().values[0].to_string(), sorted);
}

#[test]
fn a_map_of_a_plain_file_keeps_the_order_that_it_has_in_the_file() {
    let plain =
        "name: a\nbatch: {size: 1, total_items: 1}\nprompt: {template: x, variables: {v: {b: 1, a: 2}}}\n";
    assert_eq!(load(plain).unwrap().job.prompt.variables["v"].to_string(), r#"{"b":1,"a":2}"#);
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
