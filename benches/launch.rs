//! What an attempt costs beyond its program: 1,000 instant programs through the local launcher, and the same by `xargs`.

#![expect(clippy::print_stdout, reason = "what is measured is printed")]

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use mozart::{driver::ports::Launcher, engine::world::AttemptState, job::model::Backend};

#[path = "../tests/it/launch/fixture.rs"]
#[expect(dead_code, reason = "the bench needs less of it than the tests")]
mod fixture;

use fixture::{Run, first, start};

const BATCHES: u32 = 1000;
/// The best of so many rounds: what else the machine does only ever adds.
const ROUNDS: u32 = 5;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for parallelism in [1, 8] {
        let mut launcher = Duration::MAX;
        let mut xargs = Duration::MAX;
        for _ in 0..ROUNDS {
            launcher = launcher.min(runtime.block_on(by_launcher(parallelism)));
            xargs = xargs.min(by_xargs(parallelism));
        }
        let a_batch = |all: Duration| all.as_secs_f64() * 1000.0 / f64::from(BATCHES);
        let ratio = launcher.as_secs_f64() / xargs.as_secs_f64();
        println!(
            "parallelism {parallelism}: launcher {:.3} ms a batch, xargs {:.3} ms, ratio {ratio:.2}",
            a_batch(launcher),
            a_batch(xargs)
        );
    }
}

async fn by_launcher(parallelism: u32) -> Duration {
    let mut fixture = Run::of("");
    if let Backend::Command(backend) = &mut fixture.job.backend {
        backend.command = vec!["/bin/true".to_owned()];
    }
    let launcher = fixture.open(&[]).await;
    let began = Instant::now();
    let mut next = 1;
    let mut ended = 0;
    while next <= parallelism {
        launcher.launch(start(first(next))).await;
        next += 1;
    }
    while ended < BATCHES {
        launcher.changed().await;
        for sighting in launcher.look().await {
            if let AttemptState::Ended(outcome) = sighting.state {
                assert_eq!(outcome.failure, None);
                launcher.release(sighting.key).await;
                ended += 1;
                if next <= BATCHES {
                    launcher.launch(start(first(next))).await;
                    next += 1;
                }
            }
        }
    }
    began.elapsed()
}

fn by_xargs(parallelism: u32) -> Duration {
    let began = Instant::now();
    let mut xargs = Command::new("xargs")
        .args(["-n1", &format!("-P{parallelism}"), "/bin/true"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("xargs");
    let numbers = "1\n".repeat(BATCHES as usize);
    xargs.stdin.take().expect("a pipe").write_all(numbers.as_bytes()).expect("xargs reads");
    assert!(xargs.wait().expect("xargs ends").success());
    began.elapsed()
}
