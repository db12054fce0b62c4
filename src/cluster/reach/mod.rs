//! How a person's command reaches what the operator keeps: at an address, or through the API server into its Pod. With
//! the person's own token, and no more rights than that has.

mod answer;
mod forward;
mod token;
mod window;

use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, Client, Config, ResourceExt as _,
    api::{DynamicObject, ListParams},
};
use reqwest::{Url, header::HeaderValue};

use self::token::Source;
pub use self::{answer::Lines, forward::Forward, window::Window};
use super::{door, store::resource};

/// One of so many jobs tells which operator runs the jobs of a namespace.
const SOME: u32 = 20;

/// The Pods of operators.
pub const OPERATORS: &str = "app.kubernetes.io/name=mozart,app.kubernetes.io/component=operator";

/// Why the operator was not reached.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    /// No Pod of it could be found.
    #[error("no running Pod of the operator was found in {place}")]
    NoPod {
        /// Where it was looked for.
        place: String,
    },
    /// The API server refuses.
    #[error("the API server does not let you {what}")]
    MayNot {
        /// What.
        what: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server could not be asked.
    #[error("the API server could not be asked")]
    Api(#[source] Box<kube::Error>),
    /// Nothing on this machine could be made ready for it.
    #[error("a way to the operator could not be made")]
    Local(#[source] std::io::Error),
    /// The kubeconfig has no token to show.
    #[error("the kubeconfig holds no token, and the operator asks for one")]
    NoToken,
    /// The token could not be had.
    #[error("the token of the kubeconfig could not be had")]
    Token(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The way broke off.
    #[error("the operator does not answer at {at}")]
    Broken {
        /// Where.
        at: String,
        /// How.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It says no.
    #[error("{words}")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// Why, in its words.
        words: String,
    },
}

impl Unreached {
    /// What the person can do, or whom to ask.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoPod { .. } => {
                "name its address with --server, or ask who runs the operator for it; without --data it keeps no history"
            }
            Self::MayNot { .. } => {
                "ask who runs the operator for its address (--server), or for the right to create pods/portforward there"
            }
            Self::NoToken | Self::Token(_) => {
                "name a service account of the namespace with --account, or use a kubeconfig with a token"
            }
            Self::Api(_) | Self::Local(_) => "see the cause",
            Self::Broken { .. } => {
                "the operator may have no volume (--data), or be starting: its log says so"
            }
            Self::Refused { .. } => "see what the operator says",
        }
    }

    fn asked(what: String, error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.is_forbidden() => {
                Self::MayNot { what, source: Box::new(kube::Error::Api(status)) }
            }
            error => Self::Api(Box::new(error)),
        }
    }
}

/// Gets the token that would be shown to the operator.
///
/// # Errors
/// The kubeconfig has none.
pub async fn token_of(config: &Config, client: &Client, namespace: &str) -> Result<(), Unreached> {
    Source::of(&Way::default(), config, client, namespace)?.token().await.map(drop)
}

/// Who asks, and how.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Where the operator is; without it the way leads through the API server.
    pub server: Option<Url>,
    /// A service account of the job's namespace, whose token is shown instead of the kubeconfig's.
    pub account: Option<String>,
}

/// The operator's door, found and with a token in hand.
pub struct Door {
    http: reqwest::Client,
    base: Url,
    token: HeaderValue,
    /// The way lasts as long as this.
    _forward: Option<Forward>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Door").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Door {
    /// Finds the way to the operator that runs the job of a namespace.
    ///
    /// # Errors
    /// There is none, or not for this person.
    pub async fn find(
        way: &Way,
        config: &Config,
        client: &Client,
        namespace: &str,
        job: &str,
    ) -> Result<Self, Unreached> {
        let token = Source::of(way, config, client, namespace)?.token().await?;
        let (base, forward) = if let Some(server) = &way.server {
            (server.clone(), None)
        } else {
            let (place, pod) = operator(client, namespace, Some(job)).await?;
            let forward = Forward::start(client, &place, &pod, door::PORT).await?;
            (forward.url(), Some(forward))
        };
        Ok(Self { http: http(forward.is_some())?, base, token, _forward: forward })
    }

    /// Where requests go.
    pub fn base(&self) -> &Url {
        &self.base
    }
}

/// Asks the operator; one that is `near` not by way of what the environment names as a proxy.
fn http(near: bool) -> Result<reqwest::Client, Unreached> {
    // Fails only when somebody has installed one before, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut http = reqwest::Client::builder()
        .user_agent(concat!("mozart/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none());
    if near {
        http = http.no_proxy();
    }
    http.build().map_err(|error| Unreached::Local(std::io::Error::other(error)))
}

/// The namespace and the lease of the operator that writes a job, or any job of the namespace.
async fn writer(
    client: &Client,
    namespace: &str,
    job: Option<&str>,
) -> kube::Result<Option<(String, String)>> {
    let jobs: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource());
    let found = match job {
        Some(job) => jobs.get_opt(job).await?.into_iter().collect(),
        None => jobs.list(&ListParams::default().limit(SOME)).await?.items,
    };
    Ok(found.iter().find_map(|job| {
        let writer = job.data["status"]["checkpoint"]["writer"].as_str()?;
        let (place, lease) = writer.split_once('/')?;
        Some((place.to_owned(), lease.to_owned()))
    }))
}

/// The namespace and name of the operator's Pod: of the one that leads, where that can be told by a job.
async fn operator(
    client: &Client,
    namespace: &str,
    job: Option<&str>,
) -> Result<(String, String), Unreached> {
    let writer = match writer(client, namespace, job).await {
        Ok(writer) => writer,
        // Its door says better what this person may.
        Err(kube::Error::Api(status)) if status.is_forbidden() => None,
        Err(error) => return Err(Unreached::Api(Box::new(error))),
    };
    let pods: Api<Pod> = match &writer {
        Some((place, _)) => Api::namespaced(client.clone(), place),
        None => Api::all(client.clone()),
    };
    let place = writer
        .as_ref()
        .map_or_else(|| "any namespace".to_owned(), |(place, _)| format!("the namespace {place}"));
    let listed = pods.list(&ListParams::default().labels(OPERATORS)).await;
    let listed = listed.map_err(|error| Unreached::asked(format!("list the Pods of {place}"), error))?;
    let leader = match &writer {
        Some((place, lease)) => {
            let leases: Api<Lease> = Api::namespaced(client.clone(), place);
            // Who may not read it takes any.
            let lease = leases.get_opt(lease).await.ok().flatten();
            lease.and_then(|lease| lease.spec?.holder_identity)
        }
        None => None,
    };
    let runs = |pod: &&Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
    };
    let mut running: Vec<&Pod> = listed.items.iter().filter(runs).collect();
    // Of a job that is no more nothing says whose it was: that of its own namespace is the likeliest.
    running.sort_by_key(|pod| (pod.uid() != leader, pod.namespace().as_deref() != Some(namespace)));
    let pod = running.first().ok_or(Unreached::NoPod { place })?;
    Ok((pod.namespace().unwrap_or_default(), pod.name_any()))
}
