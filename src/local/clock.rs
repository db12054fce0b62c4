//! The clock of this machine.

use std::time::Duration;

use jiff::Timestamp;

use crate::driver::ports::Clock;

/// The wall clock jumps over sleep and corrections, timers do not: it is looked at this often.
const LOOK: Duration = Duration::from_mins(1);

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        while let Ok(left) = Duration::try_from(until.duration_since(Timestamp::now()))
            && !left.is_zero()
        {
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
