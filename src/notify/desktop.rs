//! The desktop's own notifications: D-Bus on Linux, the system's centre on macOS.

use std::time::Duration;

use super::{
    message::Message,
    sink::{Delivery, chain},
};

/// The desktop of the user who runs Mozart.
pub(super) struct Desktop {
    timeout: Duration,
}

impl Desktop {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout }
    }

    /// A machine without a notification service will not get one in the middle of a run: the first failure is the last.
    pub(super) async fn deliver(&self, message: Message<'_>) -> Delivery {
        let shown = tokio::time::timeout(self.timeout, show(&message.title(), &message.notice.text)).await;
        let why = match shown {
            Ok(Ok(())) => return Delivery::Delivered,
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("the notification service did not answer within {} s", self.timeout.as_secs()),
        };
        Delivery::Off { why: format!("this session shows no desktop notifications: {why}") }
    }
}

#[cfg(not(target_os = "macos"))]
async fn show(title: &str, text: &str) -> notify_rust::error::Result<()> {
    let mut notification = notify_rust::Notification::new();
    // The body is markup by the specification, the summary is not.
    notification.appname("Mozart").summary(title).body(&super::markup::escape(text));
    notification.show_async().await.map(drop)
}

#[cfg(target_os = "macos")]
async fn show(title: &str, text: &str) -> notify_rust::error::Result<()> {
    let mut notification = notify_rust::Notification::new();
    notification.appname("Mozart").summary(title).body(text);
    tokio::task::spawn_blocking(move || notification.show().map(drop))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
