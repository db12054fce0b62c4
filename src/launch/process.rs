//! Processes of the system, told apart across reuse of their numbers.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

/// The variable by which every process of an attempt is known, children of children too.
pub const MARK: &str = "MOZART_ATTEMPT";

/// One process for its whole life: a number alone may be given to another process later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks since the machine's start; 0 where the system does not tell.
    pub start_ticks: u64,
}

impl Process {
    /// The process that has this number now. One that has ended and was not waited for counts.
    pub fn of(pid: i32) -> Self {
        Self { pid, start_ticks: stat(pid).map_or(0, |stat| stat.start_ticks) }
    }

    /// Whether it runs.
    pub fn lives(self) -> bool {
        if cfg!(target_os = "linux") {
            stat(self.pid).is_some_and(|stat| stat.start_ticks == self.start_ticks && !stat.ended)
        } else {
            Pid::from_raw(self.pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
        }
    }
}

/// How often a process that shows no whole environment is looked at again: in all, and while it has a command line.
const LOOKS: u32 = 50;
const LOOKS_WHEN_SETTLED: u32 = 3;
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Environments are rarely larger, in bytes.
const USUAL_ENVIRONMENT: usize = 128 << 10;

struct Stat {
    start_ticks: u64,
    ended: bool,
}

/// Of `/proc/<pid>/stat`. The name in parentheses may hold anything, so fields count from the last parenthesis.
fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let start_ticks = fields.nth(18)?.parse().ok()?;
    Some(Stat { start_ticks, ended: matches!(state, "Z" | "X") })
}

/// The children of a process, also those it was given as a subreaper. Empty where the system has no `/proc`.
pub fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The attempt that a process says it belongs to. `None` when it says nothing, may not be read, or has ended.
pub fn mark(pid: i32) -> Option<String> {
    mark_in(Path::new(&format!("/proc/{pid}"))).ok().flatten()
}

fn mark_in(process: &Path) -> io::Result<Option<String>> {
    let mut environment = environment(process)?;
    let mut settled = 0;
    for _ in 0..LOOKS {
        // While a process becomes another program its environment cannot be read to the end, nor its command line.
        let whole = environment.last() == Some(&0);
        if whole || settled == LOOKS_WHEN_SETTLED || fs::read_link(process.join("exe")).is_err() {
            break;
        }
        settled += u32::from(!fs::read(process.join("cmdline"))?.is_empty());
        thread::sleep(LOOK_AGAIN);
        environment = self::environment(process)?;
    }
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="));
    Ok(value.map(|value| String::from_utf8_lossy(value).into_owned()))
}

/// In one read, if it is not larger than is usual: what comes by several can be of two programs.
fn environment(process: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(process.join("environ"))?;
    let mut environment = vec![0; USUAL_ENVIRONMENT];
    let read = file.read(&mut environment)?;
    environment.truncate(read);
    if read == USUAL_ENVIRONMENT {
        file.read_to_end(&mut environment)?;
    }
    Ok(environment)
}

/// Every process of this user whose mark `ours` accepts. Reads every environment there is: for starts and leftovers.
pub fn marked(ours: impl Fn(&str) -> bool) -> Vec<i32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let own = i32::try_from(std::process::id()).ok();
    processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let mark = mark_in(&entry.path()).ok()??;
            (Some(pid) != own && ours(&mark)).then_some(pid)
        })
        .collect()
}

/// Ends a process and all that descends from it, at once.
pub fn kill_tree(pid: i32) {
    // Children first would let the parent start new ones; a parent that is gone cannot.
    let below = children(pid);
    signal(pid, Signal::KILL);
    below.into_iter().for_each(kill_tree);
}

/// Sends a signal to a process; one that is gone is no error.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // The only other error is a process of another user, which nobody here can end.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Sends a signal to a process group; one that is gone is no error.
pub fn signal_group(leader: i32, signal: Signal) {
    if let Some(leader) = Pid::from_raw(leader) {
        let _ = rustix::process::kill_process_group(leader, signal);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_known_also_while_it_becomes_another_program() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("again");
        fs::write(&script, "exec sh \"$0\"").unwrap();
        let mut child = Command::new("sh").arg(&script).env(MARK, "j/r1/b1-a1").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let missed = (0..20_000).filter(|_| mark(pid).is_none()).count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(missed, 0);
    }

    #[test]
    fn a_process_without_an_environment_has_no_mark() {
        let mut child = Command::new("sleep").arg("600").env_clear().spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert_eq!(mark(pid), None);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(mark(pid), None);
    }
}
