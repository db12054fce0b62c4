//! A job or a credential as it is read from the API server, without what nobody looks at: its managed fields are a tree of
//! small maps, which takes more memory than all the rest, and most of the time of parsing.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Resource,
    api::{ApiResource, DynamicObject},
    core::DynamicResourceScope,
    runtime::watcher::Event,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::launch::pod::LeanMeta;

/// About so many bytes an object's managed fields take: they are stored with it, though nobody reads them here.
pub const MANAGED: u64 = 4 * 1024;

/// An object with the metadata that Mozart looks at, its spec and its status.
#[derive(Clone, Debug)]
pub struct LeanObject(pub DynamicObject);

impl LeanObject {
    /// What a watch has told, as of any object.
    pub fn told(event: Event<Self>) -> Event<DynamicObject> {
        match event {
            Event::Apply(Self(object)) => Event::Apply(object),
            Event::Delete(Self(object)) => Event::Delete(object),
            Event::Init => Event::Init,
            Event::InitApply(Self(object)) => Event::InitApply(object),
            Event::InitDone => Event::InitDone,
        }
    }
}

impl<'de> Deserialize<'de> for LeanObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Lean { metadata, spec, status } = Lean::deserialize(deserializer)?;
        let parts = [("spec", spec), ("status", status)];
        let there = parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?)));
        let data = Value::Object(there.collect::<Map<_, _>>());
        Ok(Self(DynamicObject { types: None, metadata: metadata.into(), data }))
    }
}

#[derive(Deserialize)]
struct Lean {
    metadata: LeanMeta,
    spec: Option<Value>,
    status: Option<Value>,
}

impl Resource for LeanObject {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(of: &ApiResource) -> Cow<'_, str> {
        DynamicObject::kind(of)
    }
    fn group(of: &ApiResource) -> Cow<'_, str> {
        DynamicObject::group(of)
    }
    fn version(of: &ApiResource) -> Cow<'_, str> {
        DynamicObject::version(of)
    }
    fn plural(of: &ApiResource) -> Cow<'_, str> {
        DynamicObject::plural(of)
    }
    fn meta(&self) -> &ObjectMeta {
        &self.0.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_but_the_managed_fields_and_what_no_object_of_ours_has_is_read() {
        let read = |object: Value| serde_json::from_value::<LeanObject>(object).unwrap().0;
        let metadata = json!({
            "name": "review", "namespace": "team", "uid": "u", "resourceVersion": "5", "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-01T00:00:01Z",
            "labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["mozart.dev/pods"],
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "v"}],
        });
        let mut given = metadata.clone();
        given["managedFields"] = json!([{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:prompt": {}}}}]);
        let spec = json!({"prompt": {"template": "x"}});
        let object =
            read(json!({"apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": given,
            "spec": spec, "status": {"phase": "Running"}}));
        assert_eq!(serde_json::to_value(&object.metadata).unwrap(), metadata);
        assert_eq!(object.data, json!({"spec": spec, "status": {"phase": "Running"}}));
        assert_eq!(read(json!({"metadata": {"name": "a"}, "spec": {}})).data, json!({"spec": {}}));
    }
}
