//! The first process of a Pod's container: nobody else hears its signals, and nobody else collects what is orphaned.
//!
//! It starts the attempt as a process of its own, so that its end is told even when the attempt itself is killed.

use std::{io, process::Command, time::Duration};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

/// After it was told to end, the attempt has so long: the 10 s that its programs have, and what writing its result takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `command` to its end, and everything that descends from it. SIGTERM, SIGINT and SIGHUP are passed on as SIGTERM.
/// Returns its exit code, or 128 and the signal that ended it.
///
/// # Errors
/// It cannot be started, or signals cannot be heard.
pub async fn run(mut command: Command) -> io::Result<i32> {
    let mut children = signal(SignalKind::child())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let child = Pid::from_raw(i32::try_from(command.spawn()?.id()).map_err(io::Error::other)?);
    let mut deadline = None;
    loop {
        if let Some(code) = reap(child) {
            everything(Signal::SIGKILL);
            return Ok(code);
        }
        tokio::select! {
            _ = children.recv() => continue,
            () = at(deadline) => {
                everything(Signal::SIGKILL);
                deadline = None;
                continue;
            }
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        // It may have ended meanwhile, which is looked at next.
        let _ = kill(child, Signal::SIGTERM);
        deadline.get_or_insert(Instant::now() + PATIENCE);
    }
}

/// Collects everything that has ended; the exit code of `child`, if it is among it.
fn reap(child: Pid) -> Option<i32> {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == child => code = Some(status),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => code = Some(128 + signal as i32),
            Ok(WaitStatus::StillAlive) => return code,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return code,
        }
    }
}

/// Every process of the container but this one. Only the first process may say so: elsewhere it would mean the user's
/// every process.
fn everything(signal: Signal) {
    if std::process::id() == 1 {
        let _ = kill(Pid::from_raw(-1), signal);
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
