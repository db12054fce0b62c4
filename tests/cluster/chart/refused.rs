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
        (
            "networkPolicy: {enabled: true, apiServer: {cidrs: [10.0.0.2/32]}, cilium: {enabled: true}}",
            "cilium",
        ),
        ("networkPolicy: {cilium: {fqdns: [hooks.slack.com]}}", "fqdns"),
        ("networkPolicy: {cilium: {names: [https://hooks.slack.com]}}", "names"),
        ("ingress: {enabled: true}", "ingress"),
        // What `helm upgrade --reuse-values` makes of values that an older chart did not have.
        ("dashboard: {ingress: null}", "ingress"),
        ("networkPolicy: {cilium: null}", "cilium"),
        ("dashboard: {ingress: {enabled: true}}", "hosts"),
        ("dashboard: {ingress: {enabled: true, hosts: [\"*.example.com\"]}}", "hosts"),
        ("dashboard: {ingress: {enabled: true, hosts: [{host: a}]}}", "hosts"),
        ("dashboard: {ingress: {enabled: true, hosts: [a], tls: [{secretName: a}]}}", "tls"),
        ("dashboard: {ingress: {ingressClassName: nginx}}", "ingressClassName"),
        ("dashboard: {enabled: false, ingress: {enabled: true, hosts: [a]}}", "ingress"),
        ("dashboard: {httpRoute: {enabled: true, hostnames: [a]}}", "parentRefs"),
        ("dashboard: {httpRoute: {enabled: true, parentRefs: [{name: a}]}}", "hostnames"),
        ("dashboard: {httpRoute: {parentRefs: [{gateway: a}]}}", "parentRefs"),
        ("dashboard: {httpRoute: {timeouts: {request: forever}}}", "timeouts"),
    ];
    let checks = wrong.map(async |(values, word)| {
        let refusal = rendered("a", values).await.expect_err(values);
        assert!(refusal.contains("schema") && refusal.contains(word), "{values}: {refusal}");
    });
    futures::future::join_all(checks).await;
}
