//! The token that is shown to the operator: the one that the API server would be shown.

use std::time::Duration;

use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response, header::AUTHORIZATION};
use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount};
use kube::{
    Api, Client, Config,
    api::PostParams,
    client::{Body, ConfigExt as _, middleware::AuthLayer},
};
use reqwest::header::HeaderValue;
use tokio::{sync::Mutex, time::Instant};
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};

use super::{Unreached, Way};

/// One that was made for a service account is shown for so long: the API server makes none for less than ten minutes.
const SHOWN: Duration = Duration::from_mins(5);

/// A service account whose token is shown.
pub(super) struct Account {
    accounts: Api<ServiceAccount>,
    name: String,
    /// The last one, and when it was made.
    made: Mutex<Option<(Instant, HeaderValue)>>,
}

/// Where tokens come from.
pub(super) enum Source {
    /// The kubeconfig, wherever it has them from: a text, a file, a login of a cloud. Asked each time, it asks for new
    /// ones when the old are about to end.
    Config(Option<AuthLayer>),
    /// A service account.
    Account(Box<Account>),
}

impl Source {
    /// The one that a person means.
    pub(super) fn of(
        way: &Way,
        config: &Config,
        client: &Client,
        namespace: &str,
    ) -> Result<Self, Unreached> {
        Ok(match &way.account {
            Some(account) => Self::Account(Box::new(Account {
                accounts: Api::namespaced(client.clone(), namespace),
                name: account.clone(),
                made: Mutex::default(),
            })),
            None => Self::Config(config.auth_layer().map_err(|error| Unreached::Token(error.into()))?),
        })
    }

    /// A token, as a request carries it.
    pub(super) async fn token(&self) -> Result<HeaderValue, Unreached> {
        match self {
            Self::Config(layer) => of_config(layer.as_ref()).await,
            Self::Account(account) => {
                let mut made = account.made.lock().await;
                if let Some((_, token)) = made.as_ref().filter(|(at, _)| at.elapsed() < SHOWN) {
                    return Ok(token.clone());
                }
                let token = of_account(&account.accounts, &account.name).await?;
                *made = Some((Instant::now(), token.clone()));
                Ok(token)
            }
        }
    }
}

async fn of_config(layer: Option<&AuthLayer>) -> Result<HeaderValue, Unreached> {
    let shown = shown_to(layer.ok_or(Unreached::NoToken)?).await.map_err(Unreached::Token)?;
    let is_token = |value: &HeaderValue| value.as_bytes().starts_with(b"Bearer ");
    shown.headers().get(AUTHORIZATION).filter(|value| is_token(value)).cloned().ok_or(Unreached::NoToken)
}

/// What the API server would be shown: who would be it answers with the headers that it was sent. Boxed here, where the
/// compiler can still tell that it may move between threads.
fn shown_to(layer: &AuthLayer) -> BoxFuture<'static, Result<Response<()>, BoxError>> {
    let echo = service_fn(|request: Request<Body>| async move {
        let mut response = Response::new(());
        *response.headers_mut() = request.headers().clone();
        Ok::<_, BoxError>(response)
    });
    layer.layer(echo).oneshot(Request::new(Body::empty())).boxed()
}

async fn of_account(accounts: &Api<ServiceAccount>, name: &str) -> Result<HeaderValue, Unreached> {
    let asked = TokenRequest::default();
    let made = accounts.create_token_request(name, &PostParams::default(), &asked).await;
    let what = format!("make a token of the account {name}");
    let made = made.map_err(|error| Unreached::asked(what, error))?;
    let token = made.status.and_then(|status| status.token).unwrap_or_default();
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| Unreached::Token(error.into()))?;
    value.set_sensitive(true);
    Ok(value)
}
