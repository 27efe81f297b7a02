//! `import`: manifests for certificates that a service holds already. Nothing is adopted by it: whoever applies a
//! manifest does that.

use std::collections::{BTreeSet, HashMap};
use std::io::Write as _;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::connection::{Connection, Flags, unfetched};
use super::kinds::{self, Kind};
use super::printing::{Output, plain};
use crate::cli::validate;
use crate::engine::explained::Stocked;
use crate::providers::Registered;

/// The Secret that a manifest names until the user puts in another.
const SECRET: &str = "fill-in-the-secret";

/// The longest name that a manifest is given: one of a label's length suits everything.
const LONGEST: usize = 63;

/// What `import` is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The kind of certificate, such as iothubcertificate.
    #[arg(value_name = "TYPE")]
    kind: String,
    /// The hub, service, vault or instance: the id that the portal shows, a vault's name, or REGION/PROJECT_ID.
    parent: String,
    /// The certificate's name or id there.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// Everything that the parent holds.
    #[arg(long)]
    all: bool,
    /// The account to look with, and for the manifests, such as clustercloudaccount/azure.
    #[arg(long, value_name = "TYPE/NAME")]
    account: String,
}

/// Prints the manifests; gives whether all that was asked for could be declared.
pub(super) async fn import(flags: &Flags, output: &Output, args: Args) -> Result<bool> {
    let kind = kinds::named(&args.kind)?;
    let provider = kind.provider()?;
    let frame = Frame::new(&kind, provider, &args)?;
    let connection = Connection::open(flags).await?;
    let probe = frame.manifest(&connection.namespace, "import", &json!({}));
    refuse_faults(&probe)?;
    let only = args.name.as_deref();
    let stock =
        provider.stock(&connection.viewer, &connection.clouds, probe, only).await.map_err(unfetched)?;
    if let (Some(name), []) = (only, stock.as_slice()) {
        bail!("{} holds no certificate `{name}`", args.parent);
    }
    let declared = declared(&connection, &kind, provider).await?;
    let (mut manifests, mut names, mut left_out) = (Vec::new(), BTreeSet::new(), Vec::new());
    for it in stock {
        let name = unused(&named(&it), &names);
        let manifest = frame.manifest(&connection.namespace, &name, &it.spec);
        let faults = validate::faults(&manifest);
        let target = provider.target(manifest.clone()).unwrap_or_default();
        match declared.get(&target) {
            Some(by) => left_out.push(format!("{} is declared by {by}", plain(&it.name))),
            None if !faults.is_empty() => {
                left_out.push(format!("{} cannot be declared: {}", plain(&it.name), faults.join("; ")));
            }
            None => {
                names.insert(name);
                manifests.push((it, manifest));
            }
        }
    }
    for line in &left_out {
        let _ = writeln!(std::io::stderr(), "left out: {line}"); // nobody left to tell
    }
    let items: Vec<_> = manifests.iter().map(|(_, manifest)| manifest).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let text = yaml(&manifests)?;
    output.print(&list, |_| text)?;
    Ok(left_out.is_empty())
}

/// What all manifests of an import have in common.
struct Frame {
    api_version: String,
    kind: String,
    spec: Value,
}

impl Frame {
    fn new(kind: &Kind, provider: &dyn Registered, args: &Args) -> Result<Self> {
        let (account_kind, account) = kinds::subject(std::slice::from_ref(&args.account))?;
        ensure!(account_kind.provider.is_none(), "{} is no kind of account", account_kind.resource.kind);
        let Some(parent) = provider.parent(&args.parent) else {
            bail!(
                "`{}` is no parent of a {}: write {}",
                args.parent,
                kind.resource.kind,
                provider.parent_form()
            )
        };
        let mut spec = json!({
            "accountRef": { "kind": account_kind.resource.kind, "name": account },
            "adoptionPolicy": "IfIdentical",
            "deletionPolicy": "Retain",
        });
        merge(&mut spec, &provider.source(SECRET));
        merge(&mut spec, &parent);
        Ok(Self { api_version: kind.resource.api_version.clone(), kind: kind.resource.kind.clone(), spec })
    }

    fn manifest(&self, namespace: &str, name: &str, more: &Value) -> Value {
        let mut spec = self.spec.clone();
        merge(&mut spec, more);
        json!({
            "apiVersion": self.api_version, "kind": self.kind,
            "metadata": { "name": name, "namespace": namespace }, "spec": spec,
        })
    }
}

/// Members of one take the place of the other's; `null` takes a member away.
fn merge(spec: &mut Value, more: &Value) {
    let (Some(members), Some(more)) = (spec.as_object_mut(), more.as_object()) else { return };
    for (name, value) in more {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
}

/// What was typed is judged by the kind's own schema before it is asked for.
fn refuse_faults(probe: &Value) -> Result<()> {
    let faults = validate::faults(probe);
    ensure!(faults.is_empty(), "that cannot be declared: {}", faults.join("; "));
    Ok(())
}

/// Which objects are for which remote names.
async fn declared(
    connection: &Connection,
    kind: &Kind,
    provider: &dyn Registered,
) -> Result<HashMap<String, String>> {
    let mut declared = HashMap::new();
    for object in kind.list(connection).await? {
        if let Ok(target) = provider.target(object.manifest()?) {
            declared.insert(target, object.to_string());
        }
    }
    Ok(declared)
}

/// A name that Kubernetes takes, as like the remote one as can be.
fn named(it: &Stocked) -> String {
    let text = it.label.as_deref().unwrap_or(&it.name).to_ascii_lowercase();
    let fit = |it: char| if it.is_ascii_alphanumeric() { it } else { '-' };
    let words: Vec<_> = text.split(|it| fit(it) == '-').filter(|it| !it.is_empty()).collect();
    let name: String = words.join("-").chars().take(LONGEST).collect();
    match name.trim_end_matches('-') {
        "" => "certificate".to_owned(),
        name => name.to_owned(),
    }
}

fn unused(name: &str, used: &BTreeSet<String>) -> String {
    let numbered = |number: usize| {
        let end = format!("-{number}");
        let front: String = name.chars().take(LONGEST - end.len()).collect();
        format!("{}{end}", front.trim_end_matches('-'))
    };
    let candidates = std::iter::once(name.to_owned()).chain((2..).map(numbered));
    candidates.into_iter().find(|it| !used.contains(it)).unwrap_or_default()
}

/// One document for each, and above it what tells it from others.
fn yaml(manifests: &[(Stocked, Value)]) -> Result<String> {
    let mut text = String::new();
    for (it, manifest) in manifests {
        let told: Vec<_> = [&it.name].into_iter().chain(&it.told).map(|it| plain(it)).collect();
        text += &format!("---\n# {}\n", told.join(", "));
        if manifest.to_string().contains(SECRET) {
            text += &format!(
                "# Put in the Secret that holds this very certificate in place of `{SECRET}`: another is not adopted.\n"
            );
        }
        text += &serde_saphyr::to_string(manifest).context("a manifest cannot be written as YAML")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stocked(name: &str, label: Option<&str>, told: &[&str]) -> Stocked {
        Stocked {
            name: name.to_owned(),
            label: label.map(str::to_owned),
            spec: json!({}),
            told: told.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    #[test]
    fn a_remote_name_becomes_one_that_kubernetes_takes() {
        let long = "x".repeat(80);
        for (name, label, becomes) in [
            ("Factory_Root.2026", None, "factory-root-2026"),
            ("61c970ce", Some("Werk Süd / CA"), "werk-s-d-ca"),
            ("--", None, "certificate"),
            (&long, None, &long[..63]),
        ] {
            assert_eq!(named(&stocked(name, label, &[])), becomes, "{name}");
        }
        let used = BTreeSet::from(["ca".to_owned(), "ca-2".to_owned()]);
        assert_eq!((unused("ca", &used).as_str(), unused("cb", &used).as_str()), ("ca-3", "cb"));
    }

    #[test]
    fn every_kind_is_declared_by_its_own_parent_and_a_source_to_fill_in() {
        for (kind, parent) in [
            (
                "iothubcertificate",
                "/subscriptions/44444444-4444-4444-8444-444444444444/resourceGroups/rg/providers/Microsoft.Devices/IotHubs/hub-1",
            ),
            (
                "apimanagementcertificate",
                "/subscriptions/44444444-4444-4444-8444-444444444444/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim-1",
            ),
            ("keyvaultcertificate", "https://vault-1.vault.azure.net/"),
            (
                "iotdacertificate",
                "cn-north-4/0123456789abcdef0123456789abcdef/a1.st1.iotda-app.cn-north-4.myhuaweicloud.com/app/app-1",
            ),
        ] {
            let args = Args {
                kind: kind.to_owned(),
                parent: parent.to_owned(),
                name: None,
                all: true,
                account: "clustercloudaccount/azure".to_owned(),
            };
            let kind = kinds::named(kind).unwrap();
            let frame = Frame::new(&kind, kind.provider.unwrap(), &args).unwrap();
            let manifest = frame.manifest("devices", "ca", &json!({}));
            assert_eq!(validate::faults(&manifest), Vec::<String>::new(), "{manifest}");
            assert!(manifest.to_string().contains(SECRET), "{manifest}");
            assert_eq!(manifest["spec"]["deletionPolicy"], "Retain");
            let odd = Args { parent: "what/is/that/for/a/parent".to_owned(), ..args };
            let refused = Frame::new(&kind, kind.provider.unwrap(), &odd).err().unwrap().to_string();
            assert!(refused.contains("write "), "{refused}");
        }
    }

    #[test]
    fn what_a_service_says_stays_in_its_comment() {
        let manifest = json!({ "kind": "X" });
        let text = yaml(&[(stocked("ca", None, &["CN=a\nkind: Evil"]), manifest)]).unwrap();
        assert_eq!(text, "---\n# ca, CN=akind: Evil\nkind: X\n");
    }
}
