//! How the sinks of a run get at what the job only names, and over which connections they are told.

use reqwest::{Client, Url, redirect::Policy};
use secrecy::SecretString;

use super::NotifyError;
use crate::job::model::Setting;

/// The way of a run's sinks to the outside: whoever drives the run gives it to them.
pub trait Outside {
    /// The value of a setting, now. `sink` is for the error.
    ///
    /// # Errors
    /// It is not there, or not for this run.
    fn value(&self, sink: &str, setting: &Setting) -> Result<SecretString, NotifyError>;

    /// Connections to an address that follow no redirect: it would send the body, and perhaps the headers, to somebody
    /// whom the job does not name.
    ///
    /// # Errors
    /// It is not to be asked.
    fn connections(&self, sink: &str, url: &Url) -> Result<Client, NotifyError>;
}

/// That of this machine: its environment, and everything that it reaches.
#[derive(Clone, Copy, Debug)]
pub struct Here;

impl Outside for Here {
    fn value(&self, sink: &str, setting: &Setting) -> Result<SecretString, NotifyError> {
        let value = match setting {
            Setting::Literal(value) => value.clone(),
            Setting::Env(variable) => std::env::var(variable)
                .ok()
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
                .ok_or_else(|| NotifyError::Unset { sink: sink.to_owned(), variable: variable.clone() })?,
            Setting::Secret { .. } => {
                let why = "a Secret of a cluster is not read on this machine".to_owned();
                return Err(NotifyError::Unreadable { sink: sink.to_owned(), why });
            }
        };
        Ok(value.into())
    }

    fn connections(&self, _: &str, _: &Url) -> Result<Client, NotifyError> {
        // An error says only that another part of the process was first, with the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder()
            .redirect(Policy::none())
            .user_agent(concat!("mozart/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(NotifyError::Client)
    }
}
