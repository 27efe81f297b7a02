//! The tags of a certificate: the user's, the operator's marks, and those of others. Pure.

use super::observed::Held;
use super::wire::Tags;
use super::wish::{self, Desired, Wish};
use crate::api::FIELD_MANAGER;

/// The tag that says who made the certificate, for people.
pub const MANAGED_BY: &str = "managed-by";
/// The tag with the uid of the resource that owns the certificate.
pub const OWNER: &str = "certferry-owner";
/// The tag of a certificate that was there before the resource.
pub const ADOPTED: &str = "certferry-adopted";
/// The tag with a hash over the wish that a version was made for.
pub const WISH: &str = "certferry-wish";
/// The tag with a hash over the issuers of an imported certificate.
pub const CHAIN: &str = "certferry-chain";
/// The tag that tells which of the others the user wrote, by short hashes of their names: it comes and goes with them in
/// one write, so that none of them is taken for another's.
pub const WRITTEN: &str = "certferry-tags";

/// As many as a vault takes.
pub const MOST: usize = 15;

/// The tags that are there, less what the user wrote once and no longer, with the user's and ours over them.
pub fn wanted(want: &Desired, held: &Tags, ours: &Held, adopts: bool) -> Tags {
    let kept = held.iter().filter(|(name, _)| !is_left_over(want, held, name));
    let mut tags: Tags = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    tags.extend(want.tags.clone());
    tags.insert(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
    tags.insert(OWNER.to_owned(), ours.uid.clone());
    if adopts {
        tags.insert(ADOPTED.to_owned(), "true".to_owned());
    }
    let chain = match &want.wish {
        Wish::Import(imported) => Some(imported.chain_hash.clone()),
        Wish::Policy(_) => None,
    };
    for (name, value) in [(CHAIN, chain), (WRITTEN, written(want))] {
        match value {
            Some(value) => tags.insert(name.to_owned(), value),
            None => tags.remove(name),
        };
    }
    tags
}

/// The same of a version that is made for this wish.
pub fn of_new_version(want: &Desired, held: &Tags, ours: &Held) -> Tags {
    let mut tags = wanted(want, held, ours, false);
    tags.insert(WISH.to_owned(), want.hash.clone());
    tags
}

/// Whether the user's tags are other than the user wrote them.
pub fn differ(want: &Desired, held: &Tags) -> bool {
    want.tags.iter().any(|(name, value)| held.get(name) != Some(value))
        || held.keys().any(|name| is_left_over(want, held, name))
        || held.get(WRITTEN) != written(want).as_ref()
}

/// Whether the user wrote it once, and does no longer.
fn is_left_over(want: &Desired, held: &Tags, name: &str) -> bool {
    let listed = held.get(WRITTEN).is_some_and(|it| it.split(' ').any(|it| it == short(name)));
    listed && !want.tags.contains_key(name)
}

/// Which tags the user writes; nothing if none.
fn written(want: &Desired) -> Option<String> {
    let names: Vec<_> = want.tags.keys().map(|name| short(name)).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// Long enough to tell the tags of one certificate apart.
fn short(name: &str) -> String {
    wish::hash(&[name.as_bytes()]).chars().take(8).collect()
}
