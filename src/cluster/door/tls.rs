//! TLS for the door: a certificate that is read anew when its files change, as those of a mounted Secret do.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::dashboard::Greeting;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those that it is signed by, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("{path} holds no {what} as PEM that can be read")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate file holds none.
    #[error("{path} holds no certificate")]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// The key is of a kind that is not known, or of another certificate.
    #[error("{key} is no key that can be used with the certificate {certificate}")]
    Key {
        /// Which.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Library(#[source] rustls::Error),
}

/// A certificate, as its files were last.
#[derive(Debug)]
struct Reloading {
    files: CertificateFiles,
    present: Mutex<Present>,
}

#[derive(Debug)]
struct Present {
    key: Arc<CertifiedKey>,
    stamps: [Option<SystemTime>; 2],
    looked: Instant,
}

impl Reloading {
    fn open(files: CertificateFiles) -> Result<Self, TlsError> {
        let stamps = stamps(&files);
        let key = Arc::new(load(&files)?);
        Ok(Self { files, present: Mutex::new(Present { key, stamps, looked: Instant::now() }) })
    }

    fn key(&self) -> Arc<CertifiedKey> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if present.looked.elapsed() >= LOOK {
            present.looked = Instant::now();
            let stamps = stamps(&self.files);
            if stamps != present.stamps {
                present.stamps = stamps;
                match load(&self.files) {
                    Ok(key) => {
                        present.key = Arc::new(key);
                        tracing::info!(file = %self.files.certificate.display(), "a new certificate is shown");
                    }
                    // The files may be half written: they are looked at again when they change again.
                    Err(error) => tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the certificate was changed and cannot be read: the one before is still shown"
                    ),
                }
            }
        }
        Arc::clone(&present.key)
    }
}

impl ResolvesServerCert for Reloading {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key())
    }
}

/// When the files were changed last.
fn stamps(files: &CertificateFiles) -> [Option<SystemTime>; 2] {
    [&files.certificate, &files.key].map(|path| fs::metadata(path).and_then(|found| found.modified()).ok())
}

fn load(files: &CertificateFiles) -> Result<CertifiedKey, TlsError> {
    let unreadable = |path: &Path, what| {
        let path = path.to_owned();
        move |source| TlsError::Unreadable { path, what, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(&files.certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(TlsError::Empty { path: files.certificate.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key, "key"))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|source| TlsError::Key {
        key: files.key.clone(),
        certificate: files.certificate.clone(),
        source,
    })
}

/// Agrees on keys with who connects. Clones have one certificate.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// With the certificate in these files.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn open(files: CertificateFiles) -> Result<Self, TlsError> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Library)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Reloading::open(files)?));
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

impl Greeting for Tls {
    type Stream = TlsStream<TcpStream>;

    async fn greet(self, stream: TcpStream) -> io::Result<Self::Stream> {
        self.0.accept(stream).await
    }
}

#[cfg(test)]
mod tests;
