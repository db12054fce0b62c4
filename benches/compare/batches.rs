//! Many batches of a program that takes no time: what is left is Mozart's own cost.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    peak::{self, megabytes},
    report::Report,
    sample::{Sample, in_turn, time},
};

const REPEATS: usize = 5;
const LONG_REPEATS: usize = 3;
const LONG: u64 = 10_000;
/// Every prompt of the long job has this many bytes, so that the size of the file says how many batches have run.
const LINE_BYTES: u64 = 7;

/// A folder that no other run has used, with a job file in it. It stays until everything is measured: for minutes after
/// thousands of files were deleted ext4 makes new ones up to ten times slower, since it steps over their inodes.
fn fresh(folder: &Path, job: &str) -> PathBuf {
    let folder = tempfile::tempdir_in(folder).expect("room on the disk").keep();
    fs::write(folder.join("job.yaml"), job).expect("room on the disk");
    folder
}

fn run(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mozart"));
    command.args(["local-run", "job.yaml"]).current_dir(folder).env("MOZART_HOME", folder.join("home"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// 1,000 times the same program, with checkpoints that survive a loss of power on one side.
pub fn against_xargs(report: &Report, folder: &Path) {
    let words = folder.join("words");
    fs::write(&words, "word\n".repeat(1000)).expect("room on the disk");
    for parallelism in [1, 8] {
        let job = format!(
            "name: instant\nbackend: {{type: command, command: [\"true\"]}}\nprompt: {{template: batch}}\n\
             batch: {{size: 1, total_items: 1000, parallelism: {parallelism}}}\n"
        );
        let mozart = || {
            let folder = fresh(folder, &job);
            time(&mut run(&folder))
        };
        let xargs = || {
            let words = fs::File::open(&words).expect("it was written");
            time(Command::new("xargs").args(["-n1", &format!("-P{parallelism}"), "true"]).stdin(words))
        };
        let (own, peers) = in_turn(REPEATS, mozart, xargs);
        let what = format!("1,000 instant batches, parallelism {parallelism}");
        report.compare(&what, &own, &format!("xargs -n1 -P{parallelism} true"), &peers, 1.5);
    }
}

/// Whether a batch costs the same at the end of a long job as at its beginning, and how much memory it takes.
pub fn first_and_last_thousand(report: &Report, folder: &Path) {
    let (mut first, mut last) = (Sample::default(), Sample::default());
    let mut peak = Peak::default();
    for _repeat in 0..LONG_REPEATS {
        let ran = long_run(folder);
        first.push(ran.first);
        last.push(ran.last);
        peak = Peak {
            mozart: peak.mozart.max(ran.peak.mozart),
            keeper: peak.keeper.max(ran.peak.keeper),
            together: peak.together.max(ran.peak.together),
        };
    }
    report.compare("10,000 batches: the last thousand", &last, "the first thousand", &first, 1.1);
    let text = format!(
        "{:.1} MB; {:.1} MB resident, and {:.1} MB of its keeper, with the program's pages in both",
        megabytes(peak.together),
        megabytes(peak.mozart),
        megabytes(peak.keeper),
    );
    let kept = megabytes(peak.together) < 30.0;
    report.bound("10,000 batches: peak memory", &text, "", "less than 30 MB together", kept);
}

struct LongRun {
    first: Duration,
    last: Duration,
    peak: Peak,
}

/// The most memory, in KiB.
#[derive(Clone, Copy, Default)]
struct Peak {
    mozart: u64,
    keeper: u64,
    /// Pages that both have, as those of the program, once.
    together: u64,
}

fn long_run(folder: &Path) -> LongRun {
    let job = format!(
        "name: long\nbackend: {{type: command, command: [tee, -a, ran]}}\n\
         prompt: {{template: \"{{{{ '%07d' | format(batch_num) }}}}\"}}\n\
         batch: {{size: 1, total_items: {LONG}, parallelism: 8}}\n"
    );
    let folder = fresh(folder, &job);
    let ran = folder.join("workspace/ran");
    let mut mozart = run(&folder).spawn().expect("the program that was built");
    let mut reached = |lines: u64, peak: &mut Peak| {
        while fs::metadata(&ran).map_or(0, |file| file.len()) < lines * LINE_BYTES {
            assert!(
                mozart.try_wait().expect("our own child").is_none(),
                "the run ended before batch {lines}"
            );
            peak.look(mozart.id());
            thread::sleep(Duration::from_millis(1));
        }
        Instant::now()
    };
    let mut peak = Peak::default();
    let marks = [1, 1000, LONG - 1000, LONG - 1].map(|lines| reached(lines, &mut peak));
    let status = mozart.wait().expect("our own child");
    assert!(status.success(), "{status}");
    LongRun { first: marks[1] - marks[0], last: marks[3] - marks[2], peak }
}

impl Peak {
    /// Looks at a running Mozart and at the child that keeps its attempts. Each tells its own most so far; a child that
    /// has not yet become the keeper still tells that of Mozart, so that only its last word counts.
    fn look(&mut self, pid: u32) {
        let last_word = |known: u64, seen: u64| if seen == 0 { known } else { seen };
        self.mozart = last_word(self.mozart, peak::of(pid));
        self.keeper = last_word(self.keeper, peak::of_children(pid));
        self.together = self.together.max(peak::shared_once(pid));
    }
}
