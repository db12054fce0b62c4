//! Whether the service knows the key and the model: asked by `GET /v1/models`, which costs nothing.

use reqwest::StatusCode;
use serde::Deserialize;

use super::{
    failure::{self, Refusal},
    service::{Service, capped},
};
use crate::{
    backend::{Way, health::Health},
    job::model::Anthropic,
};

const MAX_LIST_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// The key and the model.
pub(in crate::backend) async fn health_check(settings: &Anthropic) -> Vec<Health> {
    let service = match Service::open(settings, &Way::Environment) {
        Ok(service) => service,
        Err(failure) => return vec![Health::fail("API key", failure.reason, failure.message)],
    };
    let host = settings.base_url.host_str().unwrap_or_default();
    let response = match service.get(&["v1", "models"]).await {
        Ok(response) => response,
        Err(error) => {
            let failure = failure::unreachable(settings, &error);
            return vec![Health::fail(
                host,
                failure.message,
                "check the network, proxies and backend.baseUrl",
            )];
        }
    };
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let found = "the service does not list its models, so the key was not tried";
            return vec![Health::warn(host, found, "go on if it is a gateway that you know")];
        }
        status => {
            let found = Refusal::read(response).await.said();
            let advice = match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    format!("check the key in {} (backend.apiKeyEnv)", settings.api_key_env)
                }
                _ => "try again later".to_owned(),
            };
            return vec![Health::fail("API key", found, advice)];
        }
    }
    let key = Health::ok("API key", format!("{host} takes the key in {}", settings.api_key_env));
    let list = capped(response, MAX_LIST_BYTES).await.ok();
    let models: Option<Models> = list.and_then(|list| serde_json::from_slice(&list).ok());
    let model = match models {
        Some(models) if models.data.iter().any(|known| known.id == settings.model) => {
            Health::ok("model", settings.model.clone())
        }
        Some(_) => Health::warn(
            "model",
            format!("{} is not in the service's list", settings.model),
            "check backend.model; an alias may work all the same",
        ),
        None => Health::warn("model", "the service's list of models cannot be read", "check backend.model"),
    };
    vec![key, model]
}
