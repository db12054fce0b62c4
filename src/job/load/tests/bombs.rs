//! Files that would take the machine down.

use super::load;

#[track_caller]
fn refused(text: &str, message: &str) {
    let problems = load(text).expect_err("a bomb");
    assert!(problems.to_string().contains(message), "{problems}");
}

#[test]
fn deep_nesting_is_refused() {
    refused(&format!("a: {}", "[".repeat(10_000)), "nest");
    refused(&format!("a: {}", "{a: ".repeat(10_000)), "nest");
    let block: Vec<String> = (0..1_000).map(|depth| format!("{:1$}a:\n", "", depth)).collect();
    refused(&block.concat(), "nest");
    refused(&format!("{}x", "- ".repeat(10_000)), "nest");
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let uses = vec![format!("*a{}", level - 1); 10].join(", ");
        text = format!("{text}a{level}: &a{level} [{uses}]\n");
    }
    refused(&text, "aliases counted");
}

#[test]
fn a_long_text_used_often_is_refused() {
    let uses = "- *a\n".repeat(1000);
    refused(&format!("a: &a {}\nb:\n{uses}", "x".repeat(1_000_000)), "aliases counted");
}

#[test]
fn many_values_are_refused() {
    refused(&format!("a:\n{}", "- 1\n".repeat(300_000)), "200000 values");
}

#[test]
fn a_map_of_many_keys_is_read_in_linear_time() {
    let keys: Vec<String> = (0..90_000).map(|key| format!("k{key}: 1\n")).collect();
    refused(&keys.concat(), "is not a field");
}

#[test]
fn a_file_beyond_its_size_is_refused() {
    refused(&"#".repeat(11 << 20), "larger than 10 MiB");
}

#[test]
fn a_file_that_is_not_utf_8_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.yaml");
    std::fs::write(&path, b"name: \xff\xfe").unwrap();
    let sources = crate::sources::LocalSources::new(folder.path());
    let problems = super::super::load(&path, &super::Overrides::default(), &sources).unwrap_err();
    assert!(problems.to_string().contains("not UTF-8: byte 7"), "{problems}");
}
