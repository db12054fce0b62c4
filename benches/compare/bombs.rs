//! Files that are made to cost much: each must be refused soon, in little memory.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{peak, report::Report};

const LONGEST: Duration = Duration::from_millis(1500);
const MOST_KIB: u64 = 64 * 1024;

/// How long `mozart validate` takes to refuse each, and how much memory.
pub fn refuse(report: &Report, folder: &Path) {
    for (what, content) in files() {
        let file = folder.join("bomb.yaml");
        fs::write(&file, content).expect("room on the disk");
        let mut command = Command::new(env!("CARGO_BIN_EXE_mozart"));
        command.arg("validate").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let since = Instant::now();
        let mut child = command.spawn().expect("the program that was built");
        let mut most = 0;
        let status = loop {
            most = most.max(peak::of(child.id()));
            if let Some(status) = child.try_wait().expect("our own child") {
                break status;
            }
        };
        let took = since.elapsed();
        assert_eq!(status.code(), Some(2), "{what} is refused");
        let memory = match most {
            0 => "over before its memory was seen".to_owned(),
            most => format!("{:.1} MB", peak::megabytes(most)),
        };
        let text = format!("{:.0} ms, {memory}", took.as_secs_f64() * 1000.0);
        let kept = took <= LONGEST && most <= MOST_KIB;
        report.bound(&format!("refused: {what}"), &text, "", "1.5 s, 64 MiB", kept);
    }
}

fn files() -> [(&'static str, Vec<u8>); 6] {
    let mut laughs = "a: &a [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned();
    for (before, name) in ('a'..='i').zip('b'..='j') {
        let nine = vec![format!("*{before}"); 9].join(", ");
        writeln!(laughs, "{name}: &{name} [{nine}]").expect("text grows");
    }
    let template = "name: bomb\nbackend: {type: command, command: [\"true\"]}\n\
        prompt: {template: \"{% for a in range(10000) %}{% for b in range(10000) %}{{ a }}{% endfor %}{% endfor %}\"}\n\
        batch: {size: 1, total_items: 10000}\n";
    let mut keys = String::new();
    for key in 0..90_000 {
        writeln!(keys, "key{key}: {key}").expect("text grows");
    }
    [
        ("nesting 10,000 deep", format!("x: {}{}\n", "[".repeat(10_000), "]".repeat(10_000)).into_bytes()),
        ("billion laughs", laughs.into_bytes()),
        ("template bomb", template.into()),
        ("90,000 unknown keys", keys.into_bytes()),
        ("not UTF-8", b"name: \xff\xfe\x80\n".repeat(100)),
        ("an empty file", Vec::new()),
    ]
}
