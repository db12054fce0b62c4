//! S-21: the door with TLS, on real sockets.

use std::{net::SocketAddr, process::Command, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{IpAddr, Ipv4Addr, ServerName},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsConnector;

use super::{super::tests::House, *};
use crate::cluster::door::{Auth, serve_tls};

/// A folder with a certificate that signs itself.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        keys.make();
        keys
    }

    /// Makes another in its place.
    fn make(&self) {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"])
            .args(["-days", "30", "-subj", "/CN=mozart", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key", "-out", "certificate"])
            .current_dir(self.0.path())
            .output()
            .expect("openssl is there: run `make tools`");
        assert!(made.status.success(), "{made:?}");
    }

    fn files(&self) -> CertificateFiles {
        CertificateFiles { certificate: self.0.path().join("certificate"), key: self.0.path().join("key") }
    }

    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.files().certificate).unwrap()
    }
}

async fn open(keys: &Keys) -> (House, SocketAddr) {
    let house = House::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_tls(listener, Tls::open(keys.files()).unwrap(), house.settings(Auth::Token)));
    (house, address)
}

/// What is answered to who trusts this certificate.
async fn answered(address: SocketAddr, trusted: CertificateDer<'static>) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([127, 0, 0, 1])));
    let stream = TcpStream::connect(address).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let request = "GET /api/v1/namespaces/team/jobs/night/history HTTP/1.1\r\nHost: mozart.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    // Who closes first need not say so.
    let _ = stream.read_to_string(&mut answer).await;
    Ok(answer.to_ascii_lowercase())
}

#[tokio::test]
async fn s21_with_tls_the_door_asks_for_a_token_and_says_that_it_is_to_be_asked_with_tls_only() {
    let keys = Keys::new();
    let (_house, address) = open(&keys).await;
    // Somebody who connects and says nothing holds nobody up.
    let _silent = TcpStream::connect(address).await.unwrap();
    let answer = answered(address, keys.certificate()).await.unwrap();
    assert!(answer.starts_with("http/1.1 401"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");
    let strange = Keys::new();
    assert!(answered(address, strange.certificate()).await.is_err(), "another certificate is not trusted");
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: mozart\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "nothing is said without TLS");
}

#[tokio::test]
async fn s21_a_certificate_that_changes_is_shown_and_one_that_is_broken_is_not() {
    let keys = Keys::new();
    let (_house, address) = open(&keys).await;
    let first = keys.certificate();
    answered(address, first.clone()).await.unwrap();
    fs::write(keys.files().certificate, "half of a").unwrap();
    tokio::time::sleep(LOOK + Duration::from_millis(100)).await;
    answered(address, first.clone()).await.expect("the one before is still shown");
    keys.make();
    tokio::time::sleep(LOOK + Duration::from_millis(100)).await;
    answered(address, keys.certificate()).await.unwrap();
    assert!(answered(address, first).await.is_err());
}

#[test]
fn s21_a_certificate_that_cannot_be_used_is_refused_in_words() {
    let (keys, other) = (Keys::new(), Keys::new());
    let refused = |files: CertificateFiles| Tls::open(files).err().unwrap().to_string();
    let of_another = CertificateFiles { key: other.files().key, ..keys.files() };
    assert!(refused(of_another).contains("is no key that can be used with the certificate"));
    let none = CertificateFiles { certificate: keys.files().key, ..keys.files() };
    assert!(refused(none).ends_with("holds no certificate"));
    let missing = CertificateFiles { key: "/nowhere".into(), ..keys.files() };
    assert!(refused(missing).contains("/nowhere holds no key as PEM"));
}
