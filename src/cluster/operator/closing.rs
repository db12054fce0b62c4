//! The end of an operator that was asked to end: what it knows is saved, nothing more is begun.

use tokio::sync::watch;

/// Whether the operator is to end, and how many are still at work; clones are one.
#[derive(Clone)]
pub(super) struct Closing {
    closed: watch::Sender<bool>,
    at_work: watch::Sender<usize>,
}

impl Closing {
    pub(super) fn new() -> Self {
        Self { closed: watch::Sender::new(false), at_work: watch::Sender::new(0) }
    }

    /// Nothing is begun from now on. Resolves when nobody is at work.
    pub(super) async fn close(&self) {
        self.closed.send_replace(true);
        wait_for(self.at_work.subscribe(), |count| *count == 0).await;
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Resolves when the operator is to end and that is so too.
    pub(super) async fn when_closed_and(&self, so: watch::Receiver<bool>) {
        wait_for(self.closed.subscribe(), |closed| *closed).await;
        wait_for(so, |so| *so).await;
    }

    /// Somebody is at work for as long as what is returned lives; `None` when nothing is begun any more.
    pub(super) fn begin(&self) -> Option<AtWork> {
        self.at_work.send_modify(|count| *count += 1);
        let at_work = AtWork(self.at_work.clone());
        (!self.is_closed()).then_some(at_work)
    }
}

/// Somebody is at work.
pub(super) struct AtWork(watch::Sender<usize>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

async fn wait_for<T>(mut receiver: watch::Receiver<T>, so: impl FnMut(&T) -> bool) {
    if receiver.wait_for(so).await.is_err() {
        // Its sender is gone, and with it who waits here.
        std::future::pending::<()>().await;
    }
}
