//! What the numbers were measured on.

use std::{fs::File, io::Write, path::Path, thread, time::Instant};

use crate::sample::Sample;

/// Cores, system, and what one durable write costs on this disk: every checkpoint pays it.
pub fn description(folder: &Path) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let system = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let fsync = fsync(folder);
    format!(
        "{cores} cores, {} {}, one 4 KiB write with fdatasync: {}, of {}",
        std::env::consts::OS,
        system.trim(),
        fsync.text(),
        fsync.count()
    )
}

fn fsync(folder: &Path) -> Sample {
    let mut file = File::create(folder.join("fsync")).expect("a file on the disk of the build");
    let mut sample = Sample::default();
    for _repeat in 0..200 {
        let since = Instant::now();
        file.write_all(&[0; 4096]).expect("room on the disk");
        file.sync_data().expect("a disk that can be synced");
        sample.push(since.elapsed());
    }
    sample
}
