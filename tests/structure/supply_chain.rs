//! What makes a release: nothing in it can change under its name.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn workflows() -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(root().join(".github/workflows")).unwrap().map(|it| it.unwrap().path());
    files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

#[test]
fn every_action_is_pinned_by_its_commit() {
    let mut seen = 0;
    for (path, text) in workflows() {
        for line in text.lines().filter_map(|it| it.split_once("uses: ").map(|(_, used)| used)) {
            let (used, version) = line.split_once(" # v").unwrap_or((line, ""));
            let commit = used.split_once('@').map_or("", |(_, commit)| commit);
            assert!(is_hex(commit, 40), "{}: {used} is not pinned by a commit", path.display());
            assert!(!version.is_empty(), "{}: {used} does not say which version it is", path.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} actions were found");
}

#[test]
fn a_workflow_has_no_right_that_a_job_does_not_ask_for() {
    let workflows = workflows();
    assert_eq!(workflows.len(), 2);
    for (path, text) in workflows {
        let workflow: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{}", path.display());
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            assert!(job["permissions"].is_object(), "{}: {name} inherits its rights", path.display());
            assert!(job["timeout-minutes"].is_number(), "{}: {name} may run for ever", path.display());
        }
    }
}

#[test]
fn a_value_that_others_choose_is_never_part_of_a_script() {
    for (path, text) in workflows() {
        let workflow: Value = serde_saphyr::from_str(&text).unwrap();
        let jobs = workflow["jobs"].as_object().unwrap().values();
        for step in jobs.flat_map(|job| job["steps"].as_array().unwrap()) {
            let script = step["run"].as_str().unwrap_or_default();
            assert!(!script.contains("${{"), "{}: pass it by `env`: {script}", path.display());
        }
    }
}

#[test]
fn the_image_is_one_static_file_and_its_bases_are_pinned_by_digest() {
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let bases: Vec<_> = text.lines().filter_map(|it| it.strip_prefix("ARG ")).collect();
    let digests = bases.iter().filter_map(|it| it.split_once("@sha256:")).map(|(_, digest)| digest);
    assert_eq!(digests.filter(|it| is_hex(it, 64)).count(), 2);
    let froms: Vec<_> = text.lines().filter(|it| it.starts_with("FROM ")).collect();
    assert_eq!(
        froms,
        [
            "FROM --platform=$BUILDPLATFORM $XX AS cross",
            "FROM --platform=$BUILDPLATFORM $RUST AS build",
            "FROM scratch"
        ]
    );
    let last = text.split("FROM scratch").last().unwrap();
    assert!(last.contains("\nUSER 65532:65532\n"), "the image runs as root");
    assert!(!last.contains("\nRUN "), "there is no shell to run anything in the image");
}
