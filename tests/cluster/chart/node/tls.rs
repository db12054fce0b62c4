//! The door with TLS of a release, through its Service.

use k8s_openapi::api::core::v1::Service;
use kube::Api;
use reqwest::{Certificate, Client, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{VALUES, apply, dashboard::viewer, job, release};
use crate::{
    attempts::{eventually, node::operator::kubectl},
    chart::CHART,
    support::Namespace,
};

/// Makes a certificate for this name, that signs itself, and the Secret `door` of it.
async fn certificate(namespace: &Namespace, name: &str) -> Certificate {
    let folder = tempfile::tempdir().unwrap();
    let path = |file: &str| folder.path().join(file).display().to_string();
    let (file, key) = (path("tls.crt"), path("tls.key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"])
        .args(["-days", "30", "-subj", "/CN=mozart", "-addext", &format!("subjectAltName=DNS:{name}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .args([key.as_str(), "-out", &file])
        .output()
        .await
        .expect("openssl is there: run `make tools`");
    assert!(made.status.success(), "{made:?}");
    let (file_of, key_of) = (format!("--cert={file}"), format!("--key={key}"));
    kubectl(namespace, &["create", "secret", "tls", "door", &file_of, &key_of]).await;
    Certificate::from_pem(&std::fs::read(file).unwrap()).unwrap()
}

async fn address(namespace: &Namespace, service: &str, port: u16) -> std::net::SocketAddr {
    let services: Api<Service> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let address = services.get(service).await.unwrap().spec.unwrap().cluster_ip.unwrap();
    std::net::SocketAddr::new(address.parse().unwrap(), port)
}

#[tokio::test]
async fn a_release_with_a_certificate_is_asked_over_tls_and_its_numbers_stay_on_their_own_port() {
    let namespace = Namespace::restricted().await;
    let name = format!("mozart-tls.{}.svc", namespace.name);
    let trusted = certificate(&namespace, &name).await;
    let install =
        ["install", "mozart", CHART, "--values", "-", "--wait", "--take-ownership", "--force-conflicts"];
    release(&namespace, &install, &format!("{VALUES}tls: {{secretName: door}}\n")).await;
    let mut night = job("night", 1, "true");
    night["spec"]["workspace"] = json!({"emptyDir": {}});
    night["spec"]["suspend"] = json!(true);
    apply(&namespace, &night).await;

    let _ = rustls::crypto::ring::default_provider().install_default();
    let door = address(&namespace, "mozart-tls", 8443).await;
    let client = Client::builder().no_proxy().tls_certs_only([trusted]).resolve(&name, door).build().unwrap();
    let url = format!("https://{name}:8443/api/v1/jobs");
    eventually("the door is open", || async { client.get(&url).send().await.is_ok() }).await;
    let stranger = client.get(&url).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    let token = viewer(&namespace).await;
    let seen: Value = serde_json::from_str(
        &client.get(&url).bearer_auth(token).send().await.unwrap().text().await.unwrap(),
    )
    .unwrap();
    assert!(seen.to_string().contains("night"), "{seen}");

    let plain = Client::builder().no_proxy().resolve(&name, door).build().unwrap();
    let in_the_clear = plain.get(url.replace("https", "http")).send().await;
    assert!(in_the_clear.is_err(), "{in_the_clear:?}");
    let numbers = client.get(format!("https://{name}:8443/metrics")).send().await.unwrap();
    assert_ne!(numbers.status(), StatusCode::OK);
    let metrics = address(&namespace, "mozart-metrics", 8080).await;
    let numbers = plain.get(format!("http://{metrics}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(numbers.contains("\nmozart_leader 1\n"), "{numbers}");

    release(&namespace, &["uninstall", "mozart", "--wait"], "").await;
    namespace.delete().await;
}
