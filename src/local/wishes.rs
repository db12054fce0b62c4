//! What people ask of the run that this process drives: by signals, by other processes, by the command line.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::control::{Ask, Watch};
use crate::engine::world::Wishes;

/// A signal that asks this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The first: what runs is finished.
    Finish,
    /// A further one: what runs is ended, to be resumed.
    EndNow,
}

/// Turns signals and other processes' wishes into `wishes`, for as long as it is polled. Ctrl-C, SIGTERM and SIGHUP (a
/// closed window) are one: the first lets what runs finish, the second ends it.
///
/// # Errors
/// The signals cannot be heard.
pub async fn hear(
    wishes: watch::Sender<Wishes>,
    mut control: Watch,
    mut interrupted: impl FnMut(Interruption),
) -> std::io::Result<std::convert::Infallible> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut signals = 0_u32;
    let mut asked = Ask::GoOn;
    let first = wishes.borrow().clone();
    loop {
        tokio::select! {
            _ = interrupt.recv() => signals += 1,
            _ = terminate.recv() => signals += 1,
            _ = hangup.recv() => signals += 1,
            control = control.next() => {
                tracing::info!(ask = ?control.ask, pid = control.pid, "another process asks something of this run");
                asked = control.ask;
                wishes.send_replace(together(&first, asked, signals));
                continue;
            }
        }
        interrupted(if signals == 1 { Interruption::Finish } else { Interruption::EndNow });
        wishes.send_replace(together(&first, asked, signals));
    }
}

/// The wishes of the command line, of another process and of so many signals.
fn together(first: &Wishes, asked: Ask, signals: u32) -> Wishes {
    let mut wishes = first.clone();
    match asked {
        Ask::GoOn => {}
        Ask::Suspend => wishes.suspend = true,
        Ask::SuspendNow => (wishes.suspend, wishes.terminate) = (true, true),
        Ask::Stop => wishes.stop = Some(false),
        Ask::StopNow => wishes.stop = Some(true),
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
        assert_eq!(together(&first, Ask::GoOn, 0), first);
        assert_eq!(together(&first, Ask::GoOn, 1), Wishes { suspend: true, ..first.clone() });
        assert_eq!(
            together(&first, Ask::GoOn, 2),
            Wishes { suspend: true, terminate: true, ..first.clone() }
        );
    }

    #[test]
    fn a_wish_taken_back_does_not_take_back_a_signal() {
        let asked = |ask, signals| together(&Wishes::default(), ask, signals);
        assert!(asked(Ask::Suspend, 0).suspend);
        assert!(asked(Ask::SuspendNow, 0).terminate);
        assert!(!asked(Ask::GoOn, 0).suspend);
        assert!(asked(Ask::GoOn, 1).suspend);
        assert_eq!(asked(Ask::Stop, 0).stop, Some(false));
        assert_eq!(asked(Ask::StopNow, 1).stop, Some(true));
    }
}
