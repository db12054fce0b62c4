//! Repeated measurements of one thing.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Repeated measurements of one thing.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<Duration>);

impl Sample {
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
        self.0.sort();
    }

    pub fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    /// Milliseconds: the median, and the least and the most in brackets.
    pub fn text(&self) -> String {
        let milliseconds = |duration: Duration| format!("{:.1}", duration.as_secs_f64() * 1000.0);
        let (least, most) = (self.0[0], self.0[self.0.len() - 1]);
        format!("{} ms ({}–{})", milliseconds(self.median()), milliseconds(least), milliseconds(most))
    }

    /// How many a second, of `count` in each: the median, and the least and the most in brackets.
    pub fn rate(&self, count: u32) -> String {
        let rate = |duration: Duration| format!("{:.1}", f64::from(count) / duration.as_secs_f64());
        let (least, most) = (self.0[self.0.len() - 1], self.0[0]);
        format!("{} ({}–{})", rate(self.median()), rate(least), rate(most))
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Runs a program to its end, which must be a good one, and says how long it took.
pub fn time(command: &mut Command) -> Duration {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let since = Instant::now();
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let took = since.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    took
}

/// Two programs in turn, so many times each.
pub fn in_turn(
    repeats: usize,
    mut one: impl FnMut() -> Duration,
    mut other: impl FnMut() -> Duration,
) -> (Sample, Sample) {
    let mut samples = (Sample::default(), Sample::default());
    for _repeat in 0..repeats {
        samples.0.push(one());
        samples.1.push(other());
    }
    samples
}
