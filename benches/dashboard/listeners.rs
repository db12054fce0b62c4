//! A thousand who listen to a run that changes a hundred times a second, of whom a tenth read nothing.

use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::sys::socket::{setsockopt, sockopt::RcvBuf};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::{clock, report::Report, served::Served};

const LISTENERS: u32 = 1_000;
const FROZEN: u32 = LISTENERS / 10;
const LONG: Duration = Duration::from_secs(20);
/// Everything is under way by then.
const SETTLED: Duration = Duration::from_secs(5);
/// Who reads nothing is let go 30 s after what the system keeps for him is full.
const LET_GO: Duration = Duration::from_secs(90);

pub fn many(report: &Report) {
    let program = std::env::current_exe().expect("this program");
    let served = Served::of(Command::new(program).env(clock::SERVE, "1"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(report, &served));
}

async fn measure(report: &Report, served: &Served) {
    // What the first one brings into memory, the others find there.
    let first = listen(served, None, false).await;
    first.readable().await.expect("an answer");
    let before = served.resident();
    let mut frozen = Vec::new();
    for _ in 0..FROZEN {
        frozen.push(listen(served, None, true).await);
    }
    let mut reading = JoinSet::new();
    for _ in FROZEN..LISTENERS {
        let stream = listen(served, None, false).await;
        reading.spawn(read(stream, SETTLED, SETTLED + LONG));
    }
    tokio::time::sleep(SETTLED).await;
    let (cpu, after) = (served.cpu(), served.resident());
    let mut ages: Vec<Duration> = reading.join_all().await.into_iter().flatten().collect();
    let busy = served.cpu() - cpu;
    ages.sort();
    let late = ages[ages.len() * 99 / 100];
    let seconds = f64::from(u32::try_from(LONG.as_secs()).unwrap_or(u32::MAX));
    let count = f64::from(u32::try_from(ages.len()).unwrap_or(u32::MAX));
    report.bound(
        "1,000 listeners, 100 events a second, a tenth reads nothing",
        &format!(
            "{:.0} events a second, {:.1} ms old, {:.1} ms at the 99th percentile, {:.0} % of a core",
            count / seconds,
            ages[ages.len() / 2].as_secs_f64() * 1000.0,
            late.as_secs_f64() * 1000.0,
            f64::from(u32::try_from(busy).unwrap_or(u32::MAX)) / seconds
        ),
        "",
        "99th percentile at most 250 ms",
        late <= Duration::from_millis(250),
    );
    let each =
        f64::from(u32::try_from(after.saturating_sub(before)).unwrap_or(u32::MAX)) / f64::from(LISTENERS);
    report.bound(
        "memory for each of them",
        &format!("{each:.1} KiB"),
        "",
        "below 10 KB",
        each * 1.024 < 10.0,
    );
    let_go(report, served, frozen).await;
}

async fn let_go(report: &Report, served: &Served, frozen: Vec<TcpStream>) {
    tokio::time::sleep(LET_GO).await;
    let (mut gone, mut seen) = (0, None);
    for mut stream in frozen {
        let mut text = Vec::new();
        // Reads what the system has kept, up to the end.
        let read = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut text)).await;
        gone += u32::from(read.is_ok());
        seen = last_id(&text).or(seen);
    }
    let seen = seen.expect("something was sent before");
    let mut back = listen(served, Some(&seen), false).await;
    let mut text = Vec::new();
    let told = async {
        while last_id(&text).is_none() && back.read_buf(&mut text).await.is_ok_and(|read| read > 0) {}
    };
    // The head of the answer may come before the first event.
    let _ = tokio::time::timeout(Duration::from_secs(2), told).await;
    let next = last_id(&text);
    report.bound(
        "those who read nothing",
        &format!(
            "{gone} of {FROZEN} let go; one who comes back after {seen} is told {}",
            next.as_deref().unwrap_or("nothing")
        ),
        "",
        "all let go, and told the present state",
        gone == FROZEN && next.is_some_and(|next| number(&next) > number(&seen)),
    );
}

fn last_id(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    // The last line may be a part of one.
    let whole = text.rsplit_once("\n\n")?.0;
    whole.lines().rev().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned)
}

fn number(id: &str) -> u64 {
    id.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or_default()
}

async fn listen(served: &Served, seen: Option<&str>, frozen: bool) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    if frozen {
        setsockopt(&socket, RcvBuf, &(16 << 10)).expect("a small buffer");
    }
    let address = served.address.parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("a listener");
    let seen = seen.map(|seen| format!("last-event-id: {seen}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /api/v1/jobs/clock/runs/1/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n{seen}\r\n",
        served.address, served.token
    );
    stream.write_all(request.as_bytes()).await.expect("a connection");
    stream
}

/// How old each event was that came between `from` and `to`.
async fn read(mut stream: TcpStream, from: Duration, to: Duration) -> Vec<Duration> {
    let began = tokio::time::Instant::now();
    let mut ages = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    let mut rest = String::new();
    while let Ok(Ok(read)) = tokio::time::timeout_at(began + to, stream.read(&mut buffer)).await {
        assert!(read > 0, "nobody who reads is let go");
        rest.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
        let Some(end) = rest.rfind("\n\n") else { continue };
        if began.elapsed() >= from {
            let told = rest[..end].split("\"message\":\"at ").skip(1).filter_map(|text| {
                let sent: u64 = text.split_once(' ')?.0.parse().ok()?;
                Some(now.saturating_sub(Duration::from_micros(sent)))
            });
            ages.extend(told);
        }
        rest.drain(..end + 2);
    }
    ages
}
