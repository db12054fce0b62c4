//! How much memory a process has taken at most, while it runs.

use std::fs;

/// The most resident memory of a process so far, in KiB; 0 when it has ended, and where the system has no `/proc`.
pub fn of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    kibibytes(&status, "VmHWM:")
}

/// The same of its children, in all.
pub fn of_children(pid: u32) -> u64 {
    children(pid).into_iter().map(of).sum()
}

/// What a process and its children take now, in KiB: of a page that several of them have, each counts its share
/// (`Pss` of `proc_pid_smaps_rollup(5)`). A child that has not become a program of its own yet is still its parent.
pub fn shared_once(pid: u32) -> u64 {
    let share = |pid: &u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        kibibytes(&rollup, "Pss:")
    };
    let command = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let parent = command(&pid);
    let others = children(pid).into_iter().filter(|child| command(child) != parent);
    share(&pid) + others.map(|child| share(&child)).sum::<u64>()
}

fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

fn kibibytes(table: &str, name: &str) -> u64 {
    let line = table.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}

/// Of so many KiB.
pub fn megabytes(kibibytes: u64) -> f64 {
    f64::from(u32::try_from(kibibytes).unwrap_or(u32::MAX)) * 1024.0 / 1_000_000.0
}
