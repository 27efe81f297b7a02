//! api <- pki <- source <- engine <- providers <- runtime <- main, with http and metrics beside source and cli beside main.

use std::fs;
use std::path::{Path, PathBuf};

/// For each module: what it may use besides itself.
const MAY_USE: [(&str, &[&str]); 9] = [
    ("api", &[]),
    ("pki", &[]),
    ("http", &["metrics"]),
    ("metrics", &["api"]),
    ("source", &["api", "pki"]),
    ("engine", &["api", "pki", "source", "metrics"]),
    ("providers", &["api", "pki", "source", "engine", "http", "metrics"]),
    ("runtime", &["api", "source", "engine", "providers", "metrics"]),
    ("cli", &["api", "source", "engine", "providers", "runtime"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The top modules that a file names by `crate::…`, comments left out.
fn used(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let code =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut names: Vec<_> = code
        .split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn each_module_uses_only_those_below_it() {
    let mut seen = 0;
    for (module, allowed) in MAY_USE {
        let folder = source_folder().join(module);
        let files = if folder.is_dir() { sources(&folder) } else { vec![folder.with_extension("rs")] };
        for path in files {
            for name in used(&path) {
                let fine = name == module || allowed.contains(&name.as_str());
                assert!(fine, "{} must not use crate::{name}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} files were found");
}

#[test]
fn pure_modules_reach_no_client_and_no_clock() {
    let pure = |path: &PathBuf| {
        let path = path.to_string_lossy();
        [
            "src/api/",
            "src/pki/",
            "/next.rs",
            "/explained.rs",
            "src/engine/status.rs",
            "src/source/material.rs",
        ]
        .iter()
        .any(|it| path.contains(it))
            && !path.contains("test")
    };
    let files: Vec<_> = sources(&source_folder()).into_iter().filter(pure).collect();
    assert!(files.len() > 15, "only {} files were found", files.len());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for banned in
            ["Timestamp::now", "SystemTime", "Instant::now", "kube::Client", "reqwest", "tokio::", "fastrand"]
        {
            assert!(!text.contains(banned), "{} must not use {banned}", path.display());
        }
    }
}

/// Who adds a kind touches neither.
#[test]
fn engine_and_command_line_name_no_kind_of_certificate() {
    let files = ["engine", "cli"].map(|it| sources(&source_folder().join(it))).concat();
    let files: Vec<_> = files.into_iter().filter(|it| !it.to_string_lossy().contains("tests.rs")).collect();
    assert!(files.len() > 30, "only {} files were found", files.len());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for kind in ["iot_hub", "key_vault", "api_management", "iotda", "azure::", "huawei::"] {
            assert!(!code.contains(kind), "{} must not name {kind}", path.display());
        }
    }
}

/// Who looks has no way to write: the loop that does, and the call that it makes, are out of reach.
#[test]
fn the_plugin_and_what_it_looks_with_write_nothing() {
    let cli = sources(&source_folder().join("cli/kubectl"));
    let looking = ["engine/preview.rs", "engine/sight.rs", "engine/explained.rs"];
    let files = cli.into_iter().chain(looking.map(|it| source_folder().join(it)));
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for banned in [".apply(", "converge(", "Gate", "write::", "output::deliver"] {
            assert!(!text.contains(banned), "{} must not use {banned}", path.display());
        }
    }
}

#[test]
fn the_emulator_knows_nothing_of_the_operator() {
    let manifest = fs::read_to_string(source_folder().join("../emulator/Cargo.toml")).unwrap();
    for banned in ["certferry", "rustls", "rcgen", "aws-lc"] {
        assert!(!manifest.contains(banned), "the emulator must not depend on {banned}");
    }
}
