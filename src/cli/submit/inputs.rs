//! What of a job goes beside it in `ConfigMap`s: files that it names, and what is too large to be rewritten with every save
//! of its status.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    api::{MozartJobSpec, batch::KeyReference},
    cli::{
        error::Advised,
        format,
        kubernetes::job::{Cluster, MANAGER},
    },
    job::{items::hash_of, sources::Sources as _},
    sources::{ClusterSources, LocalSources},
};

/// What is longer does not stay in the object, which is written whole with every save.
const LONG: usize = 32 * 1024;
/// What a `ConfigMap` can hold, a little left for its metadata.
const MOST: usize = 1_000_000;
/// The key in each of them.
const KEY: &str = "text";

/// Texts that go beside the job.
#[derive(Debug, Default)]
pub struct Inputs(Vec<Input>);

#[derive(Debug)]
struct Input {
    /// `template` or `items`.
    what: &'static str,
    /// Of the `ConfigMap`.
    name: String,
    text: String,
}

/// The manifest, and what was taken out of it or read for it.
///
/// # Errors
/// A file cannot be read, or something is too long for a `ConfigMap`.
pub fn taken_out(mut manifest: Value, sources: &LocalSources) -> anyhow::Result<(Value, Inputs)> {
    let mut inputs = Inputs::default();
    let job = manifest["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let spec = &mut manifest["spec"];
    if let Some(text) = template(&mut spec["prompt"], sources)? {
        spec["prompt"]["templateFrom"] = inputs.take(&job, "template", text)?;
    }
    if let Some(text) = items(&mut spec["batch"], sources)? {
        spec["batch"]["itemsFrom"] = inputs.take(&job, "items", text)?;
    }
    Ok((manifest, inputs))
}

/// The template that is to go beside the job, taken out. A short one of a file comes into it.
fn template(prompt: &mut Value, sources: &LocalSources) -> anyhow::Result<Option<String>> {
    let Some(prompt) = prompt.as_object_mut() else { return Ok(None) };
    let file = prompt.remove("templateFile");
    if prompt.contains_key("templateFrom") {
        return Ok(None);
    }
    let read = match (prompt.get("template").and_then(Value::as_str), file.as_ref().and_then(Value::as_str)) {
        (Some(inline), _) => inline.to_owned(),
        (None, Some(file)) => sources.file(file).with_context(|| format!("prompt.templateFile {file}"))?,
        (None, None) => return Ok(None),
    };
    prompt.remove("template");
    if read.len() > LONG {
        return Ok(Some(read));
    }
    prompt.insert("template".to_owned(), read.into());
    Ok(None)
}

/// The items that are to go beside the job, taken out.
fn items(batch: &mut Value, sources: &LocalSources) -> anyhow::Result<Option<String>> {
    let Some(batch) = batch.as_object_mut() else { return Ok(None) };
    if let Some(inline) = batch.get("items").map(Value::to_string).filter(|text| text.len() > LONG) {
        batch.remove("items");
        return Ok(Some(inline));
    }
    let from = batch.get("itemsFrom").cloned().unwrap_or_default();
    if from["configMapKeyRef"].is_object() {
        batch.insert("itemsFrom".to_owned(), json!({"configMapKeyRef": from["configMapKeyRef"]}));
        return Ok(None);
    }
    let text = match (from["file"].as_str(), from["command"].as_str()) {
        (Some(file), _) => sources.file(file).with_context(|| format!("batch.itemsFrom.file {file}"))?,
        (None, Some(command)) => sources.command(command).context("batch.itemsFrom.command")?,
        (None, None) => return Ok(None),
    };
    Ok(Some(text))
}

impl Inputs {
    /// Takes a text in, and gives what refers to it.
    fn take(&mut self, job: &str, what: &'static str, text: String) -> anyhow::Result<Value> {
        if text.len() > MOST {
            let message = format!(
                "the {what} have {} bytes, and a ConfigMap holds {}",
                format::count(text.len() as u64),
                format::count(MOST as u64)
            );
            let hint = "cut the job into several, or put the files into its workspace and name them there";
            return Err(Advised::new(message, hint).into());
        }
        // By its text: what a run has begun with is never changed under it.
        let name = format!("{job}-{what}-{}", &hash_of(&text)[..10]);
        let refers = json!({"configMapKeyRef": {"name": name, "key": KEY}});
        self.0.push(Input { what, name, text });
        Ok(refers)
    }

    /// What people are told of them.
    pub fn told(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|input| {
            let size = format::count(input.text.len() as u64);
            format!("{}: {size} bytes, in the ConfigMap {}", input.what, input.name)
        })
    }

    /// Everything that the job names, to render its prompts with; `Err` says what cannot be read.
    ///
    /// # Errors
    /// The API server cannot be asked.
    pub async fn sources(
        &self,
        place: &Cluster,
        manifest: &Value,
    ) -> anyhow::Result<Result<ClusterSources, String>> {
        let spec: MozartJobSpec =
            serde_json::from_value(manifest["spec"].clone()).context("the manifest is no job")?;
        let mut sources = ClusterSources::default();
        for key in ClusterSources::named(&spec) {
            match self.text(place, key).await? {
                Ok(text) => sources.put(key, text),
                Err(missing) => return Ok(Err(missing)),
            }
        }
        Ok(Ok(sources))
    }

    async fn text(&self, place: &Cluster, key: &KeyReference) -> anyhow::Result<Result<String, String>> {
        if let Some(own) = self.0.iter().find(|input| input.name == key.name && key.key == KEY) {
            return Ok(Ok(own.text.clone()));
        }
        let found = match self::maps(place).get_opt(&key.name).await {
            Err(kube::Error::Api(answer)) if answer.is_forbidden() => {
                return Ok(Err(format!("you may not read the ConfigMap {}", key.name)));
            }
            found => found.with_context(|| format!("the ConfigMap {} cannot be read", key.name))?,
        };
        let Some(found) = found else { return Ok(Err(format!("there is no ConfigMap {} yet", key.name))) };
        let text = found.data.and_then(|mut data| data.remove(&key.key));
        Ok(text.ok_or_else(|| format!("the ConfigMap {} has no key {}", key.name, key.key)))
    }

    /// Makes them; one that is there already is the same, since its name is made of its text.
    ///
    /// # Errors
    /// The API server does not take them.
    pub async fn put(&self, place: &Cluster, dry_run: bool) -> anyhow::Result<()> {
        for Input { name, text, .. } in &self.0 {
            let map = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": MANAGER}},
                "data": {KEY: text}, "immutable": true,
            });
            let parameters = PatchParams { dry_run, ..PatchParams::apply(MANAGER).force() };
            let put = maps(place).patch(name, &parameters, &Patch::Apply(&map)).await;
            put.with_context(|| format!("the ConfigMap {name} cannot be made"))?;
        }
        Ok(())
    }

    /// Makes them go with the job.
    ///
    /// # Errors
    /// The API server does not take that.
    pub async fn own(&self, place: &Cluster, job: &DynamicObject) -> anyhow::Result<()> {
        for Input { name, .. } in &self.0 {
            let owner = json!({"metadata": {"ownerReferences": [{
                "apiVersion": crate::api::API_VERSION, "kind": crate::api::KIND, "name": job.name_any(),
                "uid": job.uid().unwrap_or_default(),
            }]}});
            let owned = maps(place).patch(name, &PatchParams::default(), &Patch::Strategic(&owner)).await;
            owned.with_context(|| format!("the ConfigMap {name} cannot be given to the job"))?;
        }
        Ok(())
    }
}

fn maps(place: &Cluster) -> Api<ConfigMap> {
    Api::namespaced(place.client.clone(), &place.namespace)
}
