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

/// The clock of this machine.
#[derive(Clone, Debug, Default)]
pub struct MachineClock {
    ahead: Option<PathBuf>,
    /// The wall clock goes with tokio's, from a fixed date on.
    #[cfg(test)]
    paused: Option<tokio::time::Instant>,
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
    /// A clock for tests in paused time, which began at 2026-01-01T00:00:00Z.
    pub fn paused(start: tokio::time::Instant) -> Self {
        Self { ahead: None, paused: Some(start) }
    }
}

fn read(path: &PathBuf) -> io::Result<SignedDuration> {
    let seconds = fs::read_to_string(path)?.trim().parse().map_err(io::Error::other)?;
    Ok(SignedDuration::from_secs(seconds))
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        #[cfg(test)]
        if let Some(start) = self.paused {
            let passed = SignedDuration::try_from(start.elapsed()).unwrap_or(SignedDuration::MAX);
            return PAUSED_START.checked_add(passed).unwrap_or(Timestamp::MAX);
        }
        let ahead = self.ahead.as_ref().and_then(|path| read(path).ok()).unwrap_or(SignedDuration::ZERO);
        Timestamp::now().checked_add(ahead).unwrap_or(Timestamp::MAX)
    }

    async fn sleep_until(&self, until: Timestamp) {
        let look = if self.ahead.is_some() { TEST_LOOK } else { LOOK };
        while let Ok(left) = Duration::try_from(until.duration_since(self.now()))
            && !left.is_zero()
        {
            tokio::time::sleep(left.min(look)).await;
        }
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
