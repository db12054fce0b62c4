use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use super::Desk;

const PLAIN: &str = "name: review
workspace: ./work
backend: {type: command, command: [cat]}
batch: {size: 10, total_items: 55}
prompt: {template: 'Items {{ start_item }} to {{ end_item }}'}
";

fn manifest(prompt: &str, batch: &str) -> String {
    format!(
        "apiVersion: mozart.dev/v1alpha1\nkind: MozartJob\nmetadata: {{name: review}}\nspec:\n  \
         workspace: {{emptyDir: {{}}}}\n  backend: {{type: command, command: [cat]}}\n  batch: {{{batch}}}\n  \
         prompt: {{{prompt}}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_file_is_submitted_changed_and_left_as_it_is() {
    let desk = Desk::new().await;
    let file = |size: u32| manifest("template: '{{ start_item }}'", &format!("size: {size}, totalItems: 55"));
    desk.place.write("job.yaml", &file(10));
    desk.place.write("larger.yaml", &file(20));
    desk.place.write("mistaken.yaml", &file(10).replace("template", "templat"));
    desk.place.write("plain.yaml", PLAIN);
    let said = desk
        .session(&[
            "submit job.yaml --dry-run",
            "submit job.yaml",
            "submit job.yaml",
            "submit larger.yaml",
            "submit job.yaml --set batch.parallelism=4",
            "submit mistaken.yaml",
            "submit plain.yaml",
            "submit nowhere.yaml",
        ])
        .await;
    insta::assert_snapshot!(said);
    let spec = desk.spec("review").await;
    assert_eq!((&spec["batch"]["size"], &spec["batch"]["parallelism"]), (&10.into(), &4.into()));
    desk.namespace.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_long_or_beside_the_file_goes_into_config_maps_that_go_with_the_job() {
    let desk = Desk::new().await;
    let template = format!("{}{{{{ items[0] }}}}", "Look at it with care. ".repeat(2000));
    desk.place.write("review.j2", &template);
    desk.place.write("items.txt", "a.rs\nb.rs\nc.rs\n");
    desk.place
        .write("job.yaml", &manifest("templateFile: review.j2", "size: 1, itemsFrom: {file: items.txt}"));
    insta::assert_snapshot!(desk.session(&["submit job.yaml", "submit job.yaml"]).await);
    let spec = desk.spec("review").await;
    assert!(spec["prompt"].get("templateFile").is_none() && spec["batch"]["itemsFrom"].get("file").is_none());
    let maps: Api<ConfigMap> = Api::namespaced(desk.namespace.client.clone(), &desk.namespace.name);
    for (reference, text) in [
        (&spec["prompt"]["templateFrom"], template.as_str()),
        (&spec["batch"]["itemsFrom"], "a.rs\nb.rs\nc.rs\n"),
    ] {
        let map = maps.get(reference["configMapKeyRef"]["name"].as_str().unwrap()).await.unwrap();
        assert_eq!(map.data.unwrap()["text"], text);
        assert_eq!(map.immutable, Some(true));
        assert_eq!(map.metadata.owner_references.unwrap()[0].name, "review");
    }
    desk.namespace.delete().await;
}
