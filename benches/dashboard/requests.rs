//! The JSON of the list of jobs beside a handler that says one word.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use axum::{Router, routing::get};

use crate::{client::Client, report::Report, served::Served};

const CONNECTIONS: usize = 16;
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;

pub fn beside_a_bare_handler(report: &Report, home: &Path) {
    let served = Served::start(home);
    let bare = bare();
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        own.push(rate(&served.address, &served.token, "/api/v1/jobs"));
        others.push(rate(&bare, "none", "/"));
    }
    let (own, others) = (median(own), median(others));
    let what = format!("the JSON of the list of 50 of {} jobs, requests a second", crate::folder::JOBS);
    report.at_least(
        &what,
        &format!("{own:.0}"),
        &format!("a bare axum handler {others:.0}"),
        own / others,
        0.3,
    );
}

/// A handler that says one word, on as many threads as the dashboard has.
pub fn bare() -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            sender.send(listener.local_addr().expect("an address").to_string()).expect("somebody waits");
            let routes = Router::new().route("/", get(async || "hello"));
            axum::serve(listener, routes).await.expect("a listener");
        });
    });
    receiver.recv().expect("an address")
}

fn rate(address: &str, token: &str, path: &str) -> f64 {
    let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut client = Client::connect(address, token);
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(client.status(path), 200, "{path}");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
    });
    let count = u32::try_from(count.into_inner()).unwrap_or(u32::MAX);
    f64::from(count) / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
