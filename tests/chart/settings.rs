//! What single settings change in what is rendered: a row each.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::helm::{self, both, find, objects};

/// What one setting changes: arguments, the object's kind and name, where in it, and what is there.
fn rows() -> Vec<(&'static str, &'static str, &'static str, &'static str, Value)> {
    vec![
        ("replicas=2", "Deployment", "certferry", "/spec/replicas", json!(2)),
        ("hostUsers=false", "Deployment", "certferry", "/spec/template/spec/hostUsers", json!(false)),
        (
            "image.tag=v9",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/image",
            json!("ghcr.io/certferry/certferry:v9"),
        ),
        (
            "image.registry=r.example.com:5000/a,image.tag=v9",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/image",
            json!("r.example.com:5000/a/certferry/certferry:v9"),
        ),
        (
            "image.tag=v9,image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/image",
            json!(
                "ghcr.io/certferry/certferry@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
            ),
        ),
        (
            "global.imageRegistry=r.example.com,image.tag=v9",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/image",
            json!("r.example.com/certferry/certferry:v9"),
        ),
        (
            "global.imagePullSecrets[0].name=a,global.imagePullSecrets[1]=b,imagePullSecrets[0].name=b",
            "Deployment",
            "certferry",
            "/spec/template/spec/imagePullSecrets",
            json!([{ "name": "b" }, { "name": "a" }]),
        ),
        (
            "global=null",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/image",
            json!(concat!("ghcr.io/certferry/certferry:", env!("CARGO_PKG_VERSION"))),
        ),
        (
            "networkPolicy.enabled=true,networkPolicy.instanceMetadata=true",
            "NetworkPolicy",
            "certferry",
            "/spec/egress/2",
            json!({
                "to": [{ "ipBlock": { "cidr": "169.254.169.254/32" } }], "ports": [{ "port": 80, "protocol": "TCP" }],
            }),
        ),
        (
            "metrics.prometheusRule.enabled=true,metrics.prometheusRule.disabled={CertferryRenewalOverdue}",
            "PrometheusRule",
            "certferry",
            "/spec/groups/0/rules/0/alert",
            json!("CertferryCertExpirySoon"),
        ),
        (
            "metrics.prometheusRule.enabled=true,metrics.prometheusRule.ruleLabels.team=a",
            "PrometheusRule",
            "certferry",
            "/spec/groups/0/rules/0/labels",
            json!({ "severity": "critical", "team": "a" }),
        ),
        ("namespaceOverride=x", "ServiceAccount", "certferry", "/metadata/namespace", json!("x")),
        ("namespaceOverride=x", "ClusterRoleBinding", "certferry", "/subjects/0/namespace", json!("x")),
        ("namespaceOverride=x", "RoleBinding", "certferry-sources", "/metadata/namespace", json!("x")),
        (
            "startupProbe.failureThreshold=9",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/startupProbe",
            json!({ "httpGet": { "path": "/healthz", "port": "health" }, "failureThreshold": 9 }),
        ),
        (
            "metrics.podMonitor.enabled=true,metrics.podMonitor.namespace=monitoring",
            "PodMonitor",
            "certferry",
            "/spec/namespaceSelector",
            json!({ "matchNames": [helm::NAMESPACE] }),
        ),
        (
            "metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.namespace=monitoring",
            "ServiceMonitor",
            "certferry",
            "/metadata/namespace",
            json!("monitoring"),
        ),
        (
            "metrics.service.enabled=true,metrics.service.ipFamilies={IPv6}",
            "Service",
            "certferry-metrics",
            "/spec/ipFamilies",
            json!(["IPv6"]),
        ),
        ("commonLabels.a=b", "ClusterRole", "certferry-view", "/metadata/labels/a", json!("b")),
        (
            "commonLabels.a=b",
            "CustomResourceDefinition",
            "cloudaccounts.certferry.dev",
            "/metadata/labels/a",
            json!("b"),
        ),
        ("commonAnnotations.a=b", "ServiceAccount", "certferry", "/metadata/annotations/a", json!("b")),
        (
            "crds.keep=true",
            "CustomResourceDefinition",
            "cloudaccounts.certferry.dev",
            "/metadata/annotations",
            json!({
                "helm.sh/resource-policy": "keep",
                "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
            }),
        ),
        (
            r"crds.annotations.argocd\.argoproj\.io/sync-options=ServerSideApply=true",
            "CustomResourceDefinition",
            "cloudaccounts.certferry.dev",
            "/metadata/annotations/argocd.argoproj.io~1sync-options",
            json!("ServerSideApply=true,Prune=false,Delete=false"),
        ),
        (
            r"commonAnnotations.argocd\.argoproj\.io/sync-options=Prune=true",
            "CustomResourceDefinition",
            "cloudaccounts.certferry.dev",
            "/metadata/annotations/argocd.argoproj.io~1sync-options",
            json!("Prune=true,Delete=false"),
        ),
        (
            "crds.keep=false",
            "CustomResourceDefinition",
            "cloudaccounts.certferry.dev",
            "/metadata/annotations",
            Value::Null,
        ),
        (
            "serviceAccount.name=other",
            "Deployment",
            "certferry",
            "/spec/template/spec/serviceAccountName",
            json!("other"),
        ),
        ("serviceAccount.name=other", "ClusterRoleBinding", "certferry", "/subjects/0/name", json!("other")),
        (
            "rbac.aggregate=true",
            "ClusterRole",
            "certferry-view",
            "/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-view",
            json!("true"),
        ),
        (
            "rbac.aggregate=true",
            "ClusterRole",
            "certferry-edit",
            "/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-view",
            Value::Null,
        ),
        (
            "rbac.aggregate=false",
            "ClusterRole",
            "certferry-view",
            "/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-view",
            Value::Null,
        ),
        (
            "workloadIdentity.enabled=true",
            "Deployment",
            "certferry",
            "/spec/template/metadata/labels/azure.workload.identity~1use",
            json!("true"),
        ),
        (
            "topologySpreadConstraints=null",
            "Deployment",
            "certferry",
            "/spec/template/spec/topologySpreadConstraints",
            Value::Null,
        ),
        (
            "priorityClassName=p",
            "Deployment",
            "certferry",
            "/spec/template/spec/priorityClassName",
            json!("p"),
        ),
        (
            "runtimeClassName=gvisor",
            "Deployment",
            "certferry",
            "/spec/template/spec/runtimeClassName",
            json!("gvisor"),
        ),
        (
            "podDisruptionBudget.minAvailable=1",
            "PodDisruptionBudget",
            "certferry",
            "/spec",
            json!({ "minAvailable": 1, "selector": { "matchLabels": {
                "app.kubernetes.io/instance": "certferry", "app.kubernetes.io/name": "certferry",
            } } }),
        ),
        (
            "podDisruptionBudget.minAvailable=50%",
            "PodDisruptionBudget",
            "certferry",
            "/spec/minAvailable",
            json!("50%"),
        ),
        ("replicas=2", "PodDisruptionBudget", "certferry", "/spec/maxUnavailable", json!(1)),
        (
            "caBundle.configMap=trust",
            "Deployment",
            "certferry",
            "/spec/template/spec/volumes",
            json!([{ "name": "ca-bundle", "configMap": {
                "name": "trust", "items": [{ "key": "ca.crt", "path": "ca.crt" }],
            } }]),
        ),
        (
            "caBundle.secret=trust,caBundle.key=all.pem",
            "Deployment",
            "certferry",
            "/spec/template/spec/volumes",
            json!([{ "name": "ca-bundle", "secret": {
                "secretName": "trust", "items": [{ "key": "all.pem", "path": "all.pem" }],
            } }]),
        ),
        (
            "caBundle.secret=trust,caBundle.key=all.pem",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/volumeMounts",
            json!([{ "name": "ca-bundle", "mountPath": "/etc/certferry/ca", "readOnly": true }]),
        ),
        (
            "caBundle.secret=trust,caBundle.key=all.pem",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/env/3",
            json!({ "name": "SSL_CERT_FILE", "value": "/etc/certferry/ca/all.pem" }),
        ),
        ("replicas=2", "Deployment", "certferry", "/spec/template/spec/volumes", Value::Null),
        (
            "metrics.serviceMonitor.enabled=true",
            "Service",
            "certferry-metrics",
            "/spec/ports/0/port",
            json!(8080),
        ),
        (
            "metrics.serviceMonitor.enabled=true",
            "ServiceMonitor",
            "certferry",
            "/spec/endpoints/0/honorLabels",
            json!(true),
        ),
        (
            "metrics.objectConditions=true",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/args/4",
            json!("--object-conditions"),
        ),
        (
            "metrics.podMonitor.enabled=true",
            "PodMonitor",
            "certferry",
            "/spec/podMetricsEndpoints/0/honorLabels",
            json!(true),
        ),
        (
            "metrics.prometheusRule.enabled=true,metrics.prometheusRule.runbooks=https://x/alerts",
            "PrometheusRule",
            "certferry",
            "/spec/groups/0/rules/0/annotations/runbook_url",
            json!("https://x/alerts#certferryrenewaloverdue"),
        ),
        (
            "otlp.endpoint=http://c:4318",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/env/3",
            json!({ "name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://c:4318" }),
        ),
        (
            "suspend=true",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/args/4",
            json!("--suspend"),
        ),
        (
            "proxy.url=http://proxy:3128",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/env/3",
            json!({ "name": "CERTFERRY_PROXY", "value": "http://proxy:3128" }),
        ),
        (
            "proxy.except={10.0.0.0/8,example.com}",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/env/3",
            json!({ "name": "CERTFERRY_NO_PROXY", "value": "10.0.0.0/8,example.com" }),
        ),
    ]
}

#[tokio::test]
async fn a_setting_does_what_it_says() -> Result<()> {
    let [_, helm] = both(None).await?;
    for (set, kind, name, pointer, expected) in rows() {
        let objects = objects(&helm.template(&["--set", set]).await?)?;
        let object = find(&objects, kind, name).with_context(|| format!("{set}: no {kind} {name}"))?;
        let found = object.pointer(pointer).unwrap_or(&Value::Null);
        ensure!(*found == expected, "{set}: {kind} {name} has {found} at {pointer}");
    }
    Ok(())
}
