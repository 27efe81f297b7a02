//! Certferry installed on a cluster as its chart says, and its operator run on this machine in the name of the
//! chart's ServiceAccount: the rights are those that users grant.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::control_plane::{AuditEvent, ControlPlane, client, refusals, run};
use crate::emulator::Urls;
use crate::folder::Folder;
use crate::operator::{Operator, Options};
use crate::programs;
use crate::relay::Relay;

/// The namespace of the operator.
pub const NAMESPACE: &str = "certferry";

/// The tenant, application and secret that the emulator's own world has.
pub const TENANT: &str = "11111111-1111-4111-8111-111111111111";
pub const CLIENT: &str = "22222222-2222-4222-8222-000000000001";
pub const CLIENT_SECRET: &str = "emulator-secret";

/// The access key and its secret that the emulator's own world has.
pub const ACCESS_KEY: &str = "HPUAEXAMPLEACCESSKEY";
pub const SECRET_KEY: &str = "example-secret-key-of-the-emulator";

/// Whom Kubernetes tokens are for that the emulator takes, unless a federated credential says otherwise.
pub const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";

/// The operator's ServiceAccount.
const ACCOUNT: &str = "certferry";

/// The chart.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/certferry");

/// Prints the kubeconfig that is in use, with all that it refers to.
const VIEW: &[&str] = &["config", "view", "--minify", "--raw", "--flatten", "-o", "json"];

/// A cluster that Certferry can be installed on, reached as its administrator.
pub struct Cluster {
    kubeconfig: PathBuf,
    audit_log: Option<PathBuf>,
    folder: Folder,
}

impl Cluster {
    /// A control plane of our own.
    pub fn of(plane: &ControlPlane) -> Result<Self> {
        Ok(Self { audit_log: plane.audit_log(), ..Self::with(plane.admin_kubeconfig())? })
    }

    /// The cluster of a kubeconfig.
    pub fn with(kubeconfig: PathBuf) -> Result<Self> {
        Ok(Self { kubeconfig, audit_log: None, folder: Folder::new("cluster")? })
    }

    /// What the API server was asked and forbade, oldest first; nothing where it writes no audit log.
    pub fn refusals(&self) -> Result<Vec<AuditEvent>> {
        self.audit_log.as_deref().map_or(Ok(Vec::new()), refusals)
    }

    /// Runs kubectl; what it prints, if it succeeds.
    pub async fn kubectl(&self, args: &[&str], stdin: Option<&str>) -> Result<String> {
        let mut command = Command::new(programs::control_plane().await?);
        command.arg("kubectl").args(args).env("KUBECONFIG", &self.kubeconfig);
        command.env("KUBECACHEDIR", self.folder.path().join("kubectl-cache"));
        let done = run(command, stdin).await?;
        ensure!(
            done.status.success(),
            "kubectl {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(String::from_utf8(done.stdout)?)
    }

    /// A client of its administrator. It belongs to the runtime of the caller.
    pub async fn client(&self) -> Result<kube::Client> {
        client(&self.kubeconfig).await
    }

    /// Runs the program of `tests/gitops` on this cluster; the JSON that it prints, if it succeeds.
    pub async fn gitops(&self, args: &[&str], stdin: Option<&str>) -> Result<Value> {
        let mut command = Command::new(programs::gitops().await?);
        command.args(args).env("KUBECONFIG", &self.kubeconfig);
        command.env("KUBECACHEDIR", self.folder.path().join("gitops-cache"));
        let done = run(command, stdin).await?;
        let told = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "gitops {}: {told}", args.join(" "));
        serde_json::from_slice(&done.stdout).with_context(|| format!("gitops {}: {told}", args.join(" ")))
    }

    /// Applies manifests to a namespace.
    pub async fn apply(&self, namespace: &str, manifests: &str) -> Result<()> {
        let args = ["apply", "--server-side", "--namespace", namespace, "-f", "-"];
        self.kubectl(&args, Some(manifests)).await.map(drop)
    }

    /// Makes a namespace whose Secrets and ConfigMaps the operator may read.
    pub async fn granting_namespace(&self, name: &str) -> Result<()> {
        self.apply("default", &namespace(name)).await?;
        self.grant(name, "certferry-sources").await
    }

    /// Grants one of the chart's roles to the operator in a namespace.
    pub async fn grant(&self, name: &str, role: &str) -> Result<()> {
        let grant = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": { "name": role },
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role,
            },
            "subjects": [{ "kind": "ServiceAccount", "name": "certferry", "namespace": NAMESPACE }],
        });
        self.apply(name, &grant.to_string()).await
    }

    /// Installs the chart, without a running operator.
    pub async fn install(&self) -> Result<()> {
        self.install_with(&[]).await
    }

    /// The same with values, each as Helm's `--set` takes it.
    pub async fn install_with(&self, values: &[&str]) -> Result<()> {
        self.apply("default", &namespace(NAMESPACE)).await?;
        let manifests = self.rendered_chart(values).await?;
        self.kubectl(&["apply", "--server-side", "-f", "-"], Some(&manifests)).await?;
        self.established().await
    }

    /// Installs the chart as users do: as a release of Helm's.
    pub async fn install_release(&self) -> Result<()> {
        self.helm(&["install", "certferry", CHART, "--namespace", NAMESPACE, "--create-namespace"]).await?;
        self.established().await
    }

    /// Uninstalls it; the definitions stay.
    pub async fn uninstall_release(&self) -> Result<()> {
        self.helm(&["uninstall", "certferry", "--namespace", NAMESPACE]).await.map(drop)
    }

    async fn established(&self) -> Result<()> {
        let wait = ["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"];
        self.kubectl(&wait, None).await.map(drop)
    }

    /// Runs the operator of that program, logging what the filter lets through, with further arguments.
    pub async fn operator(&self, binary: PathBuf, log_filter: &str, more: &[&str]) -> Result<Operator> {
        let kubeconfig = self.operator_kubeconfig(NAMESPACE, ACCOUNT, None).await?;
        self.operator_with(binary, log_filter, more, kubeconfig, Vec::new()).await
    }

    /// Runs the operator of that program with the arguments and the environment of the Deployment, but on free ports of
    /// this machine alone.
    pub async fn deployed_operator(&self, binary: PathBuf) -> Result<Operator> {
        self.deployed_operator_of(binary, NAMESPACE, "certferry").await
    }

    /// The same, of the installation of that name in that namespace.
    pub async fn deployed_operator_of(
        &self,
        binary: PathBuf,
        namespace: &str,
        name: &str,
    ) -> Result<Operator> {
        let deployment = ["get", "deployment", name, "-n", namespace, "-o", "json"];
        let deployment: Value = serde_json::from_str(&self.kubectl(&deployment, None).await?)?;
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let args = container["args"].as_array().context("no arguments")?.iter().filter_map(Value::as_str);
        let here = |it: &str| match it.split_once("-address=") {
            Some((endpoint, _)) => format!("{endpoint}-address=127.0.0.1:0"),
            None => it.to_owned(),
        };
        let args = args.filter(|it| *it != "run").map(here).collect();
        let account = pod["serviceAccountName"].as_str().context("no ServiceAccount")?;
        let mut env = Vec::new();
        for variable in container["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().context("a variable without a name")?;
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                Some("metadata.namespace") => namespace.to_owned(),
                Some("spec.serviceAccountName") => account.to_owned(),
                Some(other) => bail!("{name} is of {other}, which nobody here knows"),
                None if name == "AZURE_FEDERATED_TOKEN_FILE" => {
                    self.projected_token(namespace, account).await?.display().to_string()
                }
                None => variable["value"].as_str().context("a variable without a value")?.to_owned(),
            };
            env.push((name.to_owned(), value));
        }
        let kubeconfig = self.operator_kubeconfig(namespace, account, None).await?;
        Operator::start(Options { binary, kubeconfig, args, env })
    }

    /// The same as [`Self::operator`], reaching the API server through a relay, with variables in its environment.
    pub async fn relayed_operator(
        &self,
        binary: PathBuf,
        relay: &Relay,
        env: Vec<(String, String)>,
    ) -> Result<Operator> {
        let kubeconfig = self.operator_kubeconfig(NAMESPACE, ACCOUNT, Some(&relay.url)).await?;
        self.operator_with(binary, "debug", &[], kubeconfig, env).await
    }

    /// A relay to its API server.
    pub async fn relay(&self) -> Result<Relay> {
        let view = self.kubectl(VIEW, None).await?;
        Relay::start(&serde_json::from_str(&view)?).await
    }

    async fn operator_with(
        &self,
        binary: PathBuf,
        log_filter: &str,
        more: &[&str],
        kubeconfig: PathBuf,
        env: Vec<(String, String)>,
    ) -> Result<Operator> {
        let mut args = vec![
            format!("--log-filter={log_filter}"),
            format!("--federated-token-file={}", self.projected_token(NAMESPACE, ACCOUNT).await?.display()),
        ];
        if !more.iter().any(|it| it.starts_with("--log-format=")) {
            args.push("--log-format=text".to_owned());
        }
        args.extend(more.iter().map(|it| (*it).to_owned()));
        Operator::start(Options { binary, kubeconfig, args, env })
    }

    /// A token of the operator's ServiceAccount for exchange, where a kubelet would put it.
    async fn projected_token(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let audience = format!("--audience={EXCHANGE_AUDIENCE}");
        let token = self.kubectl(&["create", "token", account, "-n", namespace, &audience], None).await?;
        let path = self.folder.path().join(format!("{namespace}-azure-identity-token"));
        fs::write(&path, token)?;
        Ok(path)
    }

    async fn rendered_chart(&self, values: &[&str]) -> Result<String> {
        let mut args =
            vec!["template", "certferry", CHART, "--namespace", NAMESPACE, "--kube-version", "1.36.3"];
        args.extend(values.iter().flat_map(|it| ["--set", it]));
        self.helm(&args).await
    }

    /// Runs Helm on this cluster; what it prints, if it succeeds.
    async fn helm(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(programs::helm().await?);
        command.args(args).env("KUBECONFIG", &self.kubeconfig);
        for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(variable, self.folder.path().join(variable));
        }
        let done = run(command, None).await?;
        ensure!(done.status.success(), "helm {}: {}", args.join(" "), String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8(done.stdout)?)
    }

    /// A kubeconfig with nothing but a token of the chart's ServiceAccount, for the server at that URL if one is named.
    async fn operator_kubeconfig(
        &self,
        namespace: &str,
        account: &str,
        server: Option<&str>,
    ) -> Result<PathBuf> {
        let token =
            self.kubectl(&["create", "token", account, "-n", namespace, "--duration=8h"], None).await?;
        let view = self.kubectl(VIEW, None).await?;
        let mut config: Value = serde_json::from_str(&view)?;
        let user = config.pointer_mut("/users/0/user").context("the kubeconfig names no user")?;
        *user = json!({ "token": token.trim() });
        if let Some(url) = server {
            let cluster =
                config.pointer_mut("/clusters/0/cluster").context("the kubeconfig names no cluster")?;
            *cluster = json!({ "server": url });
        }
        let path = self.folder.path().join(format!("{namespace}-operator.kubeconfig"));
        fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// An account of the cluster that signs in to the emulator, for one namespace.
    pub async fn emulated_account(&self, name: &str, namespace: &str, emulator: &Urls) -> Result<()> {
        self.client_secret(name, CLIENT_SECRET).await?;
        let auth = json!({ "clientSecret": {
            "clientId": CLIENT, "secretRef": { "name": name, "key": "clientSecret" },
        } });
        let spec = json!({
            "allowedNamespaces": { "names": [namespace] },
            "azure": emulated_azure(TENANT, &auth, emulator)?,
        });
        self.cluster_account(name, &spec).await
    }

    /// An account of the cluster that signs with the emulated user's keys, for one namespace. Of the two schemes the
    /// emulator's own hosts take either.
    pub async fn emulated_huawei_account(
        &self,
        name: &str,
        namespace: &str,
        emulator: &Urls,
        signing: &str,
    ) -> Result<()> {
        self.access_key(name, ACCESS_KEY, SECRET_KEY).await?;
        let spec = json!({
            "allowedNamespaces": { "names": [namespace] },
            "huaweiCloud": {
                "auth": { "accessKey": { "secretRef": { "name": name } } },
                "endpoints": {
                    "iotda": emulator.iotda_basic, "iotdaInstance": emulator.iotda, "iam": emulator.iam,
                    "signing": signing,
                },
                "caBundle": fs::read_to_string(&emulator.ca)?,
            },
        });
        self.cluster_account(name, &spec).await
    }

    /// Stores the access key of an account of the cluster.
    pub async fn access_key(&self, account: &str, id: &str, value: &str) -> Result<()> {
        self.keys(account, &[("accessKeyId", id), ("secretAccessKey", value)]).await
    }

    /// The same of a temporary key.
    pub async fn temporary_key(&self, account: &str, id: &str, value: &str, token: &str) -> Result<()> {
        let keys = [("accessKeyId", id), ("secretAccessKey", value), ("securityToken", token)];
        self.keys(account, &keys).await
    }

    /// Not as `stringData`, of which nothing goes when it is applied without.
    async fn keys(&self, account: &str, data: &[(&str, &str)]) -> Result<()> {
        let data = data.iter().map(|(key, value)| (*key, ByteString(value.as_bytes().to_vec())));
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": account },
            "data": data.collect::<BTreeMap<_, _>>(),
        });
        self.apply(NAMESPACE, &secret.to_string()).await
    }

    /// An account of the cluster.
    pub async fn cluster_account(&self, name: &str, spec: &Value) -> Result<()> {
        let account = json!({
            "apiVersion": "certferry.dev/v1alpha1",
            "kind": "ClusterCloudAccount",
            "metadata": { "name": name },
            "spec": spec,
        });
        self.apply("default", &account.to_string()).await
    }

    /// Stores the client secret of an account of the cluster.
    pub async fn client_secret(&self, account: &str, value: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": account },
            "stringData": { "clientSecret": value },
        });
        self.apply(NAMESPACE, &secret.to_string()).await
    }

    /// Stores a certificate and its key as cert-manager would.
    pub async fn tls_secret(&self, namespace: &str, name: &str, pair: &Pair) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "type": "kubernetes.io/tls",
            "stringData": { "tls.crt": pair.certificate, "tls.key": pair.key },
        });
        self.apply(namespace, &secret.to_string()).await
    }
}

/// How an account signs in to the emulator.
pub fn emulated_azure(tenant: &str, auth: &Value, emulator: &Urls) -> Result<Value> {
    Ok(json!({
        "cloud": "Custom",
        "tenantId": tenant,
        "auth": auth,
        "endpoints": {
            "authority": emulator.login,
            "resourceManager": emulator.arm,
            "keyVault": emulator.vault,
            "instanceMetadata": emulator.imds,
        },
        "caBundle": fs::read_to_string(&emulator.ca)?,
    }))
}

/// The manifest of a namespace.
pub fn namespace(name: &str) -> String {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }).to_string()
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
    /// The certificate's DER form.
    pub der: Vec<u8>,
}

/// A new CA.
pub fn ca(common_name: &str) -> Result<Pair> {
    ca_with(common_name, |_| {})
}

/// A new CA, adapted.
pub fn ca_with(common_name: &str, adapt: impl FnOnce(&mut rcgen::CertificateParams)) -> Result<Pair> {
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    adapt(&mut params);
    let certificate = params.self_signed(&key)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() })
}
