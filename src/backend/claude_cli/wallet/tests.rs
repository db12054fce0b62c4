use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::job::model::PermissionMode;

/// Settings of a job that says nothing but this.
pub(in crate::backend::claude_cli) fn settings(auth: Auth, key: Option<&str>) -> ClaudeCli {
    ClaudeCli {
        model: Some("claude-opus-5-5".to_owned()),
        auth,
        api_key_env: key.map(str::to_owned),
        permission_mode: PermissionMode::AcceptEdits,
        working_directory: PathBuf::from("/"),
        allowed_tools: Vec::new(),
        disallowed_tools: Vec::new(),
        tools: None,
        max_turns: None,
        effort: None,
        fallback_model: None,
        append_system_prompt: None,
        mcp_config: None,
        setting_sources: Vec::new(),
        hooks: false,
        file_mentions: false,
        slash_command: false,
        extra_args: Vec::new(),
        version: None,
    }
}

fn status(said: serde_json::Value) -> AuthStatus {
    serde_json::from_value(said).unwrap()
}

fn nobody() -> AuthStatus {
    status(json!({ "loggedIn": false, "authMethod": "none", "apiProvider": "firstParty" }))
}

fn login() -> AuthStatus {
    status(json!({
        "loggedIn": true, "authMethod": "claude.ai", "apiProvider": "firstParty", "subscriptionType": "max"
    }))
}

fn hidden_key() -> AuthStatus {
    status(json!({ "loggedIn": true, "authMethod": "api_key_helper", "apiKeySource": "apiKeyHelper" }))
}

/// `auth`, `apiKeyEnv`, what `claude auth status` says, the variables that are set, and what is found.
type Case = (Auth, Option<&'static str>, AuthStatus, &'static [&'static str], &'static str);

#[test]
fn who_pays_is_settled_or_refused() {
    use Auth::{ApiKey, Auto, Subscription};
    let cloud = status(json!({ "loggedIn": true, "authMethod": "third_party", "apiProvider": "bedrock" }));
    let token = status(json!({ "loggedIn": true, "authMethod": "oauth_token" }));
    let cases: [Case; 19] = [
        (Auto, None, login(), &[], "subscription (max)"),
        (Auto, None, token, &[], "subscription (CLAUDE_CODE_OAUTH_TOKEN)"),
        (Auto, None, nobody(), &[API_KEY], "API key from ANTHROPIC_API_KEY"),
        (Auto, None, login(), &[API_KEY], "two ways to pay: claude.ai login (max) and ANTHROPIC_API_KEY"),
        (
            Auto,
            None,
            login(),
            &[AUTH_TOKEN],
            "two ways to pay: claude.ai login (max) and ANTHROPIC_AUTH_TOKEN",
        ),
        (
            Auto,
            None,
            nobody(),
            &[API_KEY, AUTH_TOKEN],
            "two ways to pay: ANTHROPIC_API_KEY and ANTHROPIC_AUTH_TOKEN",
        ),
        (Auto, None, nobody(), &[AUTH_TOKEN], "ANTHROPIC_AUTH_TOKEN"),
        (Auto, None, nobody(), &[], "Claude Code is not logged in, and no key is set"),
        (Auto, None, hidden_key(), &[], "the key of the settings (apiKeyHelper)"),
        (Auto, None, cloud.clone(), &[API_KEY], "bedrock"),
        (Auto, Some("MY_KEY"), login(), &["MY_KEY", API_KEY], "API key from MY_KEY"),
        (
            Auto,
            Some("MY_KEY"),
            login(),
            &[],
            "the environment variable MY_KEY (backend.apiKeyEnv) is not set",
        ),
        (ApiKey, Some("MY_KEY"), nobody(), &["MY_KEY"], "API key from MY_KEY"),
        (
            ApiKey,
            Some("MY_KEY"),
            hidden_key(),
            &["MY_KEY"],
            "two ways to pay: MY_KEY and the key of the settings (apiKeyHelper)",
        ),
        (
            ApiKey,
            None,
            nobody(),
            &[],
            "the environment variable ANTHROPIC_API_KEY (backend.apiKeyEnv) is not set",
        ),
        (Subscription, None, login(), &[API_KEY], "subscription (max)"),
        (
            Subscription,
            None,
            nobody(),
            &[API_KEY],
            "backend.auth is Subscription, and Claude Code is not logged in",
        ),
        (
            Subscription,
            None,
            hidden_key(),
            &[],
            "backend.auth is Subscription, and the settings bring a key (apiKeyHelper)",
        ),
        (Subscription, None, cloud, &[], "backend.auth is Subscription, and Claude Code is not logged in"),
    ];
    for (auth, key, status, set, expected) in cases {
        let settled = settle(&settings(auth, key), &status, |name| set.contains(&name));
        let said = settled.map_or_else(|health| health.found, |wallet| wallet.shown);
        assert_eq!(said, expected, "{auth:?} {key:?} {set:?}");
    }
}

#[test]
fn a_key_is_billed_and_a_subscription_is_not() {
    let billed = |auth, key, status: &AuthStatus| {
        settle(&settings(auth, key), status, |name| name == "MY_KEY").unwrap().billed
    };
    assert_eq!(billed(Auth::Auto, Some("MY_KEY"), &login()).as_deref(), Some("MY_KEY"));
    assert_eq!(billed(Auth::Auto, None, &login()), None);
    assert_eq!(
        billed(Auth::Auto, None, &hidden_key()).as_deref(),
        Some("the key of the settings (apiKeyHelper)")
    );
}

#[test]
fn a_session_that_pays_otherwise_or_asks_another_model_is_ended() {
    let cases = [
        (Auth::Subscription, "none", "claude-opus-5-5", None),
        (
            Auth::Subscription,
            API_KEY,
            "claude-opus-5-5",
            Some("the login was to pay, and Claude Code pays with ANTHROPIC_API_KEY"),
        ),
        (Auth::ApiKey, API_KEY, "claude-opus-5-5-20261001", None),
        (
            Auth::ApiKey,
            "none",
            "claude-opus-5-5",
            Some("ANTHROPIC_API_KEY was to pay, and Claude Code pays with the login"),
        ),
        (Auth::ApiKey, "apiKeyHelper", "claude-opus-5-5", Some("pays with apiKeyHelper")),
        (Auth::Auto, "apiKeyHelper", "claude-opus-5-5", None),
        (
            Auth::Auto,
            "none",
            "claude-haiku-5-5",
            Some("backend.model is claude-opus-5-5, and Claude Code asks claude-haiku-5-5"),
        ),
    ];
    for (auth, source, model, expected) in cases {
        let init = Init {
            model: Some(model.to_owned()),
            api_key_source: Some(source.to_owned()),
            version: Some("2.1.330".to_owned()),
        };
        let found = mismatch(&settings(auth, None), &init);
        match expected {
            None => assert_eq!(found, None, "{auth:?} {source} {model}"),
            Some(text) => {
                let failure = found.unwrap();
                assert_eq!(
                    (failure.class, failure.reason.as_str()),
                    (FailureClass::JobFatal, "CredentialMismatch")
                );
                assert!(failure.message.contains(text), "{}", failure.message);
            }
        }
    }
}

#[test]
fn a_short_model_name_is_its_family() {
    for (asked, found, is) in [
        ("opus", "claude-opus-5-5", true),
        ("opus[1m]", "claude-opus-5-5", true),
        ("sonnet", "claude-opus-5-5", false),
        ("default", "claude-opus-5-5", true),
        ("claude-sonnet-5-5", "claude-sonnet-5-5[1m]", true),
        ("claude-opus-5-5-20261001", "claude-opus-5-5", true),
        ("us.anthropic.claude-opus-5-5-v1:0", "us.anthropic.claude-opus-5-5-v1:0", true),
    ] {
        assert_eq!(is_model(asked, found), is, "{asked} {found}");
    }
}
