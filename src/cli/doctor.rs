//! `mozart doctor`: whether this machine has what jobs need, each with what to do about it.

#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "cluster")]
mod dashboard;
#[cfg(feature = "cluster")]
mod grants;
#[cfg(feature = "cluster")]
mod operators;

use std::path::PathBuf;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

#[cfg(feature = "cluster")]
use super::kubernetes::KubernetesArguments;
use super::{
    choices::{Form, FormArgument},
    error::Report,
    exit::Exit,
    format, loading,
    printer::Printer,
    terminal::{Look, Tone},
};
use crate::{
    backend::{
        self,
        health::{Health, HealthState},
    },
    job::load::Overrides,
    store::home::Home,
};

/// Less room than this is worth a word: logs of an attempt may take 16 MiB.
const LITTLE_ROOM: u64 = 1 << 30;

/// A clock before this is wrong: this Mozart did not exist. Certificates are refused then, and limits never end.
const THIS_MOZART: &str = "2026-11-01T00:00:00Z";

/// Arguments of `mozart doctor`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart doctor               this machine, and Claude Code\n  \
                         mozart doctor job.yaml      this machine, and what the job's backend needs\n  \
                         mozart doctor -n team-a     a cluster, as far as you may see it")]
pub struct Args {
    /// A job file, whose backend is looked at instead of Claude Code
    file: Option<PathBuf>,
    #[command(flatten)]
    form: FormArgument,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    cluster: KubernetesArguments,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Examination {
    version: &'static str,
    checks: Vec<Health>,
}

/// Looks at everything; nothing costs a token. Exit 2 when something fails.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let mut checks = vec![Health::ok("mozart", env!("CARGO_PKG_VERSION"))];
    #[cfg(feature = "cluster")]
    if args.cluster.is_given() {
        checks.extend(super::runtime()?.block_on(cluster::look(&args.cluster))?);
        return tell(args, checks, printer);
    }
    checks.extend(state_folder());
    checks.push(clock(Timestamp::now(), TimeZone::try_system().map_err(|error| error.to_string())));
    checks.push(notifications());
    let job = match &args.file {
        Some(file) => loading::load_file(file, &Overrides::default(), printer)?,
        None => loading::example()?,
    };
    checks.extend(super::runtime()?.block_on(backend::health_check(&job)));
    tell(args, checks, printer)
}

fn tell(args: &Args, checks: Vec<Health>, printer: &Printer) -> anyhow::Result<Exit> {
    let failed = checks.iter().any(|check| check.state == HealthState::Fail);
    let examination = Examination { version: env!("CARGO_PKG_VERSION"), checks };
    match args.form.get() {
        Form::Json => printer.json(&examination)?,
        Form::Text => {
            for check in &examination.checks {
                printer.line(text(check, &printer.out))?;
            }
        }
    }
    Ok(if failed { Exit::BadInput } else { Exit::Done })
}

/// `✓ Claude Code   2.1.330`, and below it what to do.
fn text(check: &Health, look: &Look) -> String {
    let (mark, tone) = match check.state {
        HealthState::Ok => (look.symbol("✓ ", "ok   "), Tone::Good),
        HealthState::Warn => (look.symbol("! ", "warn "), Tone::Warning),
        HealthState::Fail => (look.symbol("✗ ", "FAIL "), Tone::Bad),
    };
    let line = format!("{}{:<14} {}", look.paint(tone, mark), check.name, check.found);
    match &check.advice {
        Some(advice) => format!("{line}\n  {}", look.paint(Tone::Quiet, advice)),
        None => line,
    }
}

/// Whether state can be kept: a file is really written there.
fn state_folder() -> Vec<Health> {
    let home = match Home::of_environment() {
        Ok(home) => home,
        Err(error) => {
            return vec![Health::fail("state folder", error.to_string(), "export MOZART_HOME=/a/folder")];
        }
    };
    let path = home.path();
    let written =
        std::fs::create_dir_all(path).and_then(|()| tempfile::NamedTempFile::new_in(path).map(drop));
    let shown = path.display();
    if let Err(error) = written {
        let error = Report::of(&error.into()).one_line();
        let advice = "give yourself the right to write there, or set MOZART_HOME to another folder";
        return vec![Health::fail("state folder", format!("{shown}: {error}"), advice)];
    }
    vec![Health::ok("state folder", shown.to_string()), disk(path)]
}

fn disk(path: &std::path::Path) -> Health {
    match nix::sys::statvfs::statvfs(path) {
        Ok(found) => {
            let free = found.blocks_available().saturating_mul(found.fragment_size());
            let words = format!("{} bytes free", format::count(free));
            if free < LITTLE_ROOM {
                Health::warn(
                    "disk",
                    words,
                    "logs and answers are kept there: make room, or set MOZART_HOME elsewhere",
                )
            } else {
                Health::ok("disk", words)
            }
        }
        Err(error) => Health::warn("disk", format!("its free space is unknown: {error}"), "look with df"),
    }
}

fn clock(now: Timestamp, zone: Result<TimeZone, String>) -> Health {
    let born: Timestamp = THIS_MOZART.parse().expect("the constant is a time");
    if now < born {
        return Health::fail("clock", now.to_string(), "set it: TLS and the resets of limits go by it");
    }
    match zone {
        Ok(zone) => Health::ok("clock", format::local(now, &zone)),
        Err(error) => Health::warn("clock", error, "set TZ, or times are shown in UTC"),
    }
}

/// Whether somebody would see a desktop notification.
fn notifications() -> Health {
    match notify_rust::get_server_information() {
        Ok(server) => Health::ok("notifications", server.name),
        Err(_) => Health::warn(
            "notifications",
            "this session has no notification service",
            "jobs with `type: desktop` notify nobody here; use a webhook or slack",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_the_past_fails_and_an_unknown_zone_is_worth_a_word() {
        let now = "2026-11-23T11:53:00Z".parse().unwrap();
        assert_eq!(clock(now, Ok(TimeZone::UTC)), Health::ok("clock", "2026-11-23 11:53:00"));
        assert_eq!(clock(now, Err("no TZ".into())).state, HealthState::Warn);
        assert_eq!(clock(Timestamp::UNIX_EPOCH, Ok(TimeZone::UTC)).state, HealthState::Fail);
    }
}
