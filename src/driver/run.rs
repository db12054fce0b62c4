//! A run from here to its end: the turn, over and over, with saves in the background.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    act::Acting,
    ports::{Clock, Gates, Launcher, Notifier, Store},
    save::Saver,
    turn::{Decision, Ports, RunError, RunState, View, decide, look},
};
use crate::engine::{
    ledger::Ledger,
    policy::Policy,
    step::{Save, StepError},
    summary::Summary,
    world::{AttemptState, Wishes, World},
};

/// Before a gate that could not be written is tried again.
const GATE_PAUSE: Duration = Duration::from_secs(1);

/// Drives a run until it has ended, or is suspended and nothing of it runs any more. Returns the ledger as it is stored.
///
/// `observer` is shown every turn. Dropping the future at any point is a crash: nothing is lost that was saved, and
/// driving the stored ledger again goes on.
///
/// # Errors
/// When the ledger cannot be saved, or is of a newer Mozart. What runs is left running: it is found again.
pub async fn run<S: Store, L: Launcher, G: Gates, N: Notifier, C: Clock>(
    policy: &Policy,
    mut state: RunState,
    ports: Ports<'_, S, L, G, N, C>,
    mut wishes: watch::Receiver<Wishes>,
    mut observer: impl FnMut(&View<'_>),
) -> Result<Ledger, RunError> {
    let mut acting = Acting::default();
    let mut saver = Saver::new(ports.store, ports.clock);
    let mut wishes_may_change = true;
    let mut last_notices = None;
    let mut notices_given_up = false;
    state.clock_read(ports.clock.reading()).map_err(StepError::from)?;
    loop {
        let wished = wishes.borrow_and_update().clone();
        if acting.has_untold() {
            saver.beside(acting.tell(ports.gates)).await;
        }
        let world = saver.beside(look(&state, &ports, &acting, wished)).await;
        let reading = ports.clock.reading();
        let now = reading.wall;
        let read = state.clock_read(reading).map_err(StepError::from)?;
        let Decision { events, actions, wake_at, waiting, save } = decide(policy, &mut state, &world, now)?;
        let summary = Summary::new(policy, &state.ledger, &world, now);
        let waiting = waiting.as_ref();
        observer(&View {
            now,
            read,
            events: &events,
            ledger: &state.ledger,
            world: &world,
            summary: &summary,
            waiting,
            settled: save == Save::None && saver.is_idle(),
        });
        let again = saver.beside(acting.act(actions, &ports)).await;
        saver.offer(&mut state, save);

        let at_rest = save == Save::None && saver.is_idle() && is_parked(&state.ledger, &world);
        if at_rest && (state.ledger.outbox.is_empty() || notices_given_up) {
            return Ok(state.saved);
        }
        if at_rest && last_notices.is_none() {
            last_notices = ports.notifier.last_wait().map(|wait| Box::pin(ports.clock.sleep(wait)));
        }
        if again {
            continue;
        }
        tokio::select! {
            biased;
            saved = saver.progress() => {
                if let Some(ledger) = saved? {
                    state.stored(ledger);
                }
            }
            changed = wishes.changed(), if wishes_may_change => wishes_may_change = changed.is_ok(),
            () = ports.launcher.changed() => {}
            () = ports.gates.changed() => {}
            () = ports.notifier.changed() => {}
            () = at(&ports, wake_at) => {}
            () = ports.clock.sleep(GATE_PAUSE), if acting.has_untold() => {}
            () = maybe(&mut last_notices) => {
                last_notices = None;
                notices_given_up = true;
            }
        }
    }
}

/// Whether nothing is left to drive: the run is over, or suspended and at rest.
fn is_parked(ledger: &Ledger, world: &World) -> bool {
    let running =
        world.attempts.iter().any(|sighting| matches!(sighting.state, AttemptState::Running { .. }));
    ledger.is_over() || ledger.is_suspended() && !running
}

/// Resolves at that time; never without one.
async fn at<S, L, G, N, C: Clock>(ports: &Ports<'_, S, L, G, N, C>, time: Option<Timestamp>) {
    match time {
        Some(time) => ports.clock.sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Resolves when `future` does; never without one.
async fn maybe(future: &mut Option<impl Future<Output = ()> + Unpin>) {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
