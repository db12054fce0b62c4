//! The keeper: a small process beside Mozart that is the parent of every attempt's program, so that a killed Mozart
//! loses no exit code and orphans are found.
//!
//! One thread, one loop. It starts what Mozart asks for, ends it at its deadline, sweeps what it left behind, and writes
//! its exit before it says so. When Mozart is gone it goes on until its last program has ended.

pub mod accepting;
mod adopted;
mod child;
mod ending;
pub mod message;
mod socket;
mod sweep;
mod system;

use std::{
    collections::HashMap,
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

use self::{
    adopted::Adopted,
    child::Child,
    message::{Report, Request},
    socket::Socket,
    sweep::Leaving,
    system::ChildEvents,
};
use super::{logs, process::Process, times};

/// How often the output of running programs is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Runs as the keeper until Mozart is gone and the last program has ended. Standard input is the line to Mozart.
///
/// # Errors
/// When the system refuses what a keeper needs; nothing was started then.
pub fn main() -> io::Result<()> {
    // A session of its own: a closed terminal does not reach it. It is the leader already when started by hand.
    let _ = rustix::process::setsid();
    let own_pid = i32::try_from(std::process::id()).map_err(io::Error::other)?;
    let keeper = Keeper {
        own: Process::of(own_pid),
        events: ChildEvents::listen()?,
        socket: Socket::stdin()?,
        children: Vec::new(),
        leaving: Vec::new(),
        adopted: Vec::new(),
        measured: Instant::now(),
        lengths: HashMap::new(),
    };
    keeper.run()
}

struct Keeper {
    own: Process,
    events: ChildEvents,
    socket: Socket,
    /// Programs that run.
    children: Vec<Child>,
    /// Programs that have ended and whose descendants may not have.
    leaving: Vec<Leaving>,
    adopted: Vec<Adopted>,
    measured: Instant,
    /// How long each stream was then.
    lengths: HashMap<PathBuf, u64>,
}

impl Keeper {
    fn run(mut self) -> io::Result<()> {
        while self.socket.interest().is_some() || !self.children.is_empty() || !self.leaving.is_empty() {
            let timeout = self.wake_at().map(|at| at.saturating_duration_since(Instant::now()));
            let processes: Vec<_> = self.adopted.iter().filter_map(Adopted::descriptor).collect();
            system::wait(&self.events, self.socket.interest(), &processes, timeout)?;
            drop(processes);
            self.events.clear();
            for request in self.socket.receive() {
                self.handle(request);
            }
            if self.socket.interest().is_none() {
                accepting::end()?;
            }
            let now = Instant::now();
            self.collect();
            self.end_what_is_due(now);
            self.sweep(now);
            self.watch_adopted(now);
            self.measure(now);
            self.socket.flush();
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let running = !self.children.is_empty() || !self.adopted.is_empty();
        let patience = ChildEvents::PATIENCE.filter(|_| running).map(|patience| now + patience);
        let measure = running.then(|| self.measured + MEASURE_EVERY);
        let children = self.children.iter().filter_map(Child::due);
        let adopted = self.adopted.iter().map(|adopted| adopted.due(now));
        let leaving = (!self.leaving.is_empty()).then(|| now + sweep::AGAIN_AFTER);
        children.chain(adopted).chain(patience).chain(measure).chain(leaving).min()
    }

    fn handle(&mut self, request: Request) {
        match request {
            Request::Spawn(spawn) => match Child::start(*spawn, self.own) {
                Ok((child, warning)) => {
                    self.children.push(child);
                    if let Some(text) = warning {
                        self.socket.send(&Report::Warning { text });
                    }
                }
                Err(report) => self.socket.send(&report),
            },
            Request::Adopt(adopt) => self.adopted.push(Adopted::new(*adopt)),
            Request::End { id, why } => {
                let now = Instant::now();
                if let Some(child) = self.children.iter_mut().find(|child| child.id() == id) {
                    child.end(why, now);
                } else if let Some(adopted) = self.adopted.iter_mut().find(|adopted| adopted.id() == id) {
                    adopted.end(why, now);
                }
            }
        }
    }

    /// Takes the exit of every child that has ended; orphans that have ended are let go.
    fn collect(&mut self) {
        while let Some((pid, exit)) = system::reap() {
            if let Some(at) = self.children.iter().position(|child| child.pid() == pid) {
                let child = self.children.swap_remove(at);
                self.leaving.push(Leaving::new(child, exit));
            }
        }
    }

    fn end_what_is_due(&mut self, now: Instant) {
        for child in &mut self.children {
            child.advance(now);
        }
    }

    fn sweep(&mut self, now: Instant) {
        let mut left = Vec::new();
        for leaving in std::mem::take(&mut self.leaving) {
            let alone = self.children.is_empty() && left.is_empty();
            if leaving.is_swept(self.own.pid, &self.children, alone, now) {
                for report in leaving.finish() {
                    self.socket.send(&report);
                }
            } else {
                left.push(leaving);
            }
        }
        self.leaving = left;
    }

    fn watch_adopted(&mut self, now: Instant) {
        let Self { adopted, socket, .. } = self;
        adopted.retain_mut(|adopted| match adopted.look(now) {
            Some(report) => {
                socket.send(&report);
                false
            }
            None => true,
        });
    }

    fn measure(&mut self, now: Instant) {
        if now < self.measured + MEASURE_EVERY {
            return;
        }
        self.measured = now;
        let own = self.children.iter().flat_map(Child::streams);
        let adopted = self.adopted.iter().flat_map(Adopted::streams);
        let mut lengths = HashMap::new();
        for stream in own.chain(adopted) {
            if let Err(error) = logs::bound(stream) {
                let text = format!("cannot bound the output in {}: {error}", stream.display());
                self.socket.send(&Report::Warning { text });
            }
            let Ok(length) = fs::metadata(stream).map(|metadata| metadata.len()) else { continue };
            if self.lengths.get(stream).copied().unwrap_or(0) != length {
                // That a reader does not see when a line was written is no reason to say anything.
                let _ = times::note(stream, length);
            }
            lengths.insert(stream.to_owned(), length);
        }
        self.lengths = lengths;
    }
}
