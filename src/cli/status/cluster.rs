//! Where the last run of a job of a cluster stands, as its status says it.

use jiff::{Timestamp, tz::TimeZone};
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::Value;

use crate::{
    api::status::{MozartJobStatus, Phase, Truth},
    cli::{
        choices::ObjectForm,
        format,
        kubernetes::{
            KubernetesArguments,
            job::{self, condition, named, pruned},
        },
        printer::Printer,
        terminal::{Look, Tone},
    },
};

/// Shows it.
pub async fn show(
    job: Option<&str>,
    form: ObjectForm,
    cluster: &KubernetesArguments,
    printer: &Printer,
) -> anyhow::Result<()> {
    let (place, name) = named(job, cluster).await?;
    let found = pruned(place.job(name).await?);
    match form {
        ObjectForm::Json => printer.json(&found)?,
        ObjectForm::Yaml => printer.yaml(&found)?,
        ObjectForm::Name => printer.line(format!("mozartjob.mozart.dev/{}", found.name_any()))?,
        ObjectForm::Text | ObjectForm::Wide => {
            let wide = form == ObjectForm::Wide;
            let lines = lines(&found, wide, &printer.out, Timestamp::now(), &TimeZone::system());
            printer.line(lines.join("\n"))?;
            for step in next_steps(&found, cluster) {
                printer.hint(step);
            }
        }
    }
    Ok(())
}

/// The job for people, conditions included where much is wanted.
fn lines(job: &DynamicObject, wide: bool, look: &Look, now: Timestamp, zone: &TimeZone) -> Vec<String> {
    let status = job::status(job);
    let (word, tone) = job::phase(status.phase);
    let name = format!("{}/{}", job.namespace().unwrap_or_default(), job.name_any());
    let mut lines = vec![format!("{}  {}", look.paint(Tone::Strong, name), look.paint(tone, word))];
    let mut field = |name: &str, value: String| {
        lines.push(format!("  {} {value}", look.paint(Tone::Quiet, format!("{name:<9}"))));
    };
    let time = |text: &Option<String>| {
        let at: Option<Timestamp> = text.as_ref().and_then(|text| text.parse().ok());
        at.map(|at| format::local(at, zone))
    };
    if let Some(run) = status.active_run.or(status.last_run.as_ref().map(|run| run.number)) {
        field("run", run.to_string());
    }
    if let Some(counts) = counts(&status) {
        field("batches", counts);
    }
    for why in why(&status) {
        field("why", why);
    }
    if let Some(waiting) = &status.waiting {
        field("waiting", waiting.clone());
    }
    let mut took: Vec<String> = status.duration.iter().cloned().collect();
    took.extend(used(&status));
    if !took.is_empty() {
        field("took", took.join(look.symbol(" · ", ", ")));
    }
    if let Some(started) = time(&status.start_time) {
        field("started", started);
    }
    if let Some(ended) = time(&status.completion_time) {
        field("ended", ended);
    }
    lines.extend(open(&status, now, zone));
    if wide {
        for one in &status.conditions {
            let since =
                one.last_transition_time.parse().map(|at| format::local(at, zone)).unwrap_or_default();
            let (kind, is) = (format!("{:<14}", one.kind), format!("{:?}", one.status));
            let words = format!("{is:<7} {:<16} since {since}  {}", one.reason, one.message);
            lines.push(format!("  {} {}", look.paint(Tone::Name, kind), words.trim_end()));
        }
    }
    lines
}

/// `41/56 done, 1 failed, 3 running, 1 to be retried, 10 to do`.
pub fn counts(status: &MozartJobStatus) -> Option<String> {
    let batches = status.batches.as_ref()?;
    let of = if batches.of_total == batches.total {
        String::new()
    } else {
        format!(" of the job's {}", batches.of_total)
    };
    let mut parts = vec![format!("{}/{} done{of}", batches.succeeded, batches.total)];
    for (number, word) in [
        (batches.failed, "failed"),
        (batches.running, "running"),
        (batches.waiting, "to be retried"),
        (batches.pending, "to do"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    Some(parts.join(", "))
}

/// `$12.34`, `1.23M tokens`.
pub fn used(status: &MozartJobStatus) -> Vec<String> {
    let cost = status.usage.as_ref().and_then(|usage| usage.cost_usd.as_ref());
    let cost =
        cost.filter(|cost| cost.parse().is_ok_and(|cost: f64| cost > 0.0)).map(|cost| format!("${cost}"));
    let tokens =
        status.tokens.as_ref().filter(|tokens| *tokens != "0").map(|tokens| format!("{tokens} tokens"));
    cost.into_iter().chain(tokens).collect()
}

/// What is wrong with it, in the operator's own words.
pub fn why(status: &MozartJobStatus) -> Vec<String> {
    let wrong = [("Valid", Truth::False), ("Failed", Truth::True), ("NeedsAttention", Truth::True)];
    let found = wrong.into_iter().filter_map(|(kind, is)| condition(status, kind, is));
    // What a failed batch was is said by the counts.
    let found = found.filter(|one| one.reason != "BatchesFailed");
    found.map(|one| format!("{}: {}", one.reason, one.message)).collect()
}

/// Batches that have failed at least once and are tried again.
fn open(status: &MozartJobStatus, now: Timestamp, zone: &TimeZone) -> Vec<String> {
    let checkpoint = status.checkpoint.as_ref();
    let entries = checkpoint.and_then(|ledger| ledger["open"].as_array()).into_iter().flatten();
    let line = |entry: &Value| {
        let until: Option<Timestamp> = entry["until"].as_str().and_then(|until| until.parse().ok());
        let when = until
            .filter(|until| *until > now)
            .map(|until| format!(", again at {}", format::until(until, now, zone)));
        let attempt = entry["attempt"].as_u64().or(entry["ordinal"].as_u64())?;
        Some(format!("  batch {} attempt {attempt}{}", entry["batch"].as_u64()?, when.unwrap_or_default()))
    };
    entries.filter_map(line).collect()
}

/// What to type next, by where the job stands.
pub fn next_steps(job: &DynamicObject, cluster: &KubernetesArguments) -> Vec<String> {
    let (name, status) = (job.name_any(), job::status(job));
    let failed = status.batches.as_ref().is_some_and(|batches| batches.failed > 0);
    let step = |words: String, what: &str| format!("{}    {what}", cluster.typed(&words));
    match status.phase {
        Some(Phase::Failed) if failed => vec![
            step(format!("logs {name} --failed"), "what they wrote"),
            step(format!("retry {name} --failed"), "run them again"),
        ],
        Some(Phase::Failed) => vec![step(format!("resume {name}"), "run the unfinished ones")],
        Some(Phase::Suspended) => vec![step(format!("resume {name}"), "go on")],
        None => vec![step("doctor".to_owned(), "whether an operator is there")],
        Some(Phase::Pending | Phase::Running | Phase::Waiting | Phase::Stopping | Phase::Complete) => {
            Vec::new()
        }
    }
}
