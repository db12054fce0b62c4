//! The operator's dashboard with the tokens of a real API server.

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, api::DeleteParams};
use mozart::{
    cluster::view::ClusterView,
    dashboard::{Access, route_list},
};
use reqwest::{Client, Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{
    door::{House, allow, token_for},
    make, on_the_node, submit, until,
};
use crate::support::Namespace;

/// Every address of the router about a job, with its method; those that change carry it in their form.
fn addresses(job: &str) -> Vec<(Method, String, bool)> {
    let part = |part: &str| match part {
        "{job}" => job.to_owned(),
        "{action}" => "suspend".to_owned(),
        "{text}" => "stdout".to_owned(),
        part if part.starts_with('{') => "1".to_owned(),
        part => part.to_owned(),
    };
    let address = |route: mozart::dashboard::RouteInfo| {
        let parts: Vec<String> = route.path.split('/').map(part).collect();
        let of_job = route.path.contains("{job}") || route.path.contains("{action}");
        let query = if route.path.starts_with("/confirm") { format!("?job={job}") } else { String::new() };
        let method = if route.access == Access::Change { Method::POST } else { Method::GET };
        (method, parts.join("/") + &query, of_job)
    };
    route_list::<ClusterView>().into_iter().map(address).collect()
}

/// The answer to a request; one that changes says of which job as its address wants it.
async fn answered(url: &str, method: Method, path: &str, token: Option<&str>, job: &str) -> StatusCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method.clone(), format!("{url}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if method == Method::POST {
        let (media, body) = if path.starts_with("/api/") {
            ("application/json", json!({"jobs": [job]}).to_string())
        } else {
            ("application/x-www-form-urlencoded", format!("job={job}"))
        };
        request = request.header(CONTENT_TYPE, media).body(body);
    }
    request.send().await.unwrap().status()
}

/// Issue 8, shown by 3.
#[tokio::test]
async fn every_address_is_shut_to_no_token_and_to_those_that_are_wrong_ended_for_others_or_of_elsewhere() {
    let house = House::new().await;
    let namespace = &house.work.namespace;
    let elsewhere = Namespace::new().await;
    make(&elsewhere, &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "carl"}}))
        .await;
    allow(&elsewhere, "carl", "mozart.dev", "mozartjobs", &["get", "list", "patch"]).await;
    let _operator = house.start();
    let spec = json!({"batch": {"size": 1, "totalItems": 3}, "retry": {"maxRetries": 0}});
    submit(namespace, "night", &on_the_node(namespace, &spec)).await;
    until(namespace, "night", "ends", |status| status["lastRun"]["outcome"] == "Failed").await;

    let strange = token_for(namespace, "anna", &["somebody-else"]).await;
    // A token ends with its account, at once; the API server makes none that ends by itself within ten minutes.
    make(namespace, &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "gone"}}))
        .await;
    let ended = token_for(namespace, "gone", &[]).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(namespace.client.clone(), &namespace.name);
    accounts.delete("gone", &DeleteParams::default()).await.unwrap();
    let carl = token_for(&elsewhere, "carl", &[]).await;
    let boris = token_for(namespace, "boris", &[]).await;

    let job = format!("{}~night", namespace.name);
    let addresses = addresses(&job);
    assert!(addresses.len() > 8, "{addresses:?}");
    for (method, path, of_job) in addresses {
        let ask = async |token| answered(&house.url, method.clone(), &path, token, &job).await;
        for token in [None, Some("nothing"), Some(strange.as_str()), Some(ended.as_str())] {
            assert_eq!(ask(token).await, 401, "{method} {path} with {token:?}");
        }
        if of_job {
            for token in [&carl, &boris] {
                assert_eq!(ask(Some(token)).await, 403, "{method} {path}");
            }
        }
    }

    // Who may get the job by its name and list nothing has the page and an empty list.
    let anna = token_for(namespace, "anna", &[]).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let json = async |token: &str, path: &str| -> Value {
        let answer = client.get(format!("{}{path}", house.url)).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    assert_eq!(json(&anna, "/index.json").await["total"], 0);
    let page = json(&anna, &format!("/jobs/{job}/runs/1.json")).await;
    assert_eq!((&page["run"]["failed"], &page["run"]["standing"]), (&json!(1), &json!("failed")));
    let refused = answered(&house.url, Method::POST, "/actions/again", Some(&anna), &job).await;
    assert_eq!(refused, 409);
    make(namespace, &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "dora"}}))
        .await;
    allow(namespace, "dora", "mozart.dev", "mozartjobs", &["get", "list", "patch"]).await;
    let dora = token_for(namespace, "dora", &[]).await;
    let done = answered(&house.url, Method::POST, "/actions/again", Some(&dora), &job).await;
    assert!(done.is_success() || done.is_redirection(), "{done}");
    until(namespace, "night", "has another run", |status| status["lastRun"]["number"] == 2).await;
    house.end().await;
    elsewhere.delete().await;
}
