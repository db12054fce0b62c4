//! What is told to people: queued in the ledger, so that it is told at least once, and bounded.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    apply::IllegalEvent,
    draft::Draft,
    event::EventKind,
    ledger::{Ledger, Notice},
    time::later,
};
use crate::job::{identity::AttemptKey, model::Occasion};

/// Beyond so many notices of batches a minute, the rest of the minute is told in one.
const A_MINUTE: u32 = 10;
/// What the outbox holds of either kind, the run's and the batches'.
const OUTBOX: usize = 16;
/// How long things are joined.
pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// Tells something of the run. When the outbox is full its oldest notice of the run gives way.
pub(super) fn tell(draft: &mut Draft<'_>, occasion: Occasion, text: String) -> Result<(), IllegalEvent> {
    if !draft.policy.occasions.contains(&occasion) {
        return Ok(());
    }
    let mut waiting = draft.ledger.outbox.iter().filter(|notice| !notice.occasion.is_of_a_batch());
    if let Some(oldest) = waiting.next().map(|notice| notice.id)
        && waiting.count() + 1 >= OUTBOX
    {
        draft.record(EventKind::NoticeSettled { id: oldest, dropped: true })?;
    }
    queue(draft, occasion, None, text)
}

/// Tells something of a batch: by itself, or joined with others when there is much of it.
pub(super) fn tell_of_batch(
    draft: &mut Draft<'_>,
    occasion: Occasion,
    key: AttemptKey,
    text: String,
) -> Result<(), IllegalEvent> {
    if !draft.policy.occasions.contains(&occasion) {
        return Ok(());
    }
    let crowded = of_batches(&draft.ledger) >= OUTBOX
        || draft.ledger.tally.as_ref().is_some_and(|tally| {
            !tally.joined.is_empty() || (tally.told >= A_MINUTE && later(tally.since, MINUTE) > draft.now)
        });
    if crowded {
        draft.record(EventKind::NoticeJoined { occasion })
    } else {
        queue(draft, occasion, Some(key), text)
    }
}

/// Tells what was joined, when its minute is over or the run is.
pub(super) fn tell_joined(draft: &mut Draft<'_>) -> Result<(), IllegalEvent> {
    let over = draft.ledger.is_over();
    let due = joined_due(&draft.ledger).is_some_and(|due| due <= draft.now);
    let joined = draft.ledger.tally.as_ref().map(|tally| tally.joined.clone()).unwrap_or_default();
    if !(over || due && of_batches(&draft.ledger) + joined.len() <= OUTBOX) {
        return Ok(());
    }
    for (occasion, count) in joined {
        let text = match (occasion, count) {
            (Occasion::BatchStart, 1) => "1 more batch has started.".to_owned(),
            (Occasion::BatchStart, _) => format!("{count} more batches have started."),
            (Occasion::BatchFailed, 1) => "1 more batch has failed.".to_owned(),
            (Occasion::BatchFailed, _) => format!("{count} more batches have failed."),
            (_, 1) => "1 more batch is done.".to_owned(),
            (_, _) => format!("{count} more batches are done."),
        };
        queue(draft, occasion, None, text)?;
    }
    Ok(())
}

/// When what was joined is to be told.
pub(super) fn joined_due(ledger: &Ledger) -> Option<Timestamp> {
    let tally = ledger.tally.as_ref().filter(|tally| !tally.joined.is_empty())?;
    Some(later(tally.since, MINUTE))
}

fn of_batches(ledger: &Ledger) -> usize {
    ledger.outbox.iter().filter(|notice| notice.occasion.is_of_a_batch()).count()
}

fn queue(
    draft: &mut Draft<'_>,
    occasion: Occasion,
    attempt: Option<AttemptKey>,
    text: String,
) -> Result<(), IllegalEvent> {
    let id = draft.ledger.last_notice + 1;
    let notice = Notice { id, occasion, at: draft.now, attempt, run: None, text };
    draft.record(EventKind::NoticeQueued { notice })
}
