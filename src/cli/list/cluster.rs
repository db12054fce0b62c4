//! The jobs of a namespace, or of all. The API server makes the table: it sends a fraction of what the jobs are.

use anyhow::Context as _;
use kube::{Client, api::DynamicObject, core::ObjectList};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::Args;
use crate::{
    api::status::Phase,
    cli::{
        choices::JobsForm,
        error::Advised,
        kubernetes::{
            KubernetesArguments,
            job::{self, pruned},
        },
        printer::Printer,
        table::{Cell, Table},
        terminal::Tone,
    },
};

/// What asks for a table instead of the objects.
const AS_TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// The column of sentences.
const WAITING: &str = "WAITING";

/// The API server's table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServersTable {
    column_definitions: Vec<Column>,
    #[serde(default)]
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
    /// 0 is always shown, the others where much is wanted.
    #[serde(default)]
    priority: i32,
}

#[derive(Debug, Deserialize)]
struct Row {
    cells: Vec<Value>,
    /// Its metadata, where that was asked for.
    #[serde(default)]
    object: Value,
}

/// Lists the jobs.
pub async fn list(args: &Args, printer: &Printer) -> anyhow::Result<()> {
    let cluster = &args.cluster;
    let (client, namespace) = cluster.connect().await?;
    let place = if args.all_namespaces { None } else { Some(namespace.as_str()) };
    match args.form.get() {
        JobsForm::Json => printer.json(&objects(&client, place, args).await?)?,
        JobsForm::Yaml => printer.yaml(&objects(&client, place, args).await?)?,
        form @ (JobsForm::Table | JobsForm::Wide | JobsForm::Name) => {
            let with = if place.is_none() { "Metadata" } else { "None" };
            let found: ServersTable =
                asked(&client, place, args, &[("includeObject", with)], AS_TABLE).await?;
            show(&found, form, place, cluster, printer)?;
        }
    }
    Ok(())
}

fn show(
    found: &ServersTable,
    form: JobsForm,
    place: Option<&str>,
    cluster: &KubernetesArguments,
    printer: &Printer,
) -> anyhow::Result<()> {
    if form == JobsForm::Name {
        for row in &found.rows {
            let name = row.cells.first().map(text).unwrap_or_default();
            printer.line(format!("mozartjob.mozart.dev/{name}"))?;
        }
        return Ok(());
    }
    if found.rows.is_empty() {
        let place = place.map_or_else(|| "any namespace".to_owned(), |name| format!("the namespace {name}"));
        printer.note(format!("no such job in {place}"));
        printer.hint(format!("{} makes one", cluster.typed("submit job.yaml")));
        return Ok(());
    }
    printer.table(&table(found, form == JobsForm::Wide, place.is_none()))
}

fn table(found: &ServersTable, wide: bool, with_namespace: bool) -> Table {
    let shown = found.column_definitions.iter().enumerate();
    let shown = shown.filter(|(_, column)| wide || column.priority == 0);
    let mut shown: Vec<(usize, String)> =
        shown.map(|(index, column)| (index, column.name.to_uppercase())).collect();
    // The last one is cut where the terminal ends, and it is the only one that may be long.
    shown.sort_by_key(|(_, name)| name == WAITING);
    let namespace = with_namespace.then_some("NAMESPACE");
    let names = shown.iter().map(|(_, name)| name.as_str());
    let headings: Vec<&str> = namespace.into_iter().chain(names).collect();
    let mut table = Table::new(&headings);
    for row in &found.rows {
        let namespace =
            with_namespace.then(|| row.object["metadata"]["namespace"].as_str().unwrap_or_default().into());
        let cells = shown.iter().map(|(index, name)| cell(name, row.cells.get(*index)));
        table.row(namespace.into_iter().chain(cells).collect());
    }
    table
}

fn cell(column: &str, value: Option<&Value>) -> Cell {
    let text = value.map(text).unwrap_or_default();
    let tone = match column {
        "PHASE" => job::phase(Phase::deserialize(value.unwrap_or(&Value::Null)).ok()).1,
        "FAILED" if text != "0" && !text.is_empty() => Tone::Bad,
        _ => Tone::Plain,
    };
    Cell::toned(tone, if text.is_empty() { "-".to_owned() } else { text })
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn objects(client: &Client, place: Option<&str>, args: &Args) -> anyhow::Result<Vec<DynamicObject>> {
    let found: ObjectList<DynamicObject> = asked(client, place, args, &[], "application/json").await?;
    Ok(found.items.into_iter().map(pruned).collect())
}

async fn asked<T: DeserializeOwned>(
    client: &Client,
    place: Option<&str>,
    args: &Args,
    more: &[(&str, &str)],
    accept: &str,
) -> anyhow::Result<T> {
    let within = place.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(more);
    if let Some(labels) = &args.selector {
        query.append_pair("labelSelector", labels);
    }
    if args.failed {
        query.append_pair("fieldSelector", "status.phase=Failed");
    }
    let path = format!("/apis/mozart.dev/v1alpha1{within}/mozartjobs?{}", query.finish());
    let request = http::Request::get(path).header(http::header::ACCEPT, accept).body(Vec::new());
    let request = request.context("the question cannot be asked")?;
    match client.request(request).await {
        Err(kube::Error::Api(answer)) if answer.is_not_found() => {
            let hint = "an administrator installs Mozart there: docs/install.md";
            Err(Advised::new("the cluster knows no MozartJob", hint).into())
        }
        listed => listed.context("the jobs cannot be listed"),
    }
}
