//! Numbers, durations and times as people read them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// `45s`, `3m05s`, `2h07m`, `3d04h`: two units are enough.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if seconds < 60 {
        format!("{seconds}s")
    } else if minutes < 60 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else if hours < 24 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{days}d{:02}h", hours % 24)
    }
}

/// From `from` to `to`; nothing when `to` is earlier.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).max(SignedDuration::ZERO).unsigned_abs()
}

/// `2 minutes ago` in short: `2m05s ago`.
pub fn ago(time: Timestamp, now: Timestamp) -> String {
    format!("{} ago", duration(between(time, now)))
}

/// A time to come, local and in how long: `14:00 (in 2h07m)`, with the day when it is not today.
pub fn until(time: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (then, today) = (time.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let pattern = match then.date() == today.date() {
        true => "%H:%M",
        false if between(now, time) < Duration::from_hours(6 * 24) => "%a %H:%M",
        false => "%Y-%m-%d %H:%M",
    };
    format!("{} (in {})", then.strftime(pattern), duration(between(now, time)))
}

/// A local time to the second: `2026-11-23 14:00:05`.
pub fn local(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A local time of day: `14:00:05`.
pub fn clock(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// `950`, `12.3k`, `4.56M`.
pub fn count(number: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = number as f64;
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.1}k", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2}M", value / 1e6),
        _ => format!("{:.2}G", value / 1e9),
    }
}

/// `$12.34`, `$0.0042`: cents, and more places only where cents say nothing.
pub fn dollars(micro_usd: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
    let value = micro_usd as f64 / 1e6;
    if micro_usd == 0 || micro_usd >= 100_000 { format!("${value:.2}") } else { format!("${value:.4}") }
}

/// `1 batch`, `2 batches`.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (185, "3m05s"), (7_620, "2h07m"), (273_600, "3d04h")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_time_to_come_says_the_day_only_when_it_is_another() {
        let now: Timestamp = "2026-11-23T11:53:00Z".parse().unwrap();
        let table = [
            ("2026-11-23T14:00:00Z", "14:00 (in 2h07m)"),
            ("2026-11-24T10:02:00Z", "Tue 10:02 (in 22h09m)"),
            ("2026-12-04T10:02:00Z", "2026-12-04 10:02 (in 10d22h)"),
            ("2026-11-23T11:00:00Z", "11:00 (in 0s)"),
        ];
        for (time, expected) in table {
            assert_eq!(until(time.parse().unwrap(), now, &TimeZone::UTC), expected);
        }
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([count(950), count(12_345), count(4_560_000)], ["950", "12.3k", "4.56M"]);
        assert_eq!([dollars(0), dollars(4_200), dollars(12_340_000)], ["$0.00", "$0.0042", "$12.34"]);
    }
}
