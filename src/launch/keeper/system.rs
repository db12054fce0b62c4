//! What the keeper asks of the operating system, beyond starting programs.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    process::WaitOptions,
};

use crate::backend::Exit;

/// Wakes the keeper when one of its children ends.
pub struct ChildEvents {
    #[cfg(target_os = "linux")]
    signals: nix::sys::signalfd::SignalFd,
}

impl ChildEvents {
    /// Listens, and makes this process the parent of every descendant that loses its own.
    #[cfg(target_os = "linux")]
    pub fn listen() -> io::Result<Self> {
        use nix::sys::{
            prctl::set_child_subreaper,
            signal::{SigSet, Signal},
            signalfd::{SfdFlags, SignalFd},
        };
        set_child_subreaper(true)?;
        let mut set = SigSet::empty();
        set.add(Signal::SIGCHLD);
        set.thread_block()?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { signals })
    }

    /// Without a signal descriptor the children are looked at every [`Self::PATIENCE`]; orphans are not seen at all.
    #[cfg(not(target_os = "linux"))]
    pub fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// How long a wait may last at most while there are children.
    pub const PATIENCE: Option<Duration> =
        if cfg!(target_os = "linux") { None } else { Some(Duration::from_millis(10)) };

    fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        #[cfg(target_os = "linux")]
        return std::iter::once(self.signals.as_fd());
        #[cfg(not(target_os = "linux"))]
        return std::iter::empty();
    }

    /// Forgets what has been told: the children are looked at next.
    pub fn clear(&self) {
        #[cfg(target_os = "linux")]
        while let Ok(Some(_)) = self.signals.read_signal() {}
    }
}

/// Waits until something happens or `timeout` is over: `socket` (with whether to send), a child, one of `processes`.
pub fn wait(
    children: &ChildEvents,
    socket: Option<(BorrowedFd<'_>, bool)>,
    processes: &[BorrowedFd<'_>],
    timeout: Option<Duration>,
) -> io::Result<()> {
    let mut watched: Vec<PollFd<'_>> = Vec::with_capacity(2 + processes.len());
    watched.extend(children.descriptors().map(|signals| PollFd::from_borrowed_fd(signals, PollFlags::IN)));
    if let Some((socket, sends)) = socket {
        let flags = if sends { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        watched.push(PollFd::from_borrowed_fd(socket, flags));
    }
    watched.extend(processes.iter().map(|process| PollFd::from_borrowed_fd(*process, PollFlags::IN)));
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match rustix::event::poll(&mut watched, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The next child that has ended, and how.
pub fn reap() -> Option<(i32, Exit)> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => {
                let signal = status.terminating_signal();
                let Some(code) = status.exit_status().or(signal.map(|signal| 128 + signal)) else { continue };
                return Some((pid.as_raw_nonzero().get(), Exit { code, signal, ended_by: None }));
            }
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// A descriptor that is readable when a process that is no child has ended, where the system has such.
pub fn process_descriptor(pid: i32) -> Option<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        None
    }
}

/// The clock that stands still in sleep, in milliseconds; the same for every process since the machine's start.
pub fn monotonic_ms() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}
