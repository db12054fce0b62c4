//! Ten thousand strangers who send a piece of a request and then nothing.

use std::{
    io::{self, Write as _},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use crate::{client::Client, report::Report, served::Served};

const STRANGERS: usize = 10_000;
/// So many of them are kept open on this side, as far as descriptors go.
const KEPT: usize = 900;

pub fn many(report: &Report, folder: &Path) {
    let served = Served::start(&folder.join("nothing"));
    let mut known = Client::connect(&served.address, &served.token);
    assert_eq!(known.get("/").0, 200);
    let before = served.resident();
    let (mut open, mut took) = (std::collections::VecDeque::new(), Vec::new());
    for number in 0..STRANGERS {
        open.extend(stranger(&served.address));
        if open.len() > KEPT {
            open.pop_front();
        }
        if number % 100 == 0 {
            let began = Instant::now();
            assert_eq!(known.get("/").0, 200);
            took.push(began.elapsed());
        }
    }
    took.sort();
    let late = took[took.len() * 99 / 100];
    let more = served.resident().saturating_sub(before) / 1024;
    report.bound(
        "10,000 slow connections",
        &format!(
            "{more} MiB more; a page meanwhile {:.1} ms at the 99th percentile",
            late.as_secs_f64() * 1000.0
        ),
        "",
        "at most 100 MiB more, 250 ms",
        more <= 100 && late <= Duration::from_millis(250),
    );
}

fn stranger(address: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ")?;
    Ok(stream)
}
