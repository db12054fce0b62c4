//! Cookies: each stands for a token, which stays in this process's memory.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::dashboard::Token;

/// A session that nobody uses for so long is ended.
const IDLE: Duration = Duration::from_hours(12);
/// So many at most: the one that was not used for longest makes room.
const MOST: usize = 10_000;

/// Who has signed in.
#[derive(Debug)]
pub(super) struct Sessions {
    /// Browsers do not tell ports apart: each server has a name of its own for its cookie.
    cookie: String,
    /// By the hash of the cookie's value.
    open: Mutex<HashMap<[u8; 32], Session>>,
}

#[derive(Debug)]
struct Session {
    token: SecretString,
    used: Instant,
}

fn key(value: &str) -> [u8; 32] {
    Sha256::digest(value.as_bytes()).into()
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self { cookie: format!("mozart-{}", &Token::random().reveal()[..8]), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one, and returns the cookie that stands for the token; `secure` keeps it from ever being sent in the clear.
    pub(super) fn begin(&self, token: &str, secure: bool) -> Option<HeaderValue> {
        let value = Token::random();
        let now = Instant::now();
        let mut open = self.open();
        open.retain(|_, session| now.duration_since(session.used) < IDLE);
        if open.len() >= MOST {
            let oldest = open.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key);
            oldest.map(|oldest| open.remove(&oldest));
        }
        let token = SecretString::from(token.to_owned());
        open.insert(key(value.reveal()), Session { token, used: now });
        let seconds = IDLE.as_secs();
        self.set(value.reveal(), &format!("Max-Age={seconds}"), secure)
    }

    fn set(&self, value: &str, life: &str, secure: bool) -> Option<HeaderValue> {
        let secure = if secure { "; Secure" } else { "" };
        let cookie = &self.cookie;
        let text = format!("{cookie}={value}; Path=/; HttpOnly; SameSite=Strict; {life}{secure}");
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    fn value<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|one| one.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.cookie).map(|(_, value)| value)
    }

    /// The token that the cookie of a request stands for.
    pub(super) fn token(&self, headers: &HeaderMap) -> Option<String> {
        let value = self.value(headers)?;
        let now = Instant::now();
        let mut open = self.open();
        let session = open.get_mut(&key(value)).filter(|one| now.duration_since(one.used) < IDLE)?;
        session.used = now;
        Some(session.token.expose_secret().to_owned())
    }

    /// Ends the session of a request; returns the cookie that takes the other away.
    pub(super) fn end(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if let Some(value) = self.value(headers) {
            self.open().remove(&key(value));
        }
        self.set("", "Max-Age=0", false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookie: &HeaderValue) -> HeaderMap {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        [(header::COOKIE, HeaderValue::from_str(&format!("a=b; {pair}")).unwrap())].into_iter().collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_cookie_stands_for_its_token_until_it_is_given_up_or_not_used() {
        let sessions = Sessions::new();
        let cookie = sessions.begin("secret", true).unwrap();
        let text = cookie.to_str().unwrap();
        assert!(
            !text.contains("secret") && text.ends_with("HttpOnly; SameSite=Strict; Max-Age=43200; Secure")
        );
        assert_eq!(sessions.token(&sent(&cookie)).as_deref(), Some("secret"));
        assert_eq!(Sessions::new().token(&sent(&cookie)), None, "another server has other cookies");
        tokio::time::advance(IDLE.mul_f64(0.9)).await;
        assert!(sessions.token(&sent(&cookie)).is_some(), "it is used");
        tokio::time::advance(IDLE).await;
        assert_eq!(sessions.token(&sent(&cookie)), None);
        let cookie = sessions.begin("secret", false).unwrap();
        assert!(sessions.end(&sent(&cookie)).unwrap().to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(sessions.token(&sent(&cookie)), None);
    }
}
