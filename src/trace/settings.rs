//! Where spans go: OpenTelemetry's own environment variables, and no others.

use std::time::Duration;

use reqwest::{
    Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use super::otlp::KeyValue;

/// The path below an endpoint that is for every kind of telemetry.
const PATH: &str = "v1/traces";
/// How long a request may take where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where spans go. It can be shown nowhere, since keys are in it.
pub struct Settings {
    pub(super) endpoint: Url,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    /// What is said of this program.
    pub(super) resource: Vec<KeyValue>,
}

/// Why a variable cannot be followed. What it holds is not repeated: there may be keys in it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// No URL of HTTP.
    #[error("{variable} is no URL that begins with http:// or https://")]
    Endpoint {
        /// Which.
        variable: String,
    },
    /// A protocol that is not spoken here.
    #[error(
        "{variable} asks for {protocol}, and traces are sent by http/protobuf alone: set it to that, and the endpoint to \
         the collector's port for HTTP (4318, not 4317)"
    )]
    Protocol {
        /// Which.
        variable: String,
        /// What it says.
        protocol: String,
    },
    /// An exporter that there is not.
    #[error("OTEL_TRACES_EXPORTER asks for {0}, and there is otlp, and none")]
    Exporter(String),
    /// Not `name=value` with commas between.
    #[error("{variable} is not of the form name=value,name=value")]
    Pairs {
        /// Which.
        variable: String,
    },
    /// No number of milliseconds.
    #[error("{variable} is no number of milliseconds")]
    Timeout {
        /// Which.
        variable: String,
    },
}

impl Settings {
    /// What the environment of this process says. `None` where it names no endpoint, or wants no traces.
    ///
    /// # Errors
    /// A variable cannot be followed.
    pub fn of_environment() -> Result<Option<Self>, SettingsError> {
        Self::of(&|variable| std::env::var(variable).ok())
    }

    /// The same of another environment.
    pub(super) fn of(environment: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, SettingsError> {
        let environment = Environment(environment);
        if environment.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let Some(endpoint) = environment.endpoint()? else { return Ok(None) };
        let exporters = environment.get("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
        if exporters == "none" {
            return Ok(None);
        }
        if exporters.split(',').all(|exporter| exporter.trim() != "otlp") {
            return Err(SettingsError::Exporter(exporters));
        }
        match environment.of_traces("PROTOCOL") {
            Some((variable, protocol)) if protocol != "http/protobuf" => {
                return Err(SettingsError::Protocol { variable, protocol });
            }
            _ => {}
        }
        let timeout = match environment.of_traces("TIMEOUT") {
            Some((variable, text)) => {
                text.parse().map(Duration::from_millis).map_err(|_| SettingsError::Timeout { variable })?
            }
            None => TIMEOUT,
        };
        let (headers, resource) = (environment.headers()?, environment.resource()?);
        Ok(Some(Self { endpoint, headers, timeout, resource }))
    }
}

struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    /// A variable; one that is empty is not set.
    fn get(&self, variable: &str) -> Option<String> {
        (self.0)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// A setting of the exporter for traces, else for all, with the name of its variable.
    fn of_traces(&self, setting: &str) -> Option<(String, String)> {
        ["OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"].into_iter().find_map(|prefix| {
            let variable = format!("{prefix}{setting}");
            let value = self.get(&variable)?;
            Some((variable, value))
        })
    }

    fn endpoint(&self) -> Result<Option<Url>, SettingsError> {
        let Some((variable, text)) = self.of_traces("ENDPOINT") else { return Ok(None) };
        let whole = variable.contains("TRACES");
        let text = if whole { text } else { format!("{}/{PATH}", text.trim_end_matches('/')) };
        let url = Url::parse(&text).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.map(Some).ok_or(SettingsError::Endpoint { variable })
    }

    fn headers(&self) -> Result<HeaderMap, SettingsError> {
        let Some((variable, text)) = self.of_traces("HEADERS") else { return Ok(HeaderMap::new()) };
        let not_pairs = || SettingsError::Pairs { variable: variable.clone() };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs(&text).ok_or_else(not_pairs)? {
            let name = HeaderName::try_from(name).map_err(|_| not_pairs())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| not_pairs())?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        Ok(headers)
    }

    fn resource(&self) -> Result<Vec<KeyValue>, SettingsError> {
        const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let given = self.get(ATTRIBUTES).unwrap_or_default();
        let mut given =
            pairs(&given).ok_or_else(|| SettingsError::Pairs { variable: ATTRIBUTES.to_owned() })?;
        let named =
            given.iter().position(|(name, _)| name == "service.name").map(|at| given.swap_remove(at).1);
        let name = self.get("OTEL_SERVICE_NAME").or(named).unwrap_or_else(|| "mozart".to_owned());
        let own = [("service.name", name.as_str()), ("service.version", env!("CARGO_PKG_VERSION"))];
        let own = own.map(|(name, value)| KeyValue::new(name, value.into()));
        let given = given.iter().filter(|(name, _)| name != "service.version");
        let given = given.map(|(name, value)| KeyValue::new(name.as_str(), value.as_str().into()));
        Ok(own.into_iter().chain(given).collect())
    }
}

/// What stands as `name=value,name=value`, with values that may be percent-encoded.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let name = name.trim();
        (!name.is_empty()).then_some(())?;
        Some((name.to_owned(), decoded(value.trim())?))
    };
    text.split(',').filter(|one| !one.trim().is_empty()).map(pair).collect()
}

/// A percent sign that begins no escape stands for itself.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let escaped = escaped.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}
