//! A run with its dashboard, which many look at or mean ill with, beside the same run without.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{client::Client, report::Report, sample::in_turn, strangers};

const REPEATS: usize = 5;
const BATCHES: u32 = 200;
/// People look at a page and its parts so often.
const LOOK: Duration = Duration::from_millis(100);
const LISTENERS: usize = 1_000;
/// A stranger comes so often.
const COME: Duration = Duration::from_millis(2);

type Guests = fn(&str, &str, &AtomicBool);

pub fn a_run(report: &Report, folder: &Path) {
    let job = format!(
        "name: beside\nbackend: {{type: command, command: [sleep, \"0.05\"]}}\nprompt: {{template: batch}}\n\
         batch: {{size: 1, total_items: {BATCHES}, parallelism: 4}}\n"
    );
    for (whose, guests) in [
        ("is asked for two pages ten times a second", look as Guests),
        ("a thousand listen to, and 500 strangers a second knock at", crowd),
    ] {
        let (with, without) =
            in_turn(REPEATS, || run(folder, &job, Some(guests)), || run(folder, &job, None));
        let what = format!("{BATCHES} batches of 50 ms with a dashboard that {whose}");
        report.compare(&what, &with, "without a dashboard", &without, 1.05);
    }
}

fn run(folder: &Path, job: &str, guests: Option<Guests>) -> Duration {
    let folder = tempfile::tempdir_in(folder).expect("room on the disk").keep();
    fs::write(folder.join("job.yaml"), job).expect("room on the disk");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mozart"));
    command.args(["local-run", "job.yaml"]).args(guests.map(|_| "--dashboard=0")).current_dir(&folder);
    command.env("MOZART_HOME", folder.join("home")).stdin(Stdio::null()).stdout(Stdio::null());
    let began = Instant::now();
    let mut process = command.stderr(Stdio::piped()).spawn().expect("the program");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let errors = BufReader::new(process.stderr.take().expect("a pipe"));
        let over = &over;
        scope.spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let link = line.split_once("http://").and_then(|(_, link)| link.split_once("/?token="));
                if let (Some((address, token)), Some(guests)) = (link, guests) {
                    let (address, token) = (address.to_owned(), token.trim().to_owned());
                    scope.spawn(move || guests(&address, &token, over));
                }
            }
        });
        let took = ended(&mut process, began);
        over.store(true, Ordering::Relaxed);
        took
    })
}

fn ended(process: &mut Child, began: Instant) -> Duration {
    let status = process.wait().expect("it was started");
    assert!(status.success(), "{status}");
    began.elapsed()
}

/// Looks at two pages; the process may end meanwhile.
fn look(address: &str, token: &str, over: &AtomicBool) {
    let Ok(mut client) = Client::try_connect(address, token) else { return };
    while !over.load(Ordering::Relaxed) {
        let Ok((_, jobs)) = client.try_get("/api/v1/jobs") else { return };
        let jobs: serde_json::Value = serde_json::from_slice(&jobs).expect("JSON");
        if let Some(key) = jobs["jobs"][0]["key"].as_str()
            && client.try_get(&format!("/jobs/{key}/runs/1")).is_err()
        {
            return;
        }
        thread::sleep(LOOK);
    }
}

/// Listens, and knocks.
fn crowd(address: &str, token: &str, over: &AtomicBool) {
    let _listening: Vec<_> = (0..LISTENERS).map_while(|_| strangers::listener(address, token).ok()).collect();
    let huge = "x".repeat(64 << 10);
    let mut slow = Vec::new();
    while !over.load(Ordering::Relaxed) {
        slow.extend(strangers::slow(address));
        strangers::is_refused(address, &huge);
        thread::sleep(2 * COME);
    }
}
