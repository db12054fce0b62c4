//! A run of this machine, as its state says it a few times a second.

use std::{thread, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::mpsc;

use super::{Seen, Standing};
use crate::{
    cli::{
        error::Advised,
        exit::Exit,
        progress::{snapshot::waiting_line, used},
        reading::Reading,
        summary,
    },
    engine::summary::Summary,
    store::record::{BatchState, RunState},
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// What is seen of the run that was last used here, or of a job's.
pub fn seen(job: Option<&str>) -> Seen {
    let (sender, seen) = mpsc::channel(1);
    let job = job.map(ToOwned::to_owned);
    // State is read by a runtime of its own, which cannot be inside another.
    thread::spawn(move || {
        loop {
            let standing = standing(job.as_deref());
            let ended = standing.as_ref().map_or(true, |standing| standing.over.is_some());
            if sender.blocking_send(standing).is_err() || ended {
                return;
            }
            thread::sleep(LOOK);
        }
    });
    seen
}

/// How the run stands.
///
/// # Errors
/// There is none, or nobody drives it: then it never ends.
pub fn standing(job: Option<&str>) -> anyhow::Result<Standing> {
    let reading = Reading::open()?;
    let found = reading.find_last(job)?;
    let held = reading.holder(&found)?;
    let run = &found.run;
    let over = match run.state {
        RunState::Complete => Some(Exit::Done),
        RunState::Failed => Some(Exit::JobFailed),
        RunState::Pending | RunState::Running | RunState::Suspended | RunState::Stopping => None,
    };
    if over.is_none() && held.is_none() {
        let message = format!("nobody drives {} ({})", run.id, summary::state(run.state).0);
        return Err(Advised::new(message, format!("mozart resume {} goes on", run.id)).into());
    }
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let unfinished = reading.unfinished(&found)?;
    let so =
        |state| u32::try_from(unfinished.iter().filter(|one| one.state == state).count()).unwrap_or(u32::MAX);
    let running = so(BatchState::Running);
    let waiting = u32::try_from(unfinished.len()).unwrap_or(u32::MAX) - running - so(BatchState::Failed);
    let mut took = vec![summary::took(run, now)];
    took.extend(used(&run.usage, summary::expected(run)));
    let why =
        reading.waits_for(&found).map(|waiting| format!("waiting: {}", waiting_line(&waiting, now, &zone)));
    Ok(Standing {
        name: run.id.clone(),
        word: summary::state(run.state),
        summary: Summary {
            total: run.total,
            succeeded: run.succeeded,
            failed: run.failed,
            running,
            waiting,
            ..Summary::default()
        },
        took,
        why: summary::why(run).map(ToOwned::to_owned).or(why),
        over,
        next: summary::next_steps(run),
    })
}
