//! A run at one moment, as the progress shows it.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    cli::{
        format,
        terminal::{Look, Tone},
    },
    driver::turn::View,
    engine::{summary::Summary, waiting::Waiting, world::AttemptState},
    job::outcome::Usage,
};

/// How many lines a block has, so that the display never jumps.
const HEIGHT: usize = 3;

/// The widest bar, in columns.
const BAR_MAX: usize = 40;

/// A run at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// When this process began to work on it.
    pub since: Timestamp,
    /// The run in numbers.
    pub summary: Summary,
    /// The batches that run now, with which try where it is not the first.
    pub running: Vec<String>,
    /// Why no more is happening than is.
    pub waiting: Option<Waiting>,
}

/// Why no more is happening, with a time in the reader's zone where there is one.
pub fn waiting_line(waiting: &Waiting, now: Timestamp, zone: &TimeZone) -> String {
    let until = |words: &str, at: Timestamp| format!("{words}, until {}", format::until(at, now, zone));
    match waiting {
        Waiting::Limit { cause, until: at, .. } => until(cause, *at),
        Waiting::Pause { until: at } => until("the pause between batches", *at),
        Waiting::Backoff { until: at } => format!("the next try is at {}", format::until(*at, now, zone)),
        Waiting::Window { unfinished, until: at } => {
            until(&format!("{unfinished} batches wait for another try"), *at)
        }
        Waiting::Attention { cause, since } => format!(
            "{cause}, since {}; when you have seen to it: mozart credential resume",
            format::local(*since, zone)
        ),
        other => other.to_string(),
    }
}

/// Whether a person wants to know: not of the state being saved or of the last batches running.
pub fn worth_telling(waiting: &Waiting) -> bool {
    !matches!(waiting, Waiting::Save | Waiting::StaleLook | Waiting::LastRunning { .. })
}

impl Snapshot {
    /// The run as a turn has left it; `since` is when this process began to work on it.
    pub fn of(view: &View<'_>, since: Timestamp) -> Self {
        let running =
            view.world.attempts.iter().filter(|seen| matches!(seen.state, AttemptState::Running { .. }));
        let running = running
            .map(|seen| match seen.key.ordinal {
                1 => seen.key.batch.to_string(),
                ordinal => format!("{} (attempt {ordinal})", seen.key.batch),
            })
            .collect();
        let waiting = view.waiting.filter(|waiting| worth_telling(waiting)).cloned();
        Self { since, summary: *view.summary, running, waiting }
    }

    /// Whether nothing of this run goes on since other runs have all the sessions.
    pub fn waits_for_sessions(&self) -> bool {
        matches!(self.waiting, Some(Waiting::Sessions { .. })) && self.running.is_empty()
    }

    /// The display of [`HEIGHT`] lines, each within the width of `look`.
    pub fn block(&self, look: &Look, now: Timestamp, zone: &TimeZone) -> Vec<String> {
        let lines: [String; HEIGHT] =
            [bar(&self.summary, look), self.totals(look, now), self.present(look, now, zone)];
        let width = look.width.unwrap_or(80).saturating_sub(1);
        lines
            .into_iter()
            .map(|line| console::truncate_str(&line, width, look.symbol("…", "~")).into_owned())
            .collect()
    }

    fn totals(&self, look: &Look, now: Timestamp) -> String {
        let mut parts = vec![format::duration(format::between(self.since, now))];
        if let Some(left) = self.summary.eta {
            parts.push(format!("about {} left", format::duration(left)));
        }
        parts.extend(used(&self.summary.usage, self.summary.expected_micro_usd));
        look.paint(Tone::Quiet, parts.join(look.symbol(" · ", ", ")))
    }

    fn present(&self, look: &Look, now: Timestamp, zone: &TimeZone) -> String {
        match &self.waiting {
            Some(waiting) => {
                look.paint(Tone::Warning, format!("waiting: {}", waiting_line(waiting, now, zone)))
            }
            None if self.running.is_empty() => String::new(),
            None => format!("running: {}", self.running.join(", ")),
        }
    }
}

/// `41/56 done, 1 failed, 3 running, 2 to be retried`: what a line off a terminal says too.
pub fn counts(summary: &Summary) -> String {
    let Summary { total, succeeded, failed, running, waiting, .. } = summary;
    let mut parts = vec![format!("{succeeded}/{total} done")];
    for (number, word) in [(failed, "failed"), (running, "running"), (waiting, "to be retried")] {
        if *number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    parts.join(", ")
}

/// How much is done and how much has failed, as a bar, and in numbers.
pub fn bar(summary: &Summary, look: &Look) -> String {
    let counts = counts(summary);
    let room = look.width.unwrap_or(80).saturating_sub(counts.len() + 4).min(BAR_MAX);
    if room < 8 {
        return counts;
    }
    let Summary { total, succeeded, failed, .. } = *summary;
    let share = |part: u32| (part as usize * room).checked_div(total as usize).unwrap_or(room);
    let (done, ended) = (share(succeeded), share(succeeded + failed));
    let (full, empty) = (look.symbol("━", "#"), look.symbol("─", "-"));
    format!(
        "{}{}{}  {counts}",
        look.paint(Tone::Good, full.repeat(done)),
        look.paint(Tone::Bad, look.symbol("━", "x").repeat(ended - done)),
        look.paint(Tone::Quiet, empty.repeat(room - ended)),
    )
}

/// `$12.34 of about $17.00`, `1.23M tokens`; nothing where nothing was used. `expected` is what all of it costs, in
/// millionths of a dollar.
pub fn used(usage: &Usage, expected: Option<u64>) -> Vec<String> {
    let mut parts = Vec::new();
    if usage.cost_micro_usd > 0 {
        let at_least = if usage.partial { "at least " } else { "" };
        let of = expected.map(|all| format!(" of about {}", format::dollars(all))).unwrap_or_default();
        parts.push(format!("{at_least}{}{of}", format::dollars(usage.cost_micro_usd)));
    }
    if usage.tokens() > 0 {
        parts.push(format!("{} tokens", format::count(usage.tokens())));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { terminal: true, color: false, unicode: true, moves: true, width: Some(80) };

    fn snapshot() -> Snapshot {
        let usage = Usage { input_tokens: 1_234_567, cost_micro_usd: 12_340_000, ..Usage::default() };
        let eta = Some(std::time::Duration::from_secs(270));
        let (total, of_total, succeeded, failed, running, waiting) = (56, 56, 41, 1, 3, 1);
        let expected_micro_usd = Some(16_450_000);
        let pending = 10;
        let summary = Summary {
            total,
            of_total,
            succeeded,
            failed,
            running,
            waiting,
            pending,
            usage,
            expected_micro_usd,
            eta,
        };
        let running = vec!["44".into(), "45 (attempt 2)".into(), "46".into()];
        Snapshot { since: "2026-11-23T11:00:00Z".parse().unwrap(), summary, running, waiting: None }
    }

    fn shown(snapshot: &Snapshot, look: &Look) -> String {
        snapshot.block(look, "2026-11-23T11:53:00Z".parse().unwrap(), &TimeZone::UTC).join("\n")
    }

    #[test]
    fn a_run_shows_its_counts_cost_and_what_runs() {
        insta::assert_snapshot!(shown(&snapshot(), &LOOK));
    }

    #[test]
    fn a_wait_says_why_and_until_when() {
        let until = "2026-11-23T14:00:00Z".parse().unwrap();
        let waiting = Waiting::Limit { cause: "plan limit (five_hour)".into(), until, since: None };
        insta::assert_snapshot!(shown(&Snapshot { waiting: Some(waiting), ..snapshot() }, &LOOK));
    }

    #[test]
    fn a_narrow_ascii_terminal_has_as_many_lines() {
        let narrow = Look { unicode: false, width: Some(40), ..LOOK };
        let shown = shown(&snapshot(), &narrow);
        assert_eq!(shown.lines().count(), HEIGHT);
        assert!(shown.is_ascii() && shown.lines().all(|line| line.len() < 40), "{shown}");
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn the_bar_is_full_when_all_is_done_and_there_may_be_nothing_to_do() {
        let done = Summary { total: 56, succeeded: 56, ..Summary::default() };
        let done = Snapshot { summary: done, running: vec![], ..snapshot() };
        assert!(shown(&done, &LOOK).starts_with(&"━".repeat(BAR_MAX)));
        let empty = Snapshot { summary: Summary::default(), ..done };
        assert!(shown(&empty, &LOOK).contains("0/0 done"));
    }
}
