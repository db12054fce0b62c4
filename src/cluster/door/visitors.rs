//! Who asks, and what he may: the API server knows, and is believed for a minute.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, header};
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, Client, api::PostParams};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::refusal::Refusal;

/// So long an answer is believed.
const BELIEVED: Duration = Duration::from_mins(1);
/// A refusal for less: a right that was just given should count.
const REFUSAL_BELIEVED: Duration = Duration::from_secs(5);
/// The API server is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many answers are remembered at most.
const MOST: usize = 10_000;
/// No token is longer.
const LONGEST_TOKEN: usize = 16 << 10;

/// A token is remembered by its hash alone.
type TokenHash = [u8; 32];

pub(super) struct Visitors {
    client: Client,
    users: Remembered<TokenHash, Result<UserInfo, String>>,
    rights: Remembered<(TokenHash, String, String), bool>,
}

impl Visitors {
    pub(super) fn new(client: Client) -> Self {
        Self { client, users: Remembered::default(), rights: Remembered::default() }
    }

    /// Lets in who may `get` the job.
    pub(super) async fn admit(&self, headers: &HeaderMap, namespace: &str, job: &str) -> Result<(), Refusal> {
        let token = bearer(headers).ok_or(Refusal::NoToken)?;
        let hash: TokenHash = Sha256::digest(token.as_bytes()).into();
        let user = if let Some(user) = self.users.get(&hash) {
            user
        } else {
            let user = self.whose(token).await?;
            let long = if user.is_ok() { BELIEVED } else { REFUSAL_BELIEVED };
            self.users.put(hash, user.clone(), long);
            user
        };
        let user = user.map_err(|why| Refusal::Unknown { why })?;
        let who = user.username.clone().unwrap_or_default();
        let key = (hash, namespace.to_owned(), job.to_owned());
        let may = if let Some(may) = self.rights.get(&key) {
            may
        } else {
            let may = self.may_get(user, namespace, job).await?;
            self.rights.put(key, may, if may { BELIEVED } else { REFUSAL_BELIEVED });
            may
        };
        let (namespace, job) = (namespace.to_owned(), job.to_owned());
        if may { Ok(()) } else { Err(Refusal::MayNot { who, namespace, job }) }
    }

    /// Whose token it is, for the audience of the API server; or why it is nobody's.
    async fn whose(&self, token: &str) -> Result<Result<UserInfo, String>, Refusal> {
        let review = TokenReview {
            spec: TokenReviewSpec { token: token.to_owned(), audiences: None },
            ..TokenReview::default()
        };
        let status = self.ask(&review).await?.status.unwrap_or_default();
        Ok(match status.user.filter(|_| status.authenticated == Some(true)) {
            Some(user) => Ok(user),
            None => Err(status.error.unwrap_or_else(|| "it is not valid here, or no longer".to_owned())),
        })
    }

    async fn may_get(&self, user: UserInfo, namespace: &str, job: &str) -> Result<bool, Refusal> {
        let extra: BTreeMap<String, Vec<String>> = user.extra.unwrap_or_default();
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username,
                uid: user.uid,
                groups: user.groups,
                extra: Some(extra),
                resource_attributes: Some(ResourceAttributes {
                    verb: Some("get".to_owned()),
                    group: Some("mozart.dev".to_owned()),
                    resource: Some("mozartjobs".to_owned()),
                    namespace: Some(namespace.to_owned()),
                    name: Some(job.to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        Ok(self.ask(&review).await?.status.is_some_and(|status| status.allowed))
    }

    async fn ask<R>(&self, review: &R) -> Result<R, Refusal>
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
        Err(Refusal::Unasked)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && (1..=LONGEST_TOKEN).contains(&token.len());
    fits.then_some(token)
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
