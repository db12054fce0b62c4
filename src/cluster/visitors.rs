//! Who asks, and what he may: the API server knows, and is believed for a minute.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, Client, api::PostParams};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// So long it is believed what somebody may.
const BELIEVED: Duration = Duration::from_mins(1);
/// And who he is: less, so that a live stream that is looked at now and then ends within a minute after its token.
const KNOWN: Duration = Duration::from_secs(30);
/// A refusal for less: a right that was just given should count.
const REFUSAL_BELIEVED: Duration = Duration::from_secs(5);
/// The API server is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many answers are remembered at most.
const MOST: usize = 100_000;

/// A token is remembered by its hash alone.
pub type TokenHash = [u8; 32];

/// Somebody whose token the API server knew when he came.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// What the cluster calls him.
    pub name: String,
    /// Stands for the token where it is only to be told from others.
    pub hash: TokenHash,
    token: SecretString,
}

impl Visitor {
    /// To be shown to the API server for what he changes, and to nobody else.
    pub fn token(&self) -> &SecretString {
        &self.token
    }
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// His token is none of this cluster's.
    #[error("the API server does not know the token: {why}")]
    Unknown {
        /// In its words.
        why: String,
    },
    /// The API server could not be asked.
    #[error("the API server could not be asked who you are, or what you may")]
    Unasked,
}

/// Something that is done with objects of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deed {
    verb: &'static str,
    with: Object,
    /// Where; `None` is everywhere.
    namespace: Option<String>,
    /// With which; `None` is with all.
    name: Option<String>,
}

/// What something is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Object {
    Job,
    ConfigMap,
    Log,
}

impl Object {
    /// As the API server calls it: group, resource and subresource.
    fn resource(self) -> (&'static str, &'static str, Option<&'static str>) {
        match self {
            Self::Job => ("mozart.dev", "mozartjobs", None),
            Self::ConfigMap => ("", "configmaps", None),
            Self::Log => ("", "pods", Some("log")),
        }
    }

    /// For people, as one and as many.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Job => ("MozartJob", "MozartJobs"),
            Self::ConfigMap => ("ConfigMap", "ConfigMaps"),
            Self::Log => ("log of the Pod", "logs of Pods"),
        }
    }
}

impl Deed {
    /// `get`, `patch` or `delete` of one job.
    pub fn with(verb: &'static str, namespace: &str, job: &str) -> Self {
        Self::of_one(verb, Object::Job, namespace, job)
    }

    /// To list the jobs of a namespace, or of all.
    pub fn list(namespace: Option<String>) -> Self {
        Self { verb: "list", with: Object::Job, namespace, name: None }
    }

    /// To read a `ConfigMap`.
    pub fn config_map(namespace: &str, name: &str) -> Self {
        Self::of_one("get", Object::ConfigMap, namespace, name)
    }

    /// To read what a Pod has said.
    pub fn log(namespace: &str, pod: &str) -> Self {
        Self::of_one("get", Object::Log, namespace, pod)
    }

    fn of_one(verb: &'static str, with: Object, namespace: &str, name: &str) -> Self {
        Self { verb, with, namespace: Some(namespace.to_owned()), name: Some(name.to_owned()) }
    }
}

impl std::fmt::Display for Deed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (one, many) = self.with.words();
        formatter.write_str(self.verb)?;
        match &self.name {
            Some(name) => write!(formatter, " the {one} {name}")?,
            None => write!(formatter, " {many}")?,
        }
        match &self.namespace {
            Some(namespace) => write!(formatter, " of the namespace {namespace}"),
            None => formatter.write_str(" of every namespace"),
        }
    }
}

/// Asks the API server about tokens and rights.
pub struct Visitors {
    client: Client,
    users: Remembered<TokenHash, Result<UserInfo, String>>,
    rights: Remembered<(TokenHash, Deed), bool>,
}

impl Visitors {
    /// Asks by `client`.
    pub fn new(client: Client) -> Self {
        Self { client, users: Remembered::default(), rights: Remembered::default() }
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// It is nobody's, or the API server could not be asked.
    pub async fn of(&self, token: &str) -> Result<Visitor, Stranger> {
        let hash: TokenHash = Sha256::digest(token.as_bytes()).into();
        let token = SecretString::from(token.to_owned());
        let user = self.user(hash, &token).await?;
        Ok(Visitor { name: user.username.unwrap_or_default(), hash, token })
    }

    /// Whether he may do it.
    ///
    /// # Errors
    /// He is known no longer, or the API server could not be asked.
    pub async fn may(&self, visitor: &Visitor, deed: &Deed) -> Result<bool, Stranger> {
        let user = self.user(visitor.hash, &visitor.token).await?;
        let key = (visitor.hash, deed.clone());
        if let Some(may) = self.rights.get(&key) {
            return Ok(may);
        }
        let may = self.asked(user, deed).await?;
        // A list is of many namespaces: each would be asked for again and again.
        let brief = if deed.name.is_some() { REFUSAL_BELIEVED } else { BELIEVED };
        self.rights.put(key, may, if may { BELIEVED } else { brief });
        Ok(may)
    }

    /// Whether he is known still.
    ///
    /// # Errors
    /// He is not, or the API server could not be asked.
    pub async fn still(&self, visitor: &Visitor) -> Result<(), Stranger> {
        self.user(visitor.hash, &visitor.token).await.map(drop)
    }

    async fn user(&self, hash: TokenHash, token: &SecretString) -> Result<UserInfo, Stranger> {
        let user = if let Some(user) = self.users.get(&hash) {
            user
        } else {
            let user = self.whose(token).await?;
            let long = if user.is_ok() { KNOWN } else { REFUSAL_BELIEVED };
            self.users.put(hash, user.clone(), long);
            user
        };
        user.map_err(|why| Stranger::Unknown { why })
    }

    /// Whose token it is, for the audience of the API server; or why it is nobody's.
    async fn whose(&self, token: &SecretString) -> Result<Result<UserInfo, String>, Stranger> {
        let review = TokenReview {
            spec: TokenReviewSpec { token: token.expose_secret().to_owned(), audiences: None },
            ..TokenReview::default()
        };
        let status = self.ask(&review).await?.status.unwrap_or_default();
        Ok(match status.user.filter(|_| status.authenticated == Some(true)) {
            Some(user) => Ok(user),
            None => Err(status.error.unwrap_or_else(|| "it is not valid here, or no longer".to_owned())),
        })
    }

    async fn asked(&self, user: UserInfo, deed: &Deed) -> Result<bool, Stranger> {
        let extra: BTreeMap<String, Vec<String>> = user.extra.unwrap_or_default();
        let (group, resource, subresource) = deed.with.resource();
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username,
                uid: user.uid,
                groups: user.groups,
                extra: Some(extra),
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(deed.verb.to_owned()),
                    group: Some(group.to_owned()),
                    resource: Some(resource.to_owned()),
                    subresource: subresource.map(str::to_owned),
                    namespace: deed.namespace.clone(),
                    name: deed.name.clone(),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        Ok(self.ask(&review).await?.status.is_some_and(|status| status.allowed))
    }

    async fn ask<R>(&self, review: &R) -> Result<R, Stranger>
    where
        R: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + serde::de::DeserializeOwned,
    {
        let api: Api<R> = Api::all(self.client.clone());
        let parameters = PostParams::default();
        let asked = tokio::time::timeout(PATIENCE, api.create(&parameters, review)).await;
        let error = match asked {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it has not answered for {} s", PATIENCE.as_secs()),
        };
        // Not the review: a token is in it.
        tracing::warn!(kind = %R::kind(&()), error, "the API server could not be asked about a visitor");
        Err(Stranger::Unasked)
    }
}

/// Answers that are believed for a while.
struct Remembered<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(until, _)| Instant::now() < *until).map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, value: V, long: Duration) {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (until, _)| now < *until);
        }
        if known.len() < MOST {
            known.insert(key, (now + long, value));
        }
    }
}
