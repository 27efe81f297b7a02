//! What users copy is valid: every manifest of ours in the documentation, and every example.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path, extension) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect()
}

/// What `certferry validate` says of a file; panics unless all of it is valid.
fn is_valid(file: &Path, whose: &Path) -> String {
    let validate =
        Command::new(env!("CARGO_BIN_EXE_certferry")).args(["validate", "-f"]).arg(file).output().unwrap();
    let told = String::from_utf8(validate.stdout).unwrap();
    assert!(
        validate.status.success(),
        "{}: {told}{}",
        whose.display(),
        String::from_utf8_lossy(&validate.stderr)
    );
    told
}

/// The blocks of a page that are YAML and hold a resource of ours.
fn manifests(page: &str) -> Vec<String> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    let yaml = blocks.filter_map(|it| it.strip_prefix("yaml\n").map(str::to_owned));
    yaml.filter(|it| it.contains("apiVersion: certferry.dev/")).collect()
}

#[test]
fn every_manifest_in_the_documentation_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manifest.yaml");
    let mut seen = 0;
    let pages = files(&root().join("docs"), "md").into_iter().chain([root().join("README.md")]);
    for page in pages {
        for manifest in manifests(&fs::read_to_string(&page).unwrap()) {
            fs::write(&file, manifest).unwrap();
            seen += is_valid(&file, &page).lines().count();
        }
    }
    assert!(seen >= 4, "only {seen} manifests were found");
}

#[test]
fn every_example_is_valid() {
    let examples = files(&root().join("examples"), "yaml");
    assert!(examples.len() > 15, "only {} examples were found", examples.len());
    for example in examples {
        assert!(!is_valid(&example, &example).is_empty(), "{} holds nothing of ours", example.display());
    }
}

#[test]
fn every_kind_has_an_example_for_artifact_hub_and_each_is_valid() {
    let about = fs::read_to_string(root().join("charts/certferry/Chart.yaml")).unwrap();
    let about: Value = serde_saphyr::from_str(&about).unwrap();
    let annotation = |name: &str| -> Vec<Value> {
        let text = about["annotations"][format!("artifacthub.io/{name}")].as_str().unwrap();
        serde_saphyr::from_str(text).unwrap()
    };
    let kinds = |of: &[Value]| of.iter().map(|it| it["kind"].to_string()).collect::<Vec<_>>();
    let examples = annotation("crdsExamples");
    assert_eq!(kinds(&examples), kinds(&annotation("crds")));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manifest.yaml");
    for example in examples {
        fs::write(&file, example.to_string()).unwrap();
        is_valid(&file, Path::new(&example["kind"].to_string()));
    }
}
