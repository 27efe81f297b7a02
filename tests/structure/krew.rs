//! The krew manifest: what the release fills in is all that is open in it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const PLATFORMS: [&str; 4] = ["linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"];

/// Archives of a release, with these files in each.
fn archives(folder: &Path, files: &[&str]) {
    for file in files {
        std::fs::write(folder.join(file), file).unwrap();
    }
    for platform in PLATFORMS {
        let archive = format!("kubectl-certferry_v1.2.3_{platform}.tar.gz");
        let made = Command::new("tar").args(["-czf", &archive]).args(files).current_dir(folder).status();
        assert!(made.unwrap().success());
    }
}

fn filled(version: &str, folder: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/krew-manifest");
    Command::new(script).args([version, "https://example.org/certferry"]).arg(folder).output().unwrap()
}

#[test]
fn a_release_fills_the_krew_manifest() {
    let folder = tempfile::tempdir().unwrap();
    archives(folder.path(), &["kubectl-certferry", "LICENSE"]);
    let printed = filled("v1.2.3", folder.path());
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    for open in ["VERSION", "BASE_URL", "SHA256"] {
        assert!(!text.contains(open), "{open} is still open in:\n{text}");
    }
    let manifest: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(manifest["spec"]["version"], "v1.2.3");
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), PLATFORMS.len());
    for (platform, name) in platforms.iter().zip(PLATFORMS) {
        let labels = &platform["selector"]["matchLabels"];
        let own = format!("{}_{}", labels["os"].as_str().unwrap(), labels["arch"].as_str().unwrap());
        assert_eq!(own, name);
        let archive = format!("kubectl-certferry_v1.2.3_{name}.tar.gz");
        let uri = format!("https://example.org/certferry/releases/download/v1.2.3/{archive}");
        assert_eq!(platform["uri"], uri);
        let sum = Command::new("sha256sum").arg(folder.path().join(&archive)).output().unwrap();
        assert!(String::from_utf8(sum.stdout).unwrap().starts_with(platform["sha256"].as_str().unwrap()));
        assert_eq!(platform["sha256"].as_str().unwrap().len(), 64);
    }
}

#[test]
fn a_release_that_is_not_whole_has_no_krew_manifest() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!filled("v1.2.3", folder.path()).status.success(), "there is no archive");
    archives(folder.path(), &["kubectl-certferry"]);
    assert!(!filled("v1.2.3", folder.path()).status.success(), "there is no LICENSE");
    archives(folder.path(), &["kubectl-certferry", "LICENSE"]);
    assert!(!filled("1.2.3", folder.path()).status.success(), "that is no tag");
}
