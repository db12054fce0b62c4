//! What is handed out can be told from what somebody else made, by what everybody has: `hack/release sign` and `verify`.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// A release that has its checksums and its provenance, in a repository of its own.
struct Release {
    folder: tempfile::TempDir,
}

impl Release {
    fn new() -> Self {
        let release = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "hack/claude-code/package-lock.json"]
            .into_iter()
            .chain(["hack/release", "hack/provenance"])
        {
            let to = release.path(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), to).unwrap();
        }
        fs::create_dir_all(release.path("dist/man")).unwrap();
        release.write("dist/mozart", "the program");
        release.write("dist/man/mozart.1", "a page");
        release.told(
            "hack/provenance make dist 0123456789012345678901234567890123456789 1 --here > provenance && \
             mv provenance dist/mozart-$VERSION.provenance.json",
        );
        release.sum();
        for key in ["ours", "theirs"] {
            release.told(&format!("openssl ecparam -genkey -name prime256v1 -noout -out {key}.key"));
            release.told(&format!("openssl pkey -in {key}.key -pubout -out {key}.pub"));
        }
        release
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn says(&self, line: &str) -> Output {
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", line])
            .current_dir(self.folder.path())
            .env("VERSION", env!("CARGO_PKG_VERSION"))
            .env_remove("MOZART_SIGNING_KEY")
            .env_remove("MOZART_PUBLIC_KEY")
            .output()
            .unwrap()
    }

    fn told(&self, line: &str) -> String {
        let output = self.says(line);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Why it was refused.
    fn refused(&self, line: &str) -> String {
        let output = self.says(line);
        assert!(!output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The checksums as whoever changes something would make them.
    fn sum(&self) {
        self.told("cd dist && find . -type f ! -name 'SHA256SUMS*' -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum > ../sums && mv ../sums SHA256SUMS");
    }
}

#[test]
fn a_release_that_was_signed_is_verified_and_one_that_was_changed_is_refused() {
    let release = Release::new();
    assert!(
        release.told("hack/release verify").contains("of commit 0123456789012345678901234567890123456789")
    );
    assert!(release.refused("hack/release verify ours.pub").contains("dist/ is not signed"));
    let public = release.told("hack/release sign ours.key");
    assert!(public.contains(&fs::read_to_string(release.path("ours.pub")).unwrap()), "{public}");
    assert!(release.told("hack/release verify ours.pub").contains("by the key of ours.pub"));
    assert!(
        release.told("MOZART_PUBLIC_KEY=ours.pub hack/release verify").contains("by the key of ours.pub")
    );
    assert!(release.refused("hack/release verify theirs.pub").contains("is not by the key of theirs.pub"));

    release.write("dist/mozart", "another program");
    assert!(release.refused("hack/release verify ours.pub").contains("not what its checksums say"));
    assert!(release.refused("hack/release sign ours.key").contains("not what its checksums say"));
    release.sum();
    assert!(release.refused("hack/release verify").contains("other files than SHA256SUMS: mozart"));
    release.write("dist/mozart", "the program");
    release.sum();
    assert!(release.told("hack/release verify ours.pub").contains("by the key of ours.pub"), "as it was");
    release.write("dist/added", "one more");
    assert!(release.refused("hack/release verify").contains("other files than its checksums name: added"));
}

#[test]
fn whoever_changes_checksums_and_provenance_too_is_refused_for_want_of_the_key() {
    let release = Release::new();
    release.told("hack/release sign ours.key");
    release.write("dist/mozart", "another program");
    release.told(
        "rm dist/SHA256SUMS dist/*.json && mv dist/SHA256SUMS.sig . && \
         hack/provenance make dist 0123456789012345678901234567890123456789 1 > provenance && \
         mv provenance dist/mozart-$VERSION.provenance.json && mv SHA256SUMS.sig dist",
    );
    release.sum();
    release.told("hack/release verify");
    assert!(release.refused("hack/release verify ours.pub").contains("is not by the key of ours.pub"));
}

#[test]
fn a_release_is_signed_by_a_key_that_others_can_verify_with_and_by_no_other() {
    let release = Release::new();
    release.told("openssl ecparam -genkey -name secp384r1 -noout -out other.key");
    assert!(release.refused("hack/release sign other.key").contains("no private key of the curve P-256"));
    assert!(release.refused("hack/release sign ours.pub").contains("no private key of the curve P-256"));
    assert!(release.refused("hack/release sign").contains("there is no key to sign with"));
    release.told("MOZART_SIGNING_KEY=ours.key hack/release sign");
    // One line of base64 over DER, as cosign reads it.
    let signature = fs::read_to_string(release.path("dist/SHA256SUMS.sig")).unwrap();
    assert!(signature.starts_with("ME") && signature.lines().count() == 1, "{signature}");
}
