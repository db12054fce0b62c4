//! Those who mean ill: ten thousand who send a piece of a request and then nothing, ten thousand with a huge head, and
//! more listeners from one address than there are places.

use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use crate::{client::Client, report::Report, served::Served};

const STRANGERS: usize = 10_000;
/// So many of them are kept open on this side.
const KEPT: usize = 2_000;
/// From one address.
const LISTENERS: usize = 1_000;
const HUGE: usize = 64 << 10;
/// A page is asked for after so many of them.
const LOOK: usize = 100;
const LATE: Duration = Duration::from_millis(250);
/// In MiB.
const MORE: u64 = 100;

pub fn many(report: &Report, folder: &Path) {
    let served = Served::start(&folder.join("nothing"));
    let mut known = Client::connect(&served.address, &served.token);
    assert_eq!(known.get("/").0, 200);
    let before = served.resident();

    let mut open = VecDeque::new();
    let late = meanwhile(&mut known, STRANGERS, || {
        open.extend(slow(&served.address));
        if open.len() > KEPT {
            open.pop_front();
        }
    });
    tell(report, "10,000 slow connections", &served, before, late, "");
    drop(open);

    let huge = "x".repeat(HUGE);
    let mut refused = 0;
    let late = meanwhile(&mut known, STRANGERS, || refused += u32::from(is_refused(&served.address, &huge)));
    let refused = format!("; {refused} refused");
    tell(report, "10,000 requests with a head of 64 KiB", &served, before, late, &refused);

    let mut listening = Vec::new();
    let late = meanwhile(&mut known, LISTENERS, || {
        listening.push(listener(&served.address, &served.token).expect("a place"));
    });
    tell(report, "1,000 who listen from one address", &served, before, late, "");
    let (mut refused, more) = (0, 2 * LISTENERS);
    for _ in 0..more {
        match listener(&served.address, &served.token) {
            Ok(stream) => listening.push(stream),
            Err(_) => refused += 1,
        }
    }
    report.bound(
        "2,000 more of them",
        &format!("{} have a place, {refused} are told to come later", listening.len()),
        "",
        "2,000 places",
        listening.len() == 2 * LISTENERS && known.get("/").0 == 200,
    );
}

/// Does it so many times; how long a page took meanwhile, at the 99th percentile.
fn meanwhile(known: &mut Client, times: usize, mut act: impl FnMut()) -> Duration {
    let mut took = Vec::new();
    for number in 0..times {
        act();
        if number % LOOK == 0 {
            let began = Instant::now();
            assert_eq!(known.get("/").0, 200);
            took.push(began.elapsed());
        }
    }
    took.sort();
    took[took.len() * 99 / 100]
}

fn tell(report: &Report, what: &str, served: &Served, before: u64, late: Duration, more_words: &str) {
    let more = served.resident().saturating_sub(before) / 1024;
    let milliseconds = late.as_secs_f64() * 1000.0;
    report.bound(
        what,
        &format!("{more} MiB more; a page meanwhile {milliseconds:.1} ms at the 99th percentile{more_words}"),
        "",
        &format!("at most {MORE} MiB more, 250 ms"),
        more <= MORE && late <= LATE,
    );
}

/// One that begins a request.
pub fn slow(address: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ")?;
    Ok(stream)
}

/// Whether a request with this in its head is refused: by an answer, or by a connection that ends.
pub fn is_refused(address: &str, huge: &str) -> bool {
    let send = || {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET / HTTP/1.1\r\nhost: localhost\r\nx-huge: {huge}\r\n\r\n")?;
        let mut answer = [0; 16];
        let read = stream.read(&mut answer)?;
        Ok::<_, io::Error>(answer[..read].starts_with(b"HTTP/1.1 431") || read == 0)
    };
    send().unwrap_or(true)
}

/// One who listens, and has heard the first event.
pub fn listener(address: &str, token: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "GET /api/v1/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n"
    )?;
    let mut answer = [0; 32];
    let read = stream.read(&mut answer)?;
    if answer[..read].starts_with(b"HTTP/1.1 200") {
        Ok(stream)
    } else {
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}
