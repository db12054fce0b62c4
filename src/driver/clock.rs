//! The clock of this machine.

use std::{env, fs, io, path::PathBuf, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::ports::Clock;

/// The wall clock jumps over sleep and corrections, timers do not: it is looked at this often.
const LOOK: Duration = Duration::from_mins(1);

/// As often where a test sets the clock.
const TEST_LOOK: Duration = Duration::from_millis(20);

/// A file that says by how many seconds the clock is ahead: for tests of long waits, which set it forward as they go.
const VARIABLE: &str = "MOZART_TEST_CLOCK";

/// Less is what slewing and the reading of two clocks one after the other come to.
const SET: SignedDuration = SignedDuration::from_secs(1);

/// A moment by the clock that can be set and by the one that cannot.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The date and time.
    pub wall: Timestamp,
    /// Since some moment, sleep of the machine included.
    pub steady: Duration,
}

impl Reading {
    /// By how much the clock was set between this moment and a later one, if it was.
    pub fn set_until(self, later: Self) -> Option<SignedDuration> {
        let passed = SignedDuration::try_from(later.steady.saturating_sub(self.steady)).ok()?;
        let by = later.wall.duration_since(self.wall).checked_sub(passed)?;
        (by.abs() >= SET).then_some(by)
    }
}

/// How long this machine runs, sleep included.
pub fn since_boot() -> Duration {
    // Elsewhere the monotonic clock is the one that goes on in sleep.
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
}

/// The clock of this machine.
#[derive(Clone, Debug, Default)]
pub struct MachineClock {
    ahead: Option<PathBuf>,
    /// The wall clock goes with tokio's, from a fixed date on.
    #[cfg(test)]
    paused: Option<Paused>,
}

/// Paused time, whose wall clock a test sets by so many seconds.
#[cfg(test)]
#[derive(Clone, Debug)]
struct Paused {
    start: tokio::time::Instant,
    set: std::sync::Arc<std::sync::atomic::AtomicI64>,
}

#[cfg(test)]
impl Paused {
    fn reading(&self) -> Reading {
        let steady = self.start.elapsed();
        let set = SignedDuration::from_secs(self.set.load(std::sync::atomic::Ordering::Relaxed));
        let passed = SignedDuration::try_from(steady).unwrap_or(SignedDuration::MAX).saturating_add(set);
        Reading { wall: PAUSED_START.checked_add(passed).unwrap_or(Timestamp::MAX), steady }
    }
}

/// The clock is to be set by a file that does not say how.
#[derive(Debug, thiserror::Error)]
#[error("{VARIABLE} is for tests: {path} is to hold a number of seconds; unset the variable")]
pub struct ClockError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl MachineClock {
    /// The clock of this machine, or the one that a test sets by a file that the environment names.
    ///
    /// # Errors
    /// There is no such file, or no number in it.
    pub fn of_environment() -> Result<Self, ClockError> {
        let Some(path) = env::var_os(VARIABLE).map(PathBuf::from) else { return Ok(Self::default()) };
        match read(&path) {
            Ok(ahead) => {
                tracing::warn!(%ahead, "the clock is set by the file that {VARIABLE} names");
                Ok(Self {
                    ahead: Some(path),
                    #[cfg(test)]
                    paused: None,
                })
            }
            Err(source) => Err(ClockError { path, source }),
        }
    }
}

/// 2026-01-01T00:00:00Z.
#[cfg(test)]
const PAUSED_START: Timestamp = Timestamp::constant(1_767_225_600, 0);

#[cfg(test)]
impl MachineClock {
    /// A clock for tests in paused time, which began at 2026-01-01T00:00:00Z and is set by so many seconds.
    pub fn paused(start: tokio::time::Instant, set: std::sync::Arc<std::sync::atomic::AtomicI64>) -> Self {
        Self { ahead: None, paused: Some(Paused { start, set }) }
    }
}

fn read(path: &PathBuf) -> io::Result<SignedDuration> {
    let seconds = fs::read_to_string(path)?.trim().parse().map_err(io::Error::other)?;
    Ok(SignedDuration::from_secs(seconds))
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        self.reading().wall
    }

    fn reading(&self) -> Reading {
        #[cfg(test)]
        if let Some(paused) = &self.paused {
            return paused.reading();
        }
        let ahead = self.ahead.as_ref().and_then(|path| read(path).ok()).unwrap_or(SignedDuration::ZERO);
        let wall = Timestamp::now().checked_add(ahead).unwrap_or(Timestamp::MAX);
        // What a test has let pass has passed.
        Reading { wall, steady: since_boot() + Duration::try_from(ahead).unwrap_or_default() }
    }

    async fn sleep_until(&self, until: Timestamp) {
        let look = if self.ahead.is_some() { TEST_LOOK } else { LOOK };
        let begun = self.reading();
        while let Ok(left) = Duration::try_from(until.duration_since(self.now()))
            && !left.is_zero()
            && begun.set_until(self.reading()).is_none()
        {
            tokio::time::sleep(left.min(look)).await;
        }
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_was_set_if_it_goes_another_way_than_time() {
        let at = |wall, steady| Reading {
            wall: PAUSED_START + SignedDuration::from_millis(wall),
            steady: Duration::from_millis(steady),
        };
        for (later, by) in [
            (at(60_000, 60_000), None),
            (at(60_999, 60_000), None),
            (at(59_500, 60_000), None),
            (at(3_660_000, 60_000), Some(3600)),
            (at(-3_540_000, 60_000), Some(-3600)),
        ] {
            assert_eq!(at(0, 0).set_until(later), by.map(SignedDuration::from_secs), "{later:?}");
        }
    }
}
