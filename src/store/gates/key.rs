//! What a gate's file is called.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::{
    driver::ports::StoreError,
    store::{error::Trouble, files::folder_of, home::Home},
};

/// What a limit belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// An API key, and the endpoint that it is for.
    ApiKey {
        /// The key itself.
        key: &'a SecretString,
        /// Where it is used.
        endpoint: &'a str,
    },
    /// A login of Claude Code, by what names the account or its folder.
    Login(&'a str),
    /// Nothing that is known: what `command` runs brings its own. The program.
    Program(&'a str),
}

/// The name of the gate of `credential` and model `family`: 32 hex digits. The same for every process of this user,
/// and of no use to anybody else: the hash is keyed by a random file of the state folder that only the user can read.
///
/// # Errors
/// That file can neither be read nor made.
pub fn gate_key(home: &Home, credential: Credential<'_>, family: &str) -> Result<String, StoreError> {
    let path = home.gates().join("key");
    let secret = secret_at(&path)
        .map_err(|error| Trouble::of_io(&error).met("keep the key of the gates' names in", &path, error))?;
    let mut hash = Hmac::<Sha256>::new_from_slice(&secret).expect("HMAC takes keys of any length");
    let (kind, parts) = match credential {
        Credential::ApiKey { key, endpoint } => ("api key", [key.expose_secret(), endpoint]),
        Credential::Login(account) => ("login", [account, ""]),
        Credential::Program(program) => ("program", [program, ""]),
    };
    for part in [kind, parts[0], parts[1], family] {
        // Lengths keep two different lists of parts from reading the same.
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize().into_bytes();
    let half: [u8; 16] = digest[..16].try_into().expect("SHA-256 has 32 bytes");
    Ok(format!("{:032x}", u128::from_be_bytes(half)))
}

/// 32 random bytes, made once.
fn secret_at(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(secret) if secret.len() == 32 => return Ok(secret),
        Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not hold 32 bytes")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    let fresh = folder.join(format!("key.{}", uuid::Uuid::new_v4()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    for half in [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()] {
        file.write_all(half.as_bytes())?;
    }
    file.sync_all()?;
    // A link fails where another process was first: its bytes are the key then.
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::read(path),
    }
}
