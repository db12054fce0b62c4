//! What a person sees while a run goes on: on a terminal a block of fixed height under the lines that stay, elsewhere
//! a line for each change.

mod happening;
pub mod snapshot;

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};

pub use self::snapshot::used;
use self::snapshot::{Snapshot, counts, waiting_line};
use super::{
    format, pen,
    printer::Printer,
    terminal::{Look, Tone},
};
use crate::{driver::turn::View, engine::event::EventKind};

/// How often the block is drawn when nothing happens: its times go on.
const TICK: Duration = Duration::from_secs(1);

/// How long changes are gathered before the block is drawn again.
const GATHER: Duration = Duration::from_millis(100);

/// The progress of one run. Dropping it takes the block away.
#[derive(Debug)]
pub struct Progress {
    look: Look,
    zone: TimeZone,
    quiet: bool,
    since: Timestamp,
    shared: Arc<Shared>,
    painter: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    snapshot: Option<Snapshot>,
    dirty: bool,
    over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Begins to show.
    pub fn start(printer: &Printer) -> Self {
        let (look, quiet) = (printer.err, printer.is_quiet());
        let shared = Arc::new(Shared::default());
        let zone = TimeZone::system();
        // A thread of its own: it draws also while every worker of the run is busy, and times go on between turns.
        let painter = (look.moves && !quiet).then(|| {
            let (shared, zone) = (Arc::clone(&shared), zone.clone());
            std::thread::spawn(move || paint(&shared, look, &zone))
        });
        Self { look, zone, quiet, since: Timestamp::now(), shared, painter }
    }

    /// Shows what happened in a turn, and how the run stands.
    pub fn observe(&self, view: &View<'_>) {
        if self.quiet {
            return;
        }
        let snapshot = Snapshot::of(view, self.since);
        for line in view.events.iter().filter_map(|event| happening::line(event, view.now, &self.zone)) {
            if line.on_terminal || !self.look.moves {
                self.say(line.tone, &line.text, view.now, &snapshot);
            }
        }
        let told = view.events.iter().any(|event| matches!(event.kind, EventKind::GateClosed { .. }));
        if !self.look.moves && !told {
            self.say_wait(view.now, &snapshot);
        }
        let mut state = self.shared.lock();
        state.snapshot = Some(snapshot);
        state.dirty = true;
        drop(state);
        self.shared.changed.notify_one();
    }

    /// Off a terminal a wait is a line when it begins, and when its time changes.
    fn say_wait(&self, now: Timestamp, snapshot: &Snapshot) {
        let state = self.shared.lock();
        let before = state.snapshot.as_ref().and_then(|before| before.waiting.clone());
        drop(state);
        if let Some(waiting) = snapshot.waiting.as_ref().filter(|waiting| Some(*waiting) != before.as_ref())
            && (waiting.is_for_the_gate() || snapshot.waits_for_sessions())
        {
            let line = format!("waiting: {}", waiting_line(waiting, now, &self.zone));
            self.say(Tone::Warning, &line, now, snapshot);
        }
    }

    fn say(&self, tone: Tone, text: &str, now: Timestamp, snapshot: &Snapshot) {
        let time = self.look.paint(Tone::Quiet, format::clock(now, &self.zone));
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = self.look.paint(tone, text);
        if self.look.moves {
            pen::write(&format!("{time} {text}\n"));
        } else {
            pen::write(&format!("{time} {text} ({})\n", counts(&snapshot.summary)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_one();
        if let Some(painter) = self.painter.take() {
            // A painter that panicked has left nothing that matters.
            let _ = painter.join();
        }
        if self.look.moves && !self.quiet {
            pen::draw(Vec::new());
        }
    }
}

/// Draws until it is over: soon after a change, and once a [`TICK`].
fn paint(shared: &Shared, look: Look, zone: &TimeZone) {
    let mut state = shared.lock();
    while !state.over {
        if !state.dirty {
            state = shared
                .changed
                .wait_timeout_while(state, TICK, |state| !state.dirty && !state.over)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.dirty = false;
        let snapshot = state.snapshot.clone();
        drop(state);
        if let Some(snapshot) = snapshot {
            // The width is asked for each time: a window changes its size.
            let term = console::Term::stderr();
            let width = term.size_checked().map_or(80, |(_, columns)| usize::from(columns));
            let look = Look { width: Some(width), ..look };
            pen::draw(snapshot.block(&look, Timestamp::now(), zone));
        }
        state = shared
            .changed
            .wait_timeout_while(shared.lock(), GATHER, |state| !state.over)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
}
