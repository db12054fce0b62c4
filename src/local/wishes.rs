//! What people ask of the run that this process drives: by signals, by other processes, by the command line.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::control::{Ask, Control, Watch};
use crate::engine::world::Wishes;

/// A signal that asks this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The first: what runs is finished.
    Finish,
    /// A further one: what runs is ended, to be resumed.
    EndNow,
}

/// What was heard.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// A signal.
    Signal(Interruption),
    /// Another process's wish.
    Asked(&'a Control),
}

/// Turns signals and other processes' wishes into `wishes`, for as long as it is polled, and tells each as it is heard.
/// Ctrl-C, SIGTERM and SIGHUP (a closed window) are one: the first lets what runs finish, the second ends it.
///
/// # Errors
/// The signals cannot be heard.
pub async fn hear(
    wishes: watch::Sender<Wishes>,
    mut control: Watch,
    mut heard: impl FnMut(Heard<'_>),
) -> std::io::Result<std::convert::Infallible> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut signals = 0_u32;
    let mut asked = None;
    let first = wishes.borrow().clone();
    loop {
        tokio::select! {
            _ = interrupt.recv() => signals += 1,
            _ = terminate.recv() => signals += 1,
            _ = hangup.recv() => signals += 1,
            control = control.next() => {
                asked = Some(control.ask);
                wishes.send_replace(together(&first, asked, signals));
                heard(Heard::Asked(&control));
                continue;
            }
        }
        wishes.send_replace(together(&first, asked, signals));
        heard(Heard::Signal(if signals == 1 { Interruption::Finish } else { Interruption::EndNow }));
    }
}

/// The wishes of the command line, of another process and of so many signals.
fn together(first: &Wishes, asked: Option<Ask>, signals: u32) -> Wishes {
    let mut wishes = first.clone();
    match asked {
        None => {}
        Some(Ask::Suspend) => wishes.suspend = true,
        Some(Ask::SuspendNow) => (wishes.suspend, wishes.terminate) = (true, true),
        Some(Ask::Stop) => wishes.stop = Some(false),
        Some(Ask::StopNow) => wishes.stop = Some(true),
    }
    wishes.suspend |= signals >= 1;
    wishes.terminate |= signals >= 2;
    wishes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_signal_finishes_what_runs_and_two_end_it() {
        let first = Wishes { limit: Some(2), ..Wishes::default() };
        assert_eq!(together(&first, None, 0), first);
        assert_eq!(together(&first, None, 1), Wishes { suspend: true, ..first.clone() });
        assert_eq!(together(&first, None, 2), Wishes { suspend: true, terminate: true, ..first.clone() });
    }

    #[test]
    fn what_another_process_asks_does_not_take_back_a_signal() {
        let asked = |ask, signals| together(&Wishes::default(), Some(ask), signals);
        assert!(asked(Ask::Suspend, 0).suspend);
        assert!(asked(Ask::SuspendNow, 0).terminate);
        assert!(!asked(Ask::Stop, 0).suspend);
        assert!(asked(Ask::Stop, 1).suspend);
        assert_eq!(asked(Ask::Stop, 0).stop, Some(false));
        assert_eq!(asked(Ask::StopNow, 1).stop, Some(true));
    }
}
