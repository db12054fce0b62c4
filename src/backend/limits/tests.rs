use jiff::civil::date;
use serde_json::json;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Sunday, in the evening in Berlin.
const NOW: &str = "2026-11-22T20:30:00Z";

fn reset_of(text: &str) -> Option<String> {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    find(text, None, at(NOW), &zone).expect(text).resets_at.map(|moment| moment.to_string())
}

#[test]
fn every_known_text_is_found_by_its_own_example() {
    for known in &LIMIT_TEXTS {
        assert!(Regex::new(known.pattern).unwrap().is_match(known.example), "{}", known.seen_in);
    }
}

#[test]
fn resets_are_read_from_every_form_that_was_ever_printed() {
    let cases = [
        ("Claude AI usage limit reached|1795383376", "2026-11-22T21:36:16Z"),
        (
            "Claude usage limit reached. Your limit will reset at 3pm (America/Bogota).",
            "2026-11-23T20:00:00Z",
        ),
        ("5-hour limit reached · resets 3pm", "2026-11-23T14:00:00Z"),
        ("You're out of extra usage · resets 11:30am (Asia/Colombo)", "2026-11-23T06:00:00Z"),
        ("You've hit your limit · resets 8am (Europe/London)", "2026-11-23T08:00:00Z"),
        ("You've hit your limit · resets Nov 25 at 4pm (America/Recife)", "2026-11-25T19:00:00Z"),
        ("You've hit your session limit · resets 9:45pm", "2026-11-22T20:45:00Z"),
        ("You've hit your 5-hour limit · resets 8:54pm (UTC)", "2026-11-22T20:54:00Z"),
        ("You've hit your weekly limit · resets Mon 12:00am", "2026-11-22T23:00:00Z"),
        ("You've hit your weekly limit · resets Nov 27, 10:02am (UTC)", "2026-11-27T10:02:00Z"),
        ("You've hit your Opus limit · resets 15:00 (UTC)", "2026-11-23T15:00:00Z"),
        ("spend limit reached (daily; resets 2026-11-24 00:00 UTC)", "2026-11-24T00:00:00Z"),
        (
            "You have reached your specified API usage limits. You will regain access on 2026-11-30 at 00:00 UTC.",
            "2026-11-30T00:00:00Z",
        ),
        (
            "You have reached your specified workspace API usage limits. You will regain access on 2026-11-24.",
            "2026-11-23T23:00:00Z",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(reset_of(text).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn a_reset_is_at_most_eight_days_away_and_never_in_the_past() {
    assert_eq!(
        reset_of("spend limit reached (resets 2027-03-01 00:00 UTC)").unwrap(),
        "2026-11-30T20:30:00Z"
    );
    assert_eq!(reset_of("Claude AI usage limit reached|1750708800").unwrap(), NOW);
    assert_eq!(reset_of("You've hit your limit · resets 8:28pm (UTC)").unwrap(), NOW, "it has just passed");
}

#[test]
fn a_limit_without_a_time_that_can_be_read_names_no_reset() {
    for text in [
        "You've hit your limit",
        "You've hit your limit · resets soon",
        "You've hit your limit · resets 3pm (Mars/Olympus)",
        "You've hit your limit · resets 25:00",
        "5-hour limit reached · resets 3",
    ] {
        assert_eq!(reset_of(text), None, "{text}");
    }
}

#[test]
fn a_date_without_its_year_is_the_near_one() {
    let new_year = date(2026, 12, 30).at(10, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
    let told = find("You've hit your weekly limit · resets Jan 2, 9am (UTC)", None, new_year, &TimeZone::UTC);
    assert_eq!(told.unwrap().resets_at.unwrap().to_string(), "2027-01-02T09:00:00Z");
}

#[test]
fn ordinary_texts_name_no_limit() {
    for text in [
        "API Error: Server is temporarily limiting requests (not your usage limit)",
        "API Error: Request rejected (429) · this may be a temporary capacity issue",
        "Prompt is too long",
        "all done",
    ] {
        assert_eq!(find(text, None, at(NOW), &TimeZone::UTC), None, "{text}");
    }
}

#[test]
fn patterns_of_the_job_replace_the_known_texts() {
    let own = [Regex::new("kvóta elfogyott").unwrap()];
    let find = |text| find(text, Some(&own), at(NOW), &TimeZone::UTC);
    assert_eq!(find("kvóta elfogyott"), Some(Told { resets_at: None }));
    assert_eq!(find("You've hit your limit"), None);
}

#[test]
fn machine_times_are_read_in_seconds_milliseconds_and_rfc_3339() {
    for value in [
        json!(1_795_383_376),
        json!(1_795_383_376_000_i64),
        json!("1795383376"),
        json!("2026-11-22T21:36:16Z"),
    ] {
        assert_eq!(moment(&value, at(NOW)).unwrap().to_string(), "2026-11-22T21:36:16Z", "{value}");
    }
    for value in [json!(null), json!(0), json!("soon"), json!(-5)] {
        assert_eq!(moment(&value, at(NOW)), None, "{value}");
    }
}
