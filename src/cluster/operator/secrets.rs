//! The Secrets that the operator reads: one by one, each granted by the owner of its namespace, and each made for Mozart.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use secrecy::SecretString;

use super::{
    attend::{Not, Trouble},
    context::Context,
};

/// What a Secret was made for. A type cannot be changed, so no Secret that was made for something else can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To ask the model's service.
    Credential,
    /// To tell somebody.
    Webhook,
}

impl Purpose {
    /// The Secret's type.
    fn kind(self) -> &'static str {
        match self {
            Self::Credential => "mozart.dev/credential",
            Self::Webhook => "mozart.dev/webhook",
        }
    }
}

/// The text under `key` of the Secret `name`, which `who` names.
pub(super) async fn read(
    context: &Context,
    namespace: &str,
    (name, key): (&str, &str),
    purpose: Purpose,
    who: &str,
) -> Result<Result<SecretString, Not>, Trouble> {
    let api: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    let found = match api.get_opt(name).await {
        Err(kube::Error::Api(answer)) if answer.is_forbidden() => {
            let grant = grant(context, namespace, name);
            let message = format!(
                "the operator may not read the Secret {name} of {who}: `{grant}` prints the right that it needs"
            );
            return Ok(Err(Not::Forbidden { message }));
        }
        found => found?,
    };
    let Some(found) = found else {
        let message = format!("there is no Secret {name}, which {who} names");
        return Ok(Err(Not::Missing { message }));
    };
    let kind = purpose.kind();
    if found.type_.as_deref() != Some(kind) {
        let message = format!(
            "the Secret {name} of {who} is of the type {}, and the operator reads none for that but of the type {kind}: \
             make it anew with that type",
            found.type_.as_deref().unwrap_or("Opaque")
        );
        return Ok(Err(Not::Forbidden { message }));
    }
    let value = found.data.as_ref().and_then(|data| data.get(key));
    let value = value.and_then(|value| std::str::from_utf8(&value.0).ok()).map(str::trim);
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        let message = format!("the Secret {name} of {who} has no text under {key}");
        return Ok(Err(Not::Missing { message }));
    };
    Ok(Ok(SecretString::from(value)))
}

/// The command that prints the right to read a Secret. Chart and `mozart rbac` call lease and account the same.
fn grant(context: &Context, namespace: &str, secret: &str) -> String {
    let lease = &context.settings.lease;
    let options = [("--operator", &lease.name), ("--operator-namespace", &lease.namespace)];
    let options = options.iter().filter(|(_, value)| *value != "mozart");
    let mut words = vec![format!("mozart grant -n {namespace} {secret}")];
    words.extend(options.map(|(option, value)| format!("{option} {value}")));
    words.join(" ")
}
