//! Who pays: found out before the first batch, and compared with what every session says of itself.

use serde::Deserialize;

use super::stream::Init;
use crate::{
    backend::health::Health,
    job::{
        model::{Auth, ClaudeCli},
        outcome::{Failure, FailureClass},
    },
};

/// The variable from which Claude Code takes an API key.
pub(super) const API_KEY: &str = "ANTHROPIC_API_KEY";
/// The variable from which Claude Code takes a bearer token, for gateways.
pub(super) const AUTH_TOKEN: &str = "ANTHROPIC_AUTH_TOKEN";
/// The switches to a cloud's own model service.
pub(super) const CLOUDS: [&str; 3] =
    ["CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"];

/// Who pays, with nothing left open that can be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// How to pay: `Auto` only for what Mozart has no word for, such as a cloud's model service.
    pub auth: Auth,
    /// The variable that holds the key.
    pub api_key_env: Option<String>,
    /// For people: `subscription (max)`.
    pub shown: String,
    /// What is billed by use: the variable that holds the key, or where else it comes from.
    pub billed: Option<String>,
}

/// What `claude auth status` says; it is asked without the keys of the environment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AuthStatus {
    logged_in: bool,
    auth_method: Option<String>,
    api_key_source: Option<String>,
    api_provider: Option<String>,
    subscription_type: Option<String>,
}

impl AuthStatus {
    /// The login in words, if it is one that a subscription pays.
    fn login(&self) -> Option<String> {
        match self.auth_method.as_deref().filter(|_| self.logged_in)? {
            "claude.ai" => Some(match &self.subscription_type {
                Some(plan) => format!("claude.ai login ({plan})"),
                None => "claude.ai login".to_owned(),
            }),
            "oauth_token" => Some("CLAUDE_CODE_OAUTH_TOKEN".to_owned()),
            _ => None,
        }
    }

    /// A key that no variable of the environment holds: of the settings, of a helper, of a console login.
    fn hidden_key(&self) -> Option<&str> {
        let method = self.auth_method.as_deref().filter(|_| self.logged_in)?;
        method.starts_with("api_key").then(|| self.api_key_source.as_deref().unwrap_or(method))
    }
}

/// Settles who pays. `is_set` says whether a variable of the environment holds something.
///
/// # Errors
/// With what is wrong: nobody pays, or it cannot be told which of two.
pub(super) fn settle(
    settings: &ClaudeCli,
    status: &AuthStatus,
    is_set: impl Fn(&str) -> bool,
) -> Result<Wallet, Health> {
    let fail = |found: String, advice: &str| Err(Health::fail("login", found, advice));
    let wanted = match (settings.auth, settings.api_key_env.as_deref()) {
        (Auth::Subscription, _) => return subscription(status),
        (Auth::ApiKey, None) => Some(API_KEY),
        (Auth::ApiKey | Auth::Auto, named) => named,
    };
    if let Some(name) = wanted {
        if !is_set(name) {
            let found = format!("the environment variable {name} (backend.apiKeyEnv) is not set");
            return fail(found, "export the API key in it");
        }
        if let Some(source) = status.hidden_key() {
            let found = format!("two ways to pay: {name} and the key of the settings ({source})");
            return fail(found, "take the key out of the settings, or leave settingSources empty");
        }
        return Ok(api_key(name));
    }
    if let Some(provider) = status.api_provider.as_deref().filter(|provider| *provider != "firstParty") {
        return Ok(other(provider));
    }
    let mut ways: Vec<String> = status.login().into_iter().collect();
    ways.extend(status.hidden_key().map(|source| format!("the key of the settings ({source})")));
    ways.extend([API_KEY, AUTH_TOKEN].into_iter().filter(|name| is_set(name)).map(str::to_owned));
    match ways.as_slice() {
        [] => fail(
            "Claude Code is not logged in, and no key is set".to_owned(),
            "run `claude` and `/login`, or name a key with backend.apiKeyEnv; a login by the user's settings needs \
             backend.settingSources: [user]",
        ),
        [way] if way == API_KEY => Ok(api_key(API_KEY)),
        [_] if status.login().is_some() => subscription(status),
        [way] if way == AUTH_TOKEN => Ok(other(AUTH_TOKEN)),
        [way] => Ok(Wallet { billed: Some(way.clone()), ..other(way) }),
        ways => fail(
            format!("two ways to pay: {}", ways.join(" and ")),
            "write backend.auth: Subscription for the login, or backend.auth: APIKey with backend.apiKeyEnv",
        ),
    }
}

fn subscription(status: &AuthStatus) -> Result<Wallet, Health> {
    if let Some(source) = status.hidden_key() {
        let found = format!("backend.auth is Subscription, and the settings bring a key ({source})");
        let advice = "take the key out of the settings, or leave settingSources empty";
        return Err(Health::fail("login", found, advice));
    }
    if status.login().is_none() {
        let found = "backend.auth is Subscription, and Claude Code is not logged in";
        return Err(Health::fail("login", found, "run `claude` and `/login`"));
    }
    let plan = match (&status.subscription_type, status.auth_method.as_deref()) {
        (Some(plan), _) => format!(" ({plan})"),
        (None, Some("oauth_token")) => " (CLAUDE_CODE_OAUTH_TOKEN)".to_owned(),
        (None, _) => String::new(),
    };
    let shown = format!("subscription{plan}");
    Ok(Wallet { auth: Auth::Subscription, api_key_env: None, shown, billed: None })
}

fn api_key(name: &str) -> Wallet {
    Wallet {
        auth: Auth::ApiKey,
        api_key_env: Some(name.to_owned()),
        shown: format!("API key from {name}"),
        billed: Some(name.to_owned()),
    }
}

fn other(shown: &str) -> Wallet {
    Wallet { auth: Auth::Auto, api_key_env: None, shown: shown.to_owned(), billed: None }
}

/// What is wrong with a session that pays otherwise, or asks another model, than the job was started for.
pub(super) fn mismatch(settings: &ClaudeCli, init: &Init) -> Option<Failure> {
    let failure = |text| Some(Failure::new(FailureClass::JobFatal, "CredentialMismatch", text));
    let expected = match (settings.auth, &settings.api_key_env) {
        (Auth::Subscription, _) => Some("none"),
        (Auth::ApiKey, _) | (Auth::Auto, Some(_)) => Some(API_KEY),
        (Auth::Auto, None) => None,
    };
    if let (Some(expected), Some(found)) = (expected, init.api_key_source.as_deref())
        && expected != found
    {
        let payer = |source| if source == "none" { "the login" } else { source };
        return failure(format!(
            "the wrong wallet: {} was to pay, and Claude Code pays with {}; the batch was ended",
            payer(expected),
            payer(found)
        ));
    }
    let (asked, found) = (settings.model.as_deref()?, init.model.as_deref()?);
    if is_model(asked, found) {
        return None;
    }
    failure(format!("backend.model is {asked}, and Claude Code asks {found}; the batch was ended"))
}

/// Whether `found` may be what Claude Code makes of `asked`, which may be a short name or lack a date.
pub(super) fn is_model(asked: &str, found: &str) -> bool {
    let plain = |name: &str| name.split('[').next().unwrap_or_default().to_ascii_lowercase();
    let (asked, found) = (plain(asked), plain(found));
    match asked.as_str() {
        "opus" | "sonnet" | "haiku" | "fable" => found.contains(&asked),
        name if name.starts_with("claude-") => found.starts_with(name) || name.starts_with(&found),
        _ => true,
    }
}

#[cfg(test)]
pub(super) mod tests;
