//! The names that one resource's certificates have in the hub: the one that the spec gives, and for a certificate that
//! stands beside its predecessor the same with the beginning of its fingerprint. Pure.

use crate::pki::Certificate;

/// How many digits of the fingerprint tell one certificate from the next.
const DIGITS: usize = 8;

/// The longest name that the hub takes.
const LONGEST: usize = 64;

/// The longest name that leaves room for them and the dash before them.
pub(super) const LONGEST_PLAIN: usize = LONGEST - DIGITS - 1;

/// The name of a certificate beside its predecessor.
pub(super) fn beside(plain: &str, certificate: &Certificate) -> String {
    let fingerprint = certificate.sha256_fingerprint().to_string().to_ascii_lowercase();
    format!("{plain}-{fingerprint:.DIGITS$}")
}

/// A name that is like any of those beside `plain`, and that no glob covers which does not cover them all: the letters
/// stand in no fingerprint.
pub(super) fn any_beside(plain: &str) -> String {
    format!("{plain}-{}", "x".repeat(DIGITS))
}

/// The name as the operator writes it, if a certificate of this resource can have it.
pub(super) fn of_ours(plain: &str, name: &str) -> Option<String> {
    if name.eq_ignore_ascii_case(plain) {
        return Some(plain.to_owned());
    }
    let (front, digits) = name.rsplit_once('-')?;
    let fits = digits.len() == DIGITS && digits.bytes().all(|it| it.is_ascii_hexdigit());
    (fits && front.eq_ignore_ascii_case(plain)).then(|| format!("{plain}-{}", digits.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki;

    #[test]
    fn only_the_plain_name_and_those_with_a_fingerprint_are_ours() {
        let file = include_bytes!("../../../../tests/data/pki/p-256.pem");
        let certificate = pki::certificates(file).unwrap().remove(0);
        let beside = beside("ca-1", &certificate);
        assert_eq!(beside.len(), "ca-1-".len() + DIGITS);
        for (name, ours) in [
            ("ca-1", Some("ca-1")),
            ("CA-1", Some("ca-1")),
            (beside.as_str(), Some(beside.as_str())),
            ("Ca-1-00AAbb11", Some("ca-1-00aabb11")),
            ("ca-1-00aabb1", None),
            ("ca-1-00aabb111", None),
            ("ca-1-00aabb1g", None),
            ("ca-1-2", None),
            ("ca-2-00aabb11", None),
            ("ca-00aabb11", None),
            ("ca-1-00aabb11-00aabb11", None),
            ("-00aabb11", None),
            ("", None),
        ] {
            assert_eq!(of_ours("ca-1", name).as_deref(), ours, "{name}");
        }
        assert_eq!(of_ours("ca-1", &any_beside("ca-1")), None);
    }
}
