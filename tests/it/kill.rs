//! `kill -9` of a run at random moments: what the job's own program saw, not what Mozart says of itself.
//!
//! `MOZART_TEST_KILLS` says how many kills (10 unless it is set), `MOZART_TEST_SEED` repeats a choice of moments.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::Sandbox;

const BATCHES: u32 = 200;
const PARALLELISM: u32 = 4;
/// About what the program below takes.
const ATTEMPT: Duration = Duration::from_millis(100);
/// Nothing that is waited for takes nearly as long.
const PATIENCE: Duration = Duration::from_mins(1);

/// One line when it starts and one when it ends, appended whole; between them a child in a session of its own and one
/// whose parent has gone, both of which outlive it.
const PROGRAM: &str = r#"
echo "start $MOZART_BATCH_NUM" >> "$LEDGER"
setsid sleep 600 </dev/null >/dev/null 2>&1 &
( setsid sleep 600 </dev/null >/dev/null 2>&1 & )
sleep 0.0$((RANDOM % 5 + 5))
echo "end $MOZART_BATCH_NUM" >> "$LEDGER"
"#;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Start(u32),
    End(u32),
}

/// What the program wrote.
struct Ledger {
    path: PathBuf,
}

impl Ledger {
    fn lines(&self) -> Vec<Line> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let line = |line: &str| match line.split_once(' ').expect("two words") {
            ("start", batch) => Line::Start(batch.parse().unwrap()),
            ("end", batch) => Line::End(batch.parse().unwrap()),
            _ => panic!("{line}"),
        };
        text.lines().map(line).collect()
    }

    fn starts(&self) -> usize {
        self.lines().iter().filter(|line| matches!(line, Line::Start(_))).count()
    }

    fn ended(&self) -> u32 {
        let ended = |line| match line {
            Line::End(batch) => Some(batch),
            Line::Start(_) => None,
        };
        u32::try_from(self.lines().into_iter().filter_map(ended).collect::<BTreeSet<_>>().len()).unwrap()
    }

    fn in_flight(&self) -> usize {
        let lines = self.lines();
        let ends = lines.iter().filter(|line| matches!(line, Line::End(_))).count();
        lines.len() - 2 * ends
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A job whose program writes the ledger.
struct Job {
    sandbox: Sandbox,
    ledger: Ledger,
}

impl Job {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let program = sandbox.write("program.sh", PROGRAM);
        let job = format!(
            "name: kill-test\nbackend:\n  type: command\n  command: [bash, {}]\n\
             batch: {{size: 1, total_items: {BATCHES}, parallelism: {PARALLELISM}}}\n\
             prompt: {{template: \"batch {{{{ batch_num }}}}\"}}\n",
            program.display()
        );
        sandbox.write("job.yaml", &job);
        let ledger = Ledger { path: sandbox.path().join("ledger") };
        Self { sandbox, ledger }
    }

    /// `local-run` until something of the job has started, `resume` from then on.
    fn start(&self) -> Child {
        let mut command = match self.ledger.starts() {
            0 => self.sandbox.mozart(["local-run", "job.yaml"]),
            _ => self.sandbox.mozart(["resume", "kill-test"]),
        };
        let log = |name: &str| {
            let path = self.sandbox.path().join(name);
            fs::File::options().append(true).create(true).open(path).unwrap()
        };
        command
            .env("LEDGER", &self.ledger.path)
            .stdout(Stdio::from(log("out")))
            .stderr(Stdio::from(log("err")));
        command.spawn().unwrap()
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.sandbox.path().join(name)).unwrap_or_default()
    }
}

/// What one job went through.
#[derive(Default)]
struct Story {
    kills: u32,
    in_flight_at_kills: usize,
    /// From the start of `resume` to the first line that the program wrote.
    first_actions: Vec<Duration>,
}

/// Runs one job to its end with up to `kills` kills.
fn run_with_kills(kills: u32, random: &mut fastrand::Rng) -> (Job, Story) {
    let job = Job::new();
    let mut story = Story::default();
    for session in 0.. {
        let starts = job.ledger.starts();
        let mut mozart = job.start();
        let since = Instant::now();
        if story.kills == kills {
            let status = mozart.wait().unwrap();
            assert!(status.success(), "{status}: {}", job.said("err"));
            return (job, story);
        }
        // Every fifth time what was in flight has ended while nobody looked, so that the next start is Mozart's own.
        let idle = session > 0 && session % 5 == 0;
        if idle && job.ledger.ended() < BATCHES {
            wait_for("the first action", || {
                job.ledger.starts() > starts || mozart.try_wait().unwrap().is_some()
            });
            story.first_actions.push(since.elapsed());
        }
        // The kills are spread over what is left of the job.
        let left = ATTEMPT * (BATCHES - job.ledger.ended()) / PARALLELISM / (kills - story.kills);
        thread::sleep((left * 2).mul_f64(random.f64()));
        if let Some(status) = mozart.try_wait().unwrap() {
            assert!(status.success(), "{status}: {}", job.said("err"));
            return (job, story);
        }
        mozart.kill().unwrap();
        mozart.wait().unwrap();
        story.kills += 1;
        story.in_flight_at_kills += job.ledger.in_flight();
        if (session + 1) % 5 == 0 {
            wait_for("what was in flight ends by itself", || job.ledger.in_flight() == 0);
        }
    }
    unreachable!("the loop ends with the job")
}

/// Returns how many starts were more than one a batch.
fn check(job: &Job, story: &Story) -> u32 {
    let mut starts: BTreeMap<u32, u32> = BTreeMap::new();
    let mut ended: BTreeSet<u32> = BTreeSet::new();
    for line in job.ledger.lines() {
        match line {
            Line::Start(batch) => {
                assert!(!ended.contains(&batch), "batch {batch} was started after it had ended well");
                *starts.entry(batch).or_default() += 1;
            }
            Line::End(batch) => assert!(ended.insert(batch), "batch {batch} ended well twice"),
        }
    }
    assert_eq!(ended, (1..=BATCHES).collect(), "every batch ends well");
    let extra = starts.values().sum::<u32>() - BATCHES;
    assert!(
        usize::try_from(extra).unwrap() <= story.in_flight_at_kills,
        "{extra} extra starts, {} attempts were in flight at the kills",
        story.in_flight_at_kills
    );
    let status = job.sandbox.json(["status", "kill-test"]);
    assert_eq!(status["run"]["succeeded"], BATCHES, "{status}");
    assert_eq!(status["run"]["failed"], 0, "{status}");
    wait_for("no process is left", || job.sandbox.processes().is_empty());
    extra
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

#[test]
fn a_killed_run_goes_on_and_every_batch_ends_exactly_once() {
    let wanted = u32::try_from(setting("MOZART_TEST_KILLS").unwrap_or(10)).unwrap();
    let seed = setting("MOZART_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("MOZART_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    let mut first_actions = Vec::new();
    while kills < wanted {
        let (job, story) = run_with_kills(wanted - kills, &mut random);
        let extra = check(&job, &story);
        println!(
            "{} kills, {} in flight at them, {extra} extra starts",
            story.kills, story.in_flight_at_kills
        );
        kills += story.kills;
        first_actions.extend(story.first_actions);
    }
    first_actions.sort();
    if let [.., longest] = first_actions.as_slice() {
        let median = first_actions[first_actions.len() / 2];
        println!(
            "from `resume` to the first start: median {median:?}, longest {longest:?}, of {}",
            first_actions.len()
        );
    }
}
