//! The notifier of the operator, which sends nothing: a job that asks for it is refused when it is validated.

use crate::{
    driver::ports::Notifier,
    engine::{ledger::Notice, world::SettledNotice},
};

/// Sends nothing.
pub(super) struct Silent;

impl Notifier for Silent {
    async fn deliver(&self, _: &Notice) {}

    async fn settled(&self) -> Vec<SettledNotice> {
        Vec::new()
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}
