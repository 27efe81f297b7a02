//! Every body over its stored corpus, and over mutations of it that are the same in each run.

mod mutations;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use certferry_fuzz_bodies::TARGETS;

use mutations::Mutations;

/// Fewer inputs are no corpus.
const FEWEST: usize = 8;
/// A larger file makes the fuzzer slow.
const LARGEST: u64 = 8 * 1024;
/// Of each file, besides its truncations.
const MUTATIONS: usize = 100;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs one target's body over everything there is for it.
fn run(name: &str) {
    let target = TARGETS.into_iter().find(|it| it.name == name).unwrap();
    let files = files(&fuzz_folder().join("corpus").join(name));
    assert!(files.len() >= FEWEST, "the corpus of {name} has only {} files", files.len());
    let mut inputs = 0;
    let mut try_one = |input: &[u8], what: &str| {
        inputs += 1;
        let body = target.body;
        if catch_unwind(|| body(input)).is_err() {
            panic!("{name} fails with {what}: b\"{}\"", input.escape_ascii());
        }
    };
    for file in &files {
        let (input, label) = (fs::read(file).unwrap(), file.file_name().unwrap().to_string_lossy());
        try_one(&input, &label);
        for end in (0..input.len()).step_by(16) {
            try_one(&input[..end], &format!("{label}, cut off at {end}"));
        }
        let mut mutations = Mutations::of(&input, &format!("{name}/{label}"));
        for number in 0..MUTATIONS {
            try_one(&mutations.next(), &format!("mutation {number} of {label}"));
        }
    }
    println!("{name}: {inputs} inputs from {} files", files.len());
}

#[test]
fn pem() {
    run("pem");
}

#[test]
fn certificate() {
    run("certificate");
}

#[test]
fn private_key() {
    run("private_key");
}

#[test]
fn proof() {
    run("proof");
}

#[test]
fn verification_code() {
    run("verification_code");
}

#[test]
fn retry_after() {
    run("retry_after");
}

#[test]
fn endpoint() {
    run("endpoint");
}

#[test]
fn call() {
    run("call");
}

#[test]
fn azure_error() {
    run("azure_error");
}

#[test]
fn azure_token() {
    run("azure_token");
}

#[test]
fn iot_hub() {
    run("iot_hub");
}

#[test]
fn api_management() {
    run("api_management");
}

#[test]
fn key_vault() {
    run("key_vault");
}

#[test]
fn pkcs12() {
    run("pkcs12");
}

#[test]
fn signing_request() {
    run("signing_request");
}

#[test]
fn huawei_error() {
    run("huawei_error");
}

#[test]
fn huawei_members() {
    run("huawei_members");
}

#[test]
fn iotda() {
    run("iotda");
}

#[test]
fn manifest() {
    run("manifest");
}

/// A body that is forgotten in one of the places is noticed.
#[test]
fn each_body_has_a_corpus_a_fuzz_target_and_a_test() {
    let mut wanted: Vec<_> = TARGETS.iter().map(|it| it.name.to_owned()).collect();
    wanted.sort();
    let named = |folder: &str| -> Vec<String> {
        let files = files(&fuzz_folder().join(folder));
        files.iter().map(|it| it.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(named("corpus"), wanted);
    assert_eq!(named("fuzz_targets"), wanted);
    let manifest = fs::read_to_string(fuzz_folder().join("Cargo.toml")).unwrap();
    let here = include_str!("main.rs");
    for name in &wanted {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml does not name {name}");
        assert!(here.contains(&format!("run(\"{name}\")")), "no test runs {name}");
    }
}

#[test]
fn stored_inputs_are_small() {
    for target in TARGETS {
        for file in files(&fuzz_folder().join("corpus").join(target.name)) {
            assert!(file.metadata().unwrap().len() <= LARGEST, "{} is large", file.display());
        }
    }
}
