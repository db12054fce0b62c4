//! The texts by which Claude Code and the service name a limit and its reset. Used only for errors, never for answers.

use std::sync::LazyLock;

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};
use regex::{Captures, Regex};

/// No reset is believed to be further away.
const FURTHEST: SignedDuration = SignedDuration::from_hours(8 * 24);

/// A time that is named without its seconds and so much in the past has just passed, it is not tomorrow's.
const JUST_PASSED: SignedDuration = SignedDuration::from_mins(5);

/// A known text.
struct LimitText {
    /// The versions that say it, for who adds the next one.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by people and by the test of the table"))]
    seen_in: &'static str,
    /// A real example.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by people and by the test of the table"))]
    example: &'static str,
    pattern: &'static str,
}

/// Oldest first.
const LIMIT_TEXTS: [LimitText; 7] = [
    LimitText {
        seen_in: "Claude Code 1.0 to 2.0",
        example: "Claude AI usage limit reached|1750708800",
        pattern: r"(?i)usage limit reached",
    },
    LimitText {
        seen_in: "Claude Code 1.0 to 2.1",
        example: "5-hour limit reached · resets 3pm",
        pattern: r"(?i)\b(?:\d+-hour|session|weekly|daily) limit reached",
    },
    LimitText {
        seen_in: "Claude Code 2.0 to 2.1",
        example: "You're out of extra usage · resets 11:30am (Asia/Colombo)",
        pattern: r"(?i)out of extra usage",
    },
    LimitText {
        seen_in: "Claude Code 2.1",
        example: "You've hit your weekly limit · resets Nov 27, 10:02am (UTC)",
        pattern: r"(?i)hit your (?:[\w-]+ ){0,3}limit",
    },
    LimitText {
        seen_in: "gateways, 2026",
        example: "spend limit reached (daily; resets 2026-08-09 00:00 UTC)",
        pattern: r"(?i)spend limit reached",
    },
    LimitText {
        seen_in: "Messages API, 2025",
        example: "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
        pattern: r"(?i)reached your specified (?:\w+ )?API usage limits",
    },
    LimitText {
        seen_in: "Messages API, 2026",
        example: "Your organization has reached its monthly spend limit. Access returns on 2026-12-01.",
        pattern: r"(?i)monthly (?:spend|usage) limit",
    },
];

/// What a text says about a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// When it is over, if the text names it. At most 8 days away, never before `now`.
    pub(super) resets_at: Option<Timestamp>,
}

/// The limit that `text` names; `None` if it names none. A time of day without a zone is one of `zone`; `now` is when it
/// was said. `patterns` are the job's own, instead of the known texts.
pub(super) fn find(text: &str, patterns: Option<&[Regex]>, now: Timestamp, zone: &TimeZone) -> Option<Told> {
    static KNOWN: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let compile = |known: &LimitText| Regex::new(known.pattern).expect("the table's patterns are valid");
        LIMIT_TEXTS.iter().map(compile).collect()
    });
    let known = patterns.unwrap_or(&KNOWN);
    known.iter().any(|pattern| pattern.is_match(text)).then(|| Told { resets_at: reset(text, now, zone) })
}

/// A moment as machines write it: seconds or milliseconds since 1970, or RFC 3339. At most 8 days after `now`.
pub(super) fn moment(value: &serde_json::Value, now: Timestamp) -> Option<Timestamp> {
    let moment = match value {
        serde_json::Value::Number(number) => epoch(number.as_i64()?)?,
        serde_json::Value::String(text) => match text.parse() {
            Ok(number) => epoch(number)?,
            Err(_) => text.parse().ok()?,
        },
        _ => return None,
    };
    Some(clamp(moment, now))
}

fn epoch(number: i64) -> Option<Timestamp> {
    // Seconds pass this in the year 5138, milliseconds have passed it in 1973.
    const FIRST_MILLISECONDS: i64 = 100_000_000_000;
    if number <= 0 {
        None
    } else if number < FIRST_MILLISECONDS {
        Timestamp::from_second(number).ok()
    } else {
        Timestamp::from_millisecond(number).ok()
    }
}

/// No reset is before `now`, nor believed to be more than 8 days after it.
pub(super) fn clamp(moment: Timestamp, now: Timestamp) -> Timestamp {
    moment.clamp(now, now + FURTHEST)
}

fn reset(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    static EPOCH_BAR: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\|(\d{9,13})\b").expect("a valid pattern"));
    static RESET: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?xi)
            \b (?: resets? (?:\s+ (?:at|on))? | regain \s access \s on | access \s returns \s on ) \s+
            (?:
                (?<year>\d{4}) - (?<month>\d\d) - (?<day>\d\d) (?: (?:\s+at)? [\sT]+ (?<iso>\d\d:\d\d) (?: :\d\d)? )?
              |
                (?: (?<weekday>mon|tue|wed|thu|fri|sat|sun)[a-z]* ,? \s+ (?:at\s+)? )?
                (?: (?<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \s+ (?<monthday>\d{1,2})
                    (?: , \s+ (?<nameyear>\d{4}) )? ,? \s+ (?:at\s+)? )?
                (?<hour>\d{1,2}) (?: : (?<minute>\d\d) )? \s* (?<half>[ap]m)?
            )
            \s* (?: \( (?<zone>[A-Za-z0-9_+\-/]+) \) | (?<utc>UTC|GMT|Z) \b )?",
        )
        .expect("a valid pattern")
    });

    if let Some(bar) = EPOCH_BAR.captures(text) {
        return epoch(bar[1].parse().ok()?).map(|moment| clamp(moment, now));
    }
    let found = RESET.captures(text)?;
    let zone = match (found.name("zone"), found.name("utc")) {
        (Some(name), _) => TimeZone::get(name.as_str()).ok()?,
        (None, Some(_)) => TimeZone::UTC,
        (None, None) => zone.clone(),
    };
    let moment = if found.name("year").is_some() {
        let time = found.name("iso").map_or(Some(Time::midnight()), |time| time.as_str().parse().ok())?;
        let date =
            Date::new(number(&found, "year")?, number(&found, "month")?, number(&found, "day")?).ok()?;
        date.to_datetime(time).to_zoned(zone).ok()?.timestamp()
    } else {
        named(&found, now, &zone)?
    };
    Some(clamp(moment, now))
}

/// The next moment that a time of day, with or without a weekday or a date, can mean.
fn named(found: &Captures<'_>, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let hour: i8 = number(found, "hour")?;
    let hour = match found.name("half").map(|half| half.as_str().to_ascii_lowercase()) {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + if half == "pm" { 12 } else { 0 },
        Some(_) => return None,
        // A bare "resets 3" is not understood as a time.
        None if found.name("minute").is_none() => return None,
        None => hour,
    };
    let minute = if found.name("minute").is_some() { number(found, "minute")? } else { 0 };
    let time = Time::new(hour, minute, 0, 0).ok()?;
    let local = (now - JUST_PASSED).to_zoned(zone.clone()).datetime();
    let at = |date: Date| date.to_datetime(time);

    let next: DateTime = if let Some(month) = found.name("name") {
        let month = 1 + MONTHS.iter().position(|name| month.as_str().eq_ignore_ascii_case(name))?;
        let month = i8::try_from(month).ok()?;
        let day = number(found, "monthday")?;
        if found.name("nameyear").is_some() {
            at(Date::new(number(found, "nameyear")?, month, day).ok()?)
        } else {
            let this_year = at(Date::new(local.year(), month, day).ok()?);
            // A date without its year is near: in November, "Jan 2" is the next one, and "Nov 3" has passed.
            if this_year < local.checked_sub(180.days()).ok()? {
                at(Date::new(local.year() + 1, month, day).ok()?)
            } else {
                this_year
            }
        }
    } else if let Some(day) = found.name("weekday") {
        let weekday = WEEKDAYS.iter().find(|(name, _)| day.as_str().eq_ignore_ascii_case(name))?.1;
        let today = at(local.date());
        if local.weekday() == weekday && today >= local {
            today
        } else {
            at(local.date().nth_weekday(1, weekday).ok()?)
        }
    } else {
        let today = at(local.date());
        if today >= local { today } else { at(local.date().tomorrow().ok()?) }
    };
    Some(next.to_zoned(zone.clone()).ok()?.timestamp())
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

fn number<T: std::str::FromStr>(found: &Captures<'_>, group: &str) -> Option<T> {
    found.name(group)?.as_str().parse().ok()
}

#[cfg(test)]
mod tests;
