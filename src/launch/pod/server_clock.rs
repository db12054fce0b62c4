//! The API server's clock: what it and its nodes have dated is compared with it, never with this machine's.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, header::DATE};
use jiff::{Timestamp, fmt::rfc2822};

use crate::driver::{
    clock::{MachineClock, Reading},
    ports::Clock as _,
};

/// It is heard anew no more often: a clock that nobody sets does not drift away in that time.
const FRESH: Duration = Duration::from_secs(10);

/// The date that answers of the API server bear (RFC 9110, section 6.6.1), carried on by the time that passes here. This
/// machine's date until the first of them. Clones are one clock.
#[derive(Clone, Debug, Default)]
pub struct ServerClock {
    machine: MachineClock,
    heard: Arc<Mutex<Option<Reading>>>,
}

impl ServerClock {
    /// One that has heard nothing.
    pub fn new(machine: MachineClock) -> Self {
        Self { machine, heard: Arc::default() }
    }

    /// Takes over the date of an answer that has just come.
    pub fn hear(&self, answer: &HeaderMap) {
        let steady = self.machine.reading().steady;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.is_some_and(|heard| steady.saturating_sub(heard.steady) < FRESH) {
            return;
        }
        let date = answer.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| rfc2822::parse(date).ok()) {
            *heard = Some(Reading { wall: date.timestamp(), steady });
        }
    }

    /// Now, to a second or two.
    pub fn now(&self) -> Timestamp {
        let here = self.machine.reading();
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(heard) = heard else { return here.wall };
        let passed = here.steady.saturating_sub(heard.steady);
        heard.wall.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Resolves when it is `until`.
    pub async fn sleep_until(&self, until: Timestamp) {
        while let Ok(left) = Duration::try_from(until.duration_since(self.now()))
            && !left.is_zero()
        {
            // What is heard meanwhile counts, and so does sleep of the machine.
            self.machine.sleep(left.min(Duration::from_mins(1))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dated(date: &str) -> HeaderMap {
        HeaderMap::from_iter([(DATE, date.parse().unwrap())])
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_by_what_the_server_said_however_the_own_clock_is_set() {
        let set = Arc::new(std::sync::atomic::AtomicI64::new(0));
        let clock = ServerClock::new(MachineClock::paused(tokio::time::Instant::now(), Arc::clone(&set)));
        let is = |date: &str| assert_eq!(clock.now(), date.parse().unwrap());
        is("2026-01-01T00:00:00Z");
        clock.hear(&dated("nonsense"));
        clock.hear(&HeaderMap::new());
        is("2026-01-01T00:00:00Z");
        clock.hear(&dated("Thu, 01 Jan 2026 05:00:00 GMT"));
        is("2026-01-01T05:00:00Z");
        set.store(-86_400, std::sync::atomic::Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(5)).await;
        clock.hear(&dated("Thu, 01 Jan 2026 05:00:05 GMT"));
        is("2026-01-01T05:00:05Z");
        let began = tokio::time::Instant::now();
        clock.sleep_until("2026-01-01T05:02:00Z".parse().unwrap()).await;
        assert_eq!(began.elapsed(), Duration::from_secs(115));
        clock.hear(&dated("Thu, 01 Jan 2026 07:00:00 GMT"));
        is("2026-01-01T07:00:00Z");
    }
}
