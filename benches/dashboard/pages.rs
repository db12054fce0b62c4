//! How long each page takes over 100,000 runs and 1,000,000 batches, beside a handler that says one word, which is asked
//! in turn: on a machine that others use, too, it tells how much of the time is theirs.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{client::Client, report::Report, requests::bare, served::Served};

const TIMES: usize = 300;
/// The page that is compared with the first one, of 50 runs each.
const FAR: usize = 1_000;
const WANTED: Duration = Duration::from_millis(20);

pub fn each(report: &Report, home: &Path) {
    let served = Served::start(home);
    let mut client = Client::connect(&served.address, &served.token);
    let mut other = Client::connect(&bare(), "none");
    let jobs = client.json("/api/v1/jobs?sort=name");
    let key = jobs["jobs"][0]["key"].as_str().expect("a key").to_owned();
    let job = format!("/jobs/{key}");
    let run = format!("{job}/runs/250");
    let next = client.json("/index.json?sort=name")["next"].as_str().expect("a second page").to_owned();
    let far = far(&mut client, "/api/v1/history");
    let pages = [
        ("Jobs", "/".to_owned()),
        ("Jobs, page 2", next),
        ("Jobs, nothing fits", "/?q=nothing".to_owned()),
        ("Job", job.clone()),
        ("Run", run.clone()),
        ("Batch", format!("{run}/batches/5")),
        ("Timeline", format!("{run}/timeline")),
        ("Log", format!("{run}/log")),
        ("History", "/history".to_owned()),
        ("History of a job", format!("/history?job={key}")),
        ("History that failed", "/history?phase=failed".to_owned()),
        ("History by a name", "/history?q=job-19".to_owned()),
        ("History by a name that none has", "/history?q=nothing".to_owned()),
        ("History, page 1,000", format!("/history?after={far}")),
        ("Edit", format!("/confirm/retry?job={key}")),
        ("JSON of a run", format!("/api/v1{run}")),
        ("JSON of batches", format!("/api/v1{run}/batches")),
    ];
    let mut of_history = Vec::new();
    for (name, path) in pages {
        let (mut took, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            took.push(time(&mut client, &path));
            bare.push(time(&mut other, "/"));
        }
        let ((median, late), (bare_median, bare_late)) = (middle_and_late(took), middle_and_late(bare));
        let words =
            |median, late| format!("{:.1} ms, {:.1} ms at the 99th percentile", millis(median), millis(late));
        report.bound(
            &format!("{name}, over 100,000 runs and 1,000,000 batches"),
            &words(median, late),
            &format!("a bare axum handler {}", words(bare_median, bare_late)),
            "99th percentile at most 20 ms",
            late <= WANTED,
        );
        if name == "History" || name == "History, page 1,000" {
            of_history.push(late);
        }
    }
    if let [first, far] = of_history[..] {
        let text = |late: Duration| format!("{:.1} ms", millis(late));
        let ratio = far.as_secs_f64() / first.as_secs_f64();
        report.at_most(
            "History: page 1,000, 99th percentile",
            &text(far),
            &format!("page 1 {}", text(first)),
            ratio,
            1.5,
        );
    }
}

fn time(client: &mut Client, path: &str) -> Duration {
    let began = Instant::now();
    assert_eq!(client.status(path), 200, "{path}");
    began.elapsed()
}

fn middle_and_late(mut took: Vec<Duration>) -> (Duration, Duration) {
    took.sort();
    (took[TIMES / 2], took[TIMES * 99 / 100])
}

/// What the page before page 1,000 says of the next one.
fn far(client: &mut Client, path: &str) -> String {
    let mut after = String::new();
    // Ten pages of 50 at a time.
    for _ in 0..(FAR - 1).div_ceil(10) {
        let page = client.json(&format!("{path}?limit=500&after={after}"));
        page["next"].as_str().expect("more pages").clone_into(&mut after);
    }
    after
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
