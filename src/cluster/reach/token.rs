//! The token that is shown to the operator: the one that the API server would be shown.

use http::{Request, Response, header::AUTHORIZATION};
use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount};
use kube::{
    Api, Client, Config,
    api::PostParams,
    client::{Body, ConfigExt as _},
};
use reqwest::header::HeaderValue;
use tower::{BoxError, ServiceBuilder, ServiceExt as _, service_fn};

use super::Unreached;

/// That of a kubeconfig, wherever it has it from: a text, a file, a login of a cloud.
pub(super) async fn of_config(config: &Config) -> Result<HeaderValue, Unreached> {
    let layer = config.auth_layer().map_err(|error| Unreached::Token(error.into()))?;
    // Who would be the API server answers with the headers that it was sent.
    let echo = service_fn(|request: Request<Body>| async move {
        let mut response = Response::new(());
        *response.headers_mut() = request.headers().clone();
        Ok::<_, BoxError>(response)
    });
    let service = ServiceBuilder::new().option_layer(layer).service(echo);
    let shown = service.oneshot(Request::new(Body::empty())).await.map_err(Unreached::Token)?;
    let is_token = |value: &HeaderValue| value.as_bytes().starts_with(b"Bearer ");
    shown.headers().get(AUTHORIZATION).filter(|value| is_token(value)).cloned().ok_or(Unreached::NoToken)
}

/// One that is made for a service account.
pub(super) async fn of_account(
    client: &Client,
    namespace: &str,
    account: &str,
) -> Result<HeaderValue, Unreached> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let asked = TokenRequest::default();
    let made = accounts.create_token_request(account, &PostParams::default(), &asked).await;
    let what = format!("make a token of the account {account} of {namespace}");
    let made = made.map_err(|error| Unreached::asked(what, error))?;
    let token = made.status.and_then(|status| status.token).unwrap_or_default();
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| Unreached::Token(error.into()))?;
    value.set_sensitive(true);
    Ok(value)
}
