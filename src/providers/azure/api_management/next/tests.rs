//! The rows of what a service needs next.

use super::*;
use crate::engine::Step as _;

const ID: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/a/certificates/web";
const PLACE: &str = "https://web-1.vault.azure.net/secrets/web";

fn data(file: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/pki/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn identity() -> Identity {
    let certificates = crate::pki::certificates(&data("p-256.pem")).unwrap();
    let key = crate::pki::PrivateKey::parse(&data("p-256.pkcs8.pem")).unwrap();
    Identity::assemble(key, certificates).unwrap()
}

fn file() -> Desired {
    Desired::File { identity: Box::new(identity()), encryption: Pkcs12Encryption::TripleDes }
}

fn ours() -> Thumbprint {
    identity().leaf().sha1_thumbprint()
}

fn other() -> Thumbprint {
    "00112233445566778899AABBCCDDEEFF00112233".parse().unwrap()
}

fn newest(thumbprint: Thumbprint) -> CertificateSummary {
    CertificateSummary {
        subject: "CN=web".to_owned(),
        serial_number: None,
        sha1_thumbprint: thumbprint.to_string(),
        sha256_fingerprint: None,
        not_before: None,
        not_after: Timestamp::MAX,
    }
}

fn vault(identity: Option<&str>, known: Option<Thumbprint>) -> Desired {
    Desired::Vault(Box::new(VaultWish {
        place: Place::Written(PLACE.to_owned()),
        identity: identity.map(str::to_owned),
        newest: known.map(newest),
    }))
}

fn remote(thumbprint: Thumbprint, place: Option<(&str, Option<&str>, Option<&str>)>) -> Option<Remote> {
    Some(Remote {
        id: ID.to_owned(),
        etag: "\"AAAA=\"".to_owned(),
        thumbprint,
        subject: "CN=web".to_owned(),
        not_after: None,
        vault: place.map(|(identifier, identity, failed)| VaultReference {
            identifier: identifier.to_owned(),
            identity: identity.map(str::to_owned),
            failed: failed.map(str::to_owned),
        }),
    })
}

/// By record, of a certificate with that thumbprint.
fn recorded(thumbprint: Thumbprint) -> Held {
    Held { origin: Some(Origin::Created), thumbprint: Some(thumbprint), ..Held::default() }
}

fn told(next: &Next<Step>) -> String {
    match next {
        Next::Done => "Done".to_owned(),
        Next::Step(step) => step.name().to_owned(),
        Next::Wait { reason, .. } => format!("Wait {reason}"),
        Next::Await { reason, .. } => format!("Await {reason}"),
        Next::Stuck { reason, .. } => format!("Stuck {reason}"),
    }
}

fn present(want: Desired, remote: Option<Remote>, held: Held) -> String {
    let observed = Observed { remote, identifier: Some(PLACE.to_owned()), held };
    told(&next(&Goal::Present(want), &observed))
}

#[test]
fn a_file_is_compared_by_its_thumbprint() {
    let place = Some((PLACE, None, None));
    for (remote, held, expected) in [
        (None, Held::default(), "Create"),
        (None, recorded(ours()), "Create"),
        (remote(ours(), None), recorded(ours()), "Done"),
        (remote(other(), None), recorded(ours()), "Replace"),
        (remote(other(), None), recorded(other()), "Replace"),
        (remote(ours(), place), recorded(ours()), "Replace"),
    ] {
        assert_eq!(present(file(), remote, held), expected);
    }
}

#[test]
fn a_reference_is_compared_as_such_and_its_content_refreshed() {
    let client = "AAAAAAAA-0000-4000-8000-000000000000";
    let lower = client.to_ascii_lowercase();
    let upper_host = "https://WEB-1.vault.azure.net/secrets/web/";
    let versioned = format!("{PLACE}/0123");
    let held = || Held { by_vault: true, ..recorded(ours()) };
    for (want, place, thumbprint, expected) in [
        (vault(None, None), (PLACE, None, None), ours(), "Done"),
        (vault(None, None), (upper_host, Some(""), None), ours(), "Done"),
        (vault(Some(client), None), (PLACE, Some(lower.as_str()), None), ours(), "Done"),
        (vault(Some(client), None), (PLACE, None, None), ours(), "Replace"),
        (vault(None, None), (PLACE, Some(client), None), ours(), "Replace"),
        (vault(None, None), (versioned.as_str(), None, None), ours(), "Replace"),
        (vault(None, None), ("https://web-1.vault.azure.net/secrets/Web", None, None), ours(), "Replace"),
        (vault(None, Some(ours())), (PLACE, None, None), ours(), "Done"),
        (vault(None, Some(ours())), (PLACE, None, None), other(), "Refresh"),
        (vault(None, None), (PLACE, None, Some("Forbidden")), ours(), "Refresh"),
    ] {
        assert_eq!(present(want, remote(thumbprint, Some(place)), held()), expected, "{place:?}");
    }
    assert_eq!(present(vault(None, None), remote(ours(), None), held()), "Replace");
}

#[test]
fn anothers_certificate_is_taken_over_as_the_policy_says() {
    use AdoptionPolicy::{Always, IfIdentical, Never};
    for (adoption, thumbprint, expected) in [
        (Never, ours(), "Stuck NotOwned"),
        (IfIdentical, ours(), "Done"),
        (IfIdentical, other(), "Stuck NotOwned"),
        (Always, ours(), "Done"),
        (Always, other(), "Replace"),
    ] {
        let held = Held { adoption, ..Held::default() };
        assert_eq!(present(file(), remote(thumbprint, None), held), expected, "{adoption:?}");
    }
    // What the record says that we were about to write is ours.
    let intended =
        Held { intended: Some(ours().to_string()), adoption: AdoptionPolicy::Never, ..Held::default() };
    assert_eq!(present(file(), remote(ours(), None), intended), "Done");
}

#[test]
fn only_a_first_create_may_tell_that_another_was_there() {
    let intended = Held { intended: Some("x".to_owned()), ..Held::default() };
    let always = Held { adoption: AdoptionPolicy::Always, ..Held::default() };
    for (held, there, expected) in [
        (Held::default(), None, true),
        (intended, None, false),
        (always, None, false),
        (recorded(other()), remote(other(), None), false),
    ] {
        let observed = Observed { remote: there, identifier: None, held };
        let Next::Step(Step::Put { alone, .. }) = next(&Goal::Present(file()), &observed) else {
            panic!("nothing is put")
        };
        assert_eq!(alone, expected);
    }
}

#[test]
fn only_what_was_seen_as_ours_is_deleted() {
    let place = Some((PLACE, None, None));
    let by_vault = Held { by_vault: true, ..recorded(ours()) };
    let always = Held { adoption: AdoptionPolicy::Always, ..recorded(ours()) };
    for (remote, held, expected) in [
        (None, recorded(ours()), "Done"),
        (remote(ours(), None), Held::default(), "Done"),
        (remote(ours(), None), recorded(ours()), "Delete"),
        (remote(other(), None), recorded(ours()), "Stuck DeletionBlocked"),
        (remote(other(), None), always, "Delete"),
        (remote(other(), place), by_vault, "Delete"),
        (remote(other(), place), recorded(ours()), "Stuck DeletionBlocked"),
    ] {
        let observed = Observed { remote, identifier: None, held };
        assert_eq!(told(&next(&Goal::Absent, &observed)), expected);
    }
}

#[test]
fn what_a_put_shows_is_what_was_recorded() {
    for (want, shown) in [
        (file(), remote(ours(), None)),
        (vault(Some("AB"), None), remote(other(), Some((PLACE, Some("ab"), None)))),
    ] {
        let observed = Observed { remote: None, identifier: Some(PLACE.to_owned()), held: Held::default() };
        let Next::Step(step) = next(&Goal::Present(want), &observed) else { panic!("nothing is put") };
        assert!(step.needs_intent());
        assert_eq!(step.content_hash(), mark(&shown.unwrap()));
    }
}
