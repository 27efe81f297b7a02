//! The pages tell of every field: each kind's own, or the one about what all certificates have.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::schemas::{definitions, schema, walk};

/// Whose fields are on which page.
const PAGES: [(&str, &str); 6] = [
    ("IotHubCertificate", "iot-hub"),
    ("KeyVaultCertificate", "key-vault"),
    ("ApiManagementCertificate", "api-management"),
    ("IotdaCertificate", "huawei-iotda"),
    ("CloudAccount", "accounts"),
    ("ClusterCloudAccount", "accounts"),
];

/// The names that stand between backticks, each part of a path by itself.
fn named(page: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page).with_extension("md");
    let text = fs::read_to_string(&path).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.flat_map(|it| it.split(|it: char| !it.is_ascii_alphanumeric())).map(str::to_owned).collect()
}

#[test]
fn a_page_tells_of_every_field() {
    let definitions = definitions();
    assert_eq!(definitions.len(), PAGES.len());
    let common = named("common-fields");
    for (kind, definition) in &definitions {
        let (_, page) = PAGES.iter().find(|it| it.0 == kind).unwrap();
        let own = named(page);
        walk("", schema(definition), &mut |path, _| {
            let is_ours = path.starts_with(".spec.") || path.starts_with(".status.");
            let field = path.rsplit('.').next().unwrap().trim_end_matches("[]");
            let is_told = own.contains(field) || common.contains(field);
            assert!(
                !is_ours || is_told,
                "neither docs/{page}.md nor docs/common-fields.md tells of {kind}{path}"
            );
        });
    }
}
