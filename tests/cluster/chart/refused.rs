//! Values that are wrong are refused before anything is made, by name.

use super::rendered;

#[tokio::test]
async fn unknown_and_mistyped_values_are_refused_by_name() {
    let wrong = [
        ("replica: 2", "replica"),
        ("replicas: 3", "replicas"),
        ("replicas: \"1\"", "replicas"),
        ("image: mozart:1", "image"),
        ("image: {repository: \"mozart:1\"}", "repository"),
        ("image: {digest: \"sha256:12\"}", "digest"),
        ("image: {pullPolicy: Sometimes}", "pullPolicy"),
        ("batchImage: {name: batch}", "name"),
        ("batchImage: {tag: 1}", "tag"),
        ("imagePullSecrets: [registry]", "imagePullSecrets"),
        ("crds: {keep: \"yes\"}", "keep"),
        ("crds: {install: true}", "install"),
        ("rbac: {aggregated: true}", "aggregated"),
        ("serviceAccount: {name: My_Account}", "name"),
        ("jobs: {namespaces: team-a}", "namespaces"),
        ("jobs: {namespaces: [Team_A]}", "namespaces"),
        ("jobs: {namespaces: [a], clusterWide: true}", "namespaces"),
        ("jobs: {allow: [hostPath]}", "allow"),
        ("jobs: {fsGroup: 1000}", "fsGroup"),
        ("credential: {apiKey: sk-ant-1}", "apiKey"),
        ("credential: {type: ApiKey}", "type"),
        ("credential: {baseURL: \"file:///etc/passwd\"}", "baseURL"),
        ("log: {level: verbose}", "level"),
        ("resources: {limit: {memory: 1Gi}}", "limit"),
        ("runAsUser: 0", "runAsUser"),
        ("extraEnv: {HTTPS_PROXY: here}", "extraEnv"),
        ("extraEnv: [{name: MOZART_POD_UID, value: \"1\"}]", "extraEnv"),
        ("networkPolicy: {enabled: true}", "cidrs"),
        ("networkPolicy: {enabled: true, apiServer: {cidrs: [kubernetes]}}", "cidrs"),
        ("ingress: {enabled: true}", "ingress"),
    ];
    let checks = wrong.map(async |(values, word)| {
        let refusal = rendered("a", values).await.expect_err(values);
        assert!(refusal.contains("schema") && refusal.contains(word), "{values}: {refusal}");
    });
    futures::future::join_all(checks).await;
}
