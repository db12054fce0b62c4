//! The credentials of a namespace. What is changed is changed with the user's own rights.

use anyhow::Context as _;
use jiff::{Timestamp, tz::TimeZone};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    api::credential::{
        CredentialGate, CredentialGateState, MozartCredentialSpec, MozartCredentialStatus, RESUME,
    },
    cli::{
        choices::ListForm,
        error::Advised,
        format,
        kubernetes::KubernetesArguments,
        printer::Printer,
        table::{Cell, Table},
        terminal::Tone,
    },
    cluster::credential::resource,
};

/// Shows them.
pub async fn list(cluster: &KubernetesArguments, form: ListForm, printer: &Printer) -> anyhow::Result<()> {
    let (api, namespace) = api(cluster).await?;
    let found = listed(&api, &namespace).await?;
    match form {
        ListForm::Json => printer.json(&found)?,
        ListForm::Name => {
            for credential in &found {
                printer.line(credential.name_any())?;
            }
        }
        ListForm::Table if found.is_empty() => {
            printer.note(format!("no MozartCredential in the namespace {namespace}"));
        }
        ListForm::Table => printer.table(&table(&found, Timestamp::now(), &TimeZone::system()))?,
    }
    Ok(())
}

/// Lets attempts start again: of one credential, or of all that wait for a person.
pub async fn resume(
    cluster: &KubernetesArguments,
    name: Option<&str>,
    printer: &Printer,
) -> anyhow::Result<()> {
    let (api, namespace) = api(cluster).await?;
    let names = if let Some(name) = name {
        vec![name.to_owned()]
    } else {
        let found = listed(&api, &namespace).await?;
        found.iter().filter(|one| waits_for_a_person(one)).map(ResourceExt::name_any).collect()
    };
    if names.is_empty() {
        printer.note(format!("no credential of the namespace {namespace} waits for a person"));
    }
    let now = Timestamp::now().to_string();
    let patch = json!({"metadata": {"annotations": {RESUME: now}}, "spec": {"suspend": null}});
    for name in names {
        change(&api, &namespace, &name, &patch).await?;
        printer.note(format!("{name}: attempts start again, one tries first where there was a limit"));
    }
    Ok(())
}

/// Lets no attempt start.
pub async fn pause(cluster: &KubernetesArguments, name: &str, printer: &Printer) -> anyhow::Result<()> {
    let (api, namespace) = api(cluster).await?;
    change(&api, &namespace, name, &json!({"spec": {"suspend": true}})).await?;
    let again = format!("mozart credential resume {name} -n {namespace}");
    printer.note(format!("{name}: no attempt starts, what runs goes on, until `{again}`"));
    Ok(())
}

async fn api(cluster: &KubernetesArguments) -> anyhow::Result<(Api<DynamicObject>, String)> {
    let (client, namespace) = cluster.connect().await?;
    Ok((Api::namespaced_with(client, &namespace, &resource()), namespace))
}

async fn listed(api: &Api<DynamicObject>, namespace: &str) -> anyhow::Result<Vec<DynamicObject>> {
    let found = api.list(&ListParams::default()).await;
    let mut found = found
        .with_context(|| format!("the credentials of the namespace {namespace} cannot be listed"))?
        .items;
    for one in &mut found {
        one.metadata.managed_fields = None;
    }
    Ok(found)
}

async fn change(api: &Api<DynamicObject>, namespace: &str, name: &str, patch: &Value) -> anyhow::Result<()> {
    match api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.is_not_found() => {
            let hint = format!("mozart credential list -n {namespace} shows those that there are");
            Err(Advised::new(format!("there is no credential {name} in the namespace {namespace}"), hint)
                .into())
        }
        Err(error) => Err(error).with_context(|| format!("the credential {name} cannot be changed")),
    }
}

fn status(credential: &DynamicObject) -> MozartCredentialStatus {
    let status = credential.data.get("status").cloned();
    status.and_then(|status| serde_json::from_value(status).ok()).unwrap_or_default()
}

fn is_suspended(credential: &DynamicObject) -> bool {
    credential.data["spec"]["suspend"] == true
}

fn waits_for_a_person(credential: &DynamicObject) -> bool {
    let held = status(credential).gate.is_some_and(|gate| gate.state == CredentialGateState::Held);
    held || is_suspended(credential)
}

fn table(found: &[DynamicObject], now: Timestamp, zone: &TimeZone) -> Table {
    let mut table = Table::new(&["NAME", "TYPE", "STATE", "RUNNING", "WHY"]);
    for credential in found {
        let status = status(credential);
        let spec: Option<MozartCredentialSpec> = serde_json::from_value(credential.data["spec"].clone()).ok();
        let (state, why) = state(credential, &status, now, zone);
        let most = spec.and_then(|spec| spec.max_concurrent_attempts);
        let running = match (status.in_flight.unwrap_or(0), most) {
            (running, Some(most)) => format!("{running} of {most}"),
            (running, None) => running.to_string(),
        };
        table.row(vec![
            credential.name_any().into(),
            credential.data["spec"]["type"].as_str().unwrap_or_default().into(),
            state,
            running.into(),
            why.into(),
        ]);
    }
    table
}

fn state(
    credential: &DynamicObject,
    status: &MozartCredentialStatus,
    now: Timestamp,
    zone: &TimeZone,
) -> (Cell, String) {
    if is_suspended(credential) {
        return (Cell::toned(Tone::Warning, "suspended"), String::new());
    }
    let ready = status.conditions.iter().find(|one| one.kind == "Ready");
    if let Some(not) =
        ready.filter(|one| one.status == crate::api::status::Truth::False && one.reason != "Suspended")
    {
        return (Cell::toned(Tone::Bad, "cannot be used"), not.message.clone());
    }
    let Some(CredentialGate { state, until, cause, canary, .. }) = &status.gate else {
        return (Cell::toned(Tone::Warning, "not seen by an operator"), String::new());
    };
    let why = cause.clone().unwrap_or_default();
    let state = match state {
        CredentialGateState::Open => Cell::toned(Tone::Good, "open"),
        CredentialGateState::Closed => {
            let until = until.as_ref().and_then(|until| until.parse().ok());
            let until = until.map(|until| format!("closed until {}", format::until(until, now, zone)));
            Cell::toned(Tone::Warning, until.unwrap_or_else(|| "closed".to_owned()))
        }
        CredentialGateState::Canary => {
            let batch = canary.as_ref().and_then(|canary| canary.batch).unwrap_or(0);
            let job = canary.as_ref().and_then(|canary| canary.job.as_deref()).unwrap_or("a job");
            Cell::toned(Tone::Warning, format!("tried by batch {batch} of {job}"))
        }
        CredentialGateState::Held => Cell::toned(Tone::Bad, "waits for a person"),
    };
    (state, why)
}
