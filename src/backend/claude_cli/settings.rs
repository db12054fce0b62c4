//! The settings file of an attempt: Mozart's own over those that the job passes on.
//!
//! Of several `--settings` Claude Code reads only the last one, so the job's must be a part of Mozart's: else a setting
//! passed on would bring back every hook and variable that was taken away.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

use super::wallet::{API_KEY, AUTH_TOKEN, CLOUDS};
use crate::job::model::ClaudeCli;

/// The option whose value is merged instead of passed on.
const OPTION: &str = "--settings";

/// The arguments that the job passes on, without its settings.
pub(super) fn arguments_without(settings: &ClaudeCli) -> Vec<String> {
    split(&settings.extra_args).0
}

/// Claude Code looks at its budget when a sub-agent's message has passed its main loop; a tool that is quicker than that
/// lets the sub-agent ask once more. The hook holds back the tools of sub-agents, which alone have an `agent_id`.
const PACE: &str = r#"if grep -q '"agent_id":"'; then sleep 0.3; fi"#;

/// Mozart's settings over those that the job passes on, as JSON. `own` are variables that are `1`: settings beat the
/// environment. `paced` keeps sub-agents within a turn of the budget; it needs hooks, so that where hooks of the person's
/// own could come with it and are not wanted, it is left out.
///
/// # Errors
/// With a sentence: the job's settings cannot be read, or would pay another way than `backend.auth` says.
pub(super) fn merged(settings: &ClaudeCli, own: &[&str], paced: bool) -> Result<Value, String> {
    let mut merged = Map::new();
    for written in split(&settings.extra_args).1 {
        merged.extend(read(&written, &settings.working_directory)?);
    }
    let mut variables = match merged.remove("env") {
        Some(Value::Object(variables)) => variables,
        _ => Map::new(),
    };
    let pays = [API_KEY, AUTH_TOKEN].into_iter().chain(CLOUDS).find(|name| variables.contains_key(*name));
    if let Some(name) = pays.or_else(|| merged.contains_key("apiKeyHelper").then_some("apiKeyHelper")) {
        return Err(format!(
            "the {OPTION} of backend.extraArgs bring another way to pay ({name}): write backend.auth and \
             backend.apiKeyEnv instead"
        ));
    }
    variables.extend(own.iter().map(|&name| (name.to_owned(), json!("1"))));
    merged.insert("env".to_owned(), Value::Object(variables));
    if !settings.hooks {
        merged.remove("hooks");
        let others_come = !settings.setting_sources.is_empty();
        merged.insert("disableAllHooks".to_owned(), json!(others_come || !paced));
    }
    if paced {
        add_pace(&mut merged);
    }
    Ok(Value::Object(merged))
}

fn add_pace(merged: &mut Map<String, Value>) {
    let pace = json!({ "hooks": [{ "type": "command", "command": PACE }] });
    let hooks = merged.entry("hooks").or_insert_with(|| json!({}));
    // What is of another shape is Claude Code's to refuse.
    let Value::Object(hooks) = hooks else { return };
    if let Value::Array(before_tools) = hooks.entry("PreToolUse").or_insert_with(|| json!([])) {
        before_tools.push(pace);
    }
}

/// The arguments, and the values of the settings among them.
fn split(arguments: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut others, mut values) = (Vec::new(), Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix(OPTION) {
            Some("") => values.extend(arguments.next().cloned()),
            Some(rest) if rest.starts_with('=') => values.push(rest[1..].to_owned()),
            _ => others.push(argument.clone()),
        }
    }
    (others, values)
}

/// A JSON object, or a file with one.
fn read(written: &str, folder: &Path) -> Result<Map<String, Value>, String> {
    let named = |problem: String| format!("the {OPTION} of backend.extraArgs cannot be used: {problem}");
    let text = if written.trim_start().starts_with('{') {
        written.to_owned()
    } else {
        let path = folder.join(written);
        fs::read_to_string(&path).map_err(|error| named(format!("{}: {error}", path.display())))?
    };
    serde_json::from_str(&text).map_err(|error| named(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::claude_cli::wallet::tests::settings;
    use crate::job::model::Auth;

    fn with(arguments: &[&str]) -> ClaudeCli {
        ClaudeCli {
            extra_args: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            ..settings(Auth::Auto, None)
        }
    }

    #[test]
    fn a_jobs_settings_are_a_part_of_mozarts_and_bring_back_no_hook_or_variable() {
        let theirs =
            r#"{"env":{"MINE":"1","QUIET":"0"},"disableAllHooks":false,"hooks":{},"effortLevel":"low"}"#;
        for arguments in [["--settings", theirs, "--bare"], ["--bare", "--settings", theirs]] {
            let claude = with(&arguments);
            assert_eq!(arguments_without(&claude), ["--bare"]);
            let merged = merged(&claude, &["QUIET"], false).unwrap();
            assert_eq!(merged["env"], json!({ "MINE": "1", "QUIET": "1" }));
            assert_eq!((&merged["disableAllHooks"], merged.get("hooks")), (&json!(true), None));
            assert_eq!(merged["effortLevel"], json!("low"));
        }
        let with_hooks = ClaudeCli { hooks: true, ..with(&["--settings={\"hooks\":{}}"]) };
        assert_eq!(merged(&with_hooks, &[], false).unwrap(), json!({ "env": {}, "hooks": {} }));
    }

    #[test]
    fn where_there_is_a_budget_sub_agents_are_paced_beside_hooks_that_are_wanted_and_none_that_are_not() {
        let theirs = r#"{"hooks":{"PreToolUse":[{"hooks":[]}],"Stop":[]}}"#;
        let hooks = |claude: &ClaudeCli| merged(claude, &[], true).unwrap();
        let plain = hooks(&with(&["--settings", theirs]));
        assert_eq!(plain["hooks"]["PreToolUse"].as_array().map(Vec::len), Some(1), "{plain}");
        assert_eq!((&plain["hooks"]["Stop"], &plain["disableAllHooks"]), (&Value::Null, &json!(false)));
        let wanted = hooks(&ClaudeCli { hooks: true, ..with(&["--settings", theirs]) });
        assert_eq!(wanted["hooks"]["PreToolUse"].as_array().map(Vec::len), Some(2), "{wanted}");
        assert_eq!((&wanted["hooks"]["Stop"], wanted.get("disableAllHooks")), (&json!([]), None));
        let person = ClaudeCli { setting_sources: vec!["user".to_owned()], ..with(&[]) };
        assert_eq!(hooks(&person)["disableAllHooks"], json!(true), "theirs would come with it");
    }

    #[test]
    fn a_jobs_settings_that_pay_or_cannot_be_read_are_refused() {
        for (written, problem) in [
            (r#"{"env":{"ANTHROPIC_API_KEY":"k"}}"#, "another way to pay (ANTHROPIC_API_KEY)"),
            (r#"{"env":{"CLAUDE_CODE_USE_BEDROCK":"1"}}"#, "another way to pay (CLAUDE_CODE_USE_BEDROCK)"),
            (r#"{"apiKeyHelper":"echo k"}"#, "another way to pay (apiKeyHelper)"),
            ("not-there.json", "/not-there.json: No such file"),
            ("{", "EOF while parsing"),
        ] {
            let error = merged(&with(&["--settings", written]), &[], false).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
