//! A run with its dashboard, which many look at, beside the same run without.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{client::Client, report::Report, sample::in_turn};

const REPEATS: usize = 5;
const BATCHES: u32 = 200;
/// People look at a page and its parts so often.
const LOOK: Duration = Duration::from_millis(100);

pub fn a_run(report: &Report, folder: &Path) {
    let job = format!(
        "name: beside\nbackend: {{type: command, command: [sleep, \"0.05\"]}}\nprompt: {{template: batch}}\n\
         batch: {{size: 1, total_items: {BATCHES}, parallelism: 4}}\n"
    );
    let (with, without) = in_turn(REPEATS, || run(folder, &job, true), || run(folder, &job, false));
    let what =
        format!("{BATCHES} batches of 50 ms with a dashboard that is asked for two pages ten times a second");
    report.compare(&what, &with, "without a dashboard", &without, 1.05);
}

fn run(folder: &Path, job: &str, with: bool) -> Duration {
    let folder = tempfile::tempdir_in(folder).expect("room on the disk").keep();
    fs::write(folder.join("job.yaml"), job).expect("room on the disk");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mozart"));
    command.args(["local-run", "job.yaml"]).args(with.then_some("--dashboard=0")).current_dir(&folder);
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
                if let Some((address, token)) = link {
                    let (address, token) = (address.to_owned(), token.trim().to_owned());
                    scope.spawn(move || look(&address, &token, over));
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

fn look(address: &str, token: &str, over: &AtomicBool) {
    let mut client = Client::connect(address, token);
    while !over.load(Ordering::Relaxed) {
        // The process ends while it is asked.
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let jobs = client.json("/api/v1/jobs");
            if let Some(key) = jobs["jobs"][0]["key"].as_str() {
                client.get(&format!("/jobs/{key}/runs/1"));
            }
        }));
        if asked.is_err() {
            return;
        }
        thread::sleep(LOOK);
    }
}
