use serde_json::json;

use super::*;

const KIND: &str = "IotHubCertificate";

fn named(name: &str) -> Named {
    Named { kind: KIND, namespace: "devices".into(), name: name.into() }
}

fn condition(type_: &str, status: &str, reason: &str) -> Condition {
    let condition = json!({
        "type": type_, "status": status, "reason": reason, "message": "", "observedGeneration": 1,
        "lastTransitionTime": "2030-01-01T00:00:00Z",
    });
    serde_json::from_value(condition).unwrap()
}

#[track_caller]
fn assert_tells(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.render().unwrap();
    for line in lines {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn what_was_recorded_is_told_in_the_text_format() {
    let metrics = Metrics::default();
    metrics.may_work(KIND, 8);
    metrics.due(named("a"), Duration::ZERO);
    metrics.due(named("b"), Duration::ZERO);
    metrics.due(named("later"), Duration::from_secs(3600));
    let working = metrics.working(&named("a"));
    metrics.passed(KIND, Passed::RequeueAfter, Duration::from_millis(20));
    metrics.called("Azure", "Microsoft.Devices/read", false, Some(429), Duration::from_millis(5));
    metrics.called("Azure", "Microsoft.Devices/read", false, Some(999), Duration::from_millis(5));
    metrics.called("Azure", "Microsoft.Devices/write", true, None, Duration::from_secs(30));
    metrics.followed_source(KIND, Duration::from_secs(2));
    metrics.drifted(KIND, true);
    assert_tells(
        &metrics,
        &[
            r#"certferry_build_info{version="0.1.0",commit=""#,
            r#",tls="aws-lc-rs"} 1"#,
            r#"controller_runtime_active_workers{controller="IotHubCertificate"} 1"#,
            r#"workqueue_depth{name="IotHubCertificate",controller="IotHubCertificate"} 1"#,
            r#"workqueue_queue_duration_seconds_count{name="IotHubCertificate",controller="IotHubCertificate"} 1"#,
            r#"controller_runtime_reconcile_total{controller="IotHubCertificate",result="requeue_after"} 1"#,
            r#"certferry_cloud_throttled_total{provider="Azure",operation="Microsoft.Devices/read"} 1"#,
            r#"certferry_cloud_writes_total{provider="Azure",operation="Microsoft.Devices/write"} 1"#,
            r#"certferry_cloud_requests_total{provider="Azure",operation="Microsoft.Devices/write",code="none"} 1"#,
            r#"certferry_cloud_requests_total{provider="Azure",operation="Microsoft.Devices/read",code="other"} 1"#,
            "certferry_cloud_request_duration_seconds_count",
            r#"certferry_source_to_remote_seconds_sum{kind="IotHubCertificate"} 2.0"#,
            r#"certferry_drift_detected_total{kind="IotHubCertificate",corrected="true"} 1"#,
        ],
    );
    drop(working);
    assert_tells(&metrics, &[r#"active_workers{controller="IotHubCertificate"} 0"#]);
}

#[test]
fn an_object_that_is_gone_is_told_no_more() {
    let metrics = Metrics::new(true);
    let status = json!({
        "certificate": { "subject": "CN=a", "sha1Thumbprint": "AA", "notAfter": "2030-01-01T00:00:00Z" },
    });
    let status = serde_json::from_value(status).unwrap();
    metrics.told(named("a"), &[condition("Ready", "True", "Ready")], Some(&status));
    assert_tells(
        &metrics,
        &[
            r#"certferry_certificate_expiration_timestamp_seconds{namespace="devices",name="a""#,
            r#"certferry_object_condition{namespace="devices",name="a",kind="IotHubCertificate",type="Ready",status="True",reason="Ready"} 1"#,
        ],
    );
    metrics.forget(&named("a"));
    assert!(!metrics.render().unwrap().contains("devices"));
}

#[test]
fn the_conditions_of_each_object_are_told_only_where_asked() {
    let metrics = Metrics::default();
    metrics.told(named("a"), &[condition("Ready", "False", "AccessDenied")], None);
    metrics.told(named("b"), &[condition("Ready", "False", "AccessDenied")], None);
    metrics.told(named("c"), &[condition("Ready", "False", "a-word-of-somebody-else")], None);
    assert_tells(
        &metrics,
        &[
            r#"certferry_resource_condition{kind="IotHubCertificate",type="Ready",status="False",reason="AccessDenied"} 2"#,
            r#"certferry_resource_condition{kind="IotHubCertificate",type="Ready",status="False",reason="Other"} 1"#,
        ],
    );
    let text = metrics.render().unwrap();
    assert!(!text.contains("somebody-else") && !text.contains("devices"), "{text}");
}

#[test]
fn stalled_passes_and_blocked_deletions_are_counted() {
    let metrics = Metrics::default();
    let blocked =
        [condition("Ready", "False", "DeletionBlocked"), condition("Stalled", "True", "DeletionBlocked")];
    metrics.told(named("a"), &blocked, None);
    metrics.deletion_blocked(named("a"), Reason::AccessDenied);
    metrics.told(named("b"), &blocked, None);
    metrics.told(named("c"), &[condition("Ready", "True", "Ready")], None);
    assert_tells(
        &metrics,
        &[
            r#"controller_runtime_terminal_reconcile_errors_total{controller="IotHubCertificate"} 2"#,
            r#"certferry_deletion_blocked{kind="IotHubCertificate",reason="AccessDenied"} 1"#,
            r#"certferry_deletion_blocked{kind="IotHubCertificate",reason="DeletionBlocked"} 1"#,
        ],
    );
    metrics.told(named("a"), &[condition("Ready", "True", "Ready")], None);
    assert!(!metrics.render().unwrap().contains(r#"reason="AccessDenied""#));
}

#[test]
fn the_end_of_a_credential_is_asked_for_at_each_scrape_and_told_where_it_is_known() {
    let metrics = Metrics::default();
    let account = |name: &str| Named { kind: "CloudAccount", ..named(name) };
    let ends = |temporary, at| Some(Credential { temporary, until: Box::new(move || at) });
    metrics.credential(account("dated"), ends(false, Some(1_900_000_000)));
    metrics.credential(account("federated"), ends(true, Some(1_800_000_000)));
    metrics.credential(account("unknown"), ends(false, None));
    metrics.told(account("dated"), &[condition("Ready", "True", "Ready")], None);
    let name = "certferry_credential_expiration_timestamp_seconds";
    assert_tells(
        &metrics,
        &[
            &format!(r#"{name}{{namespace="devices",name="dated",credential="secret"}} 1900000000"#),
            &format!(r#"{name}{{namespace="devices",name="federated",credential="temporary"}} 1800000000"#),
        ],
    );
    assert!(!metrics.render().unwrap().contains("unknown\",credential"));
}

#[test]
fn a_replica_that_leads_no_more_tells_of_no_object_and_no_watch() {
    let metrics = Metrics::new(true);
    metrics.may_work(KIND, 8);
    metrics.leads(true);
    metrics.watched(KIND);
    metrics.due(named("a"), Duration::ZERO);
    metrics.told(named("a"), &[condition("Ready", "True", "Ready")], None);
    metrics.leads(false);
    let text = metrics.render().unwrap();
    assert!(
        !text.contains("devices") && !text.contains("certferry_watch_last_progress_timestamp_seconds{"),
        "{text}"
    );
    assert_tells(
        &metrics,
        &[r#"workqueue_depth{name="IotHubCertificate",controller="IotHubCertificate"} 0"#],
    );
}
