//! A browser on this machine, if there is one to be seen.

use std::process::{Command, Stdio};

/// Asks the desktop to open an address; whether there is one to ask.
pub fn open(address: &str) -> bool {
    let (program, desktop) = if cfg!(target_os = "macos") {
        ("open", true)
    } else {
        // Without a display it would take a browser of the terminal.
        let shown = ["DISPLAY", "WAYLAND_DISPLAY"].map(std::env::var_os);
        ("xdg-open", shown.iter().flatten().any(|value| !value.is_empty()))
    };
    let mut command = Command::new(program);
    command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    desktop && command.spawn().is_ok()
}
