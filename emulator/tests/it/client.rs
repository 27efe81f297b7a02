//! Starting the binary and talking to it: TLS by OpenSSL, HTTP/1.1 by hand, so that a test sees every byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod, SslStream};
use serde_json::{Value, json};

pub(crate) const TENANT: &str = "11111111-1111-4111-8111-111111111111";
pub(crate) const CLIENT: &str = "22222222-2222-4222-8222-000000000001";
pub(crate) const SECRET: &str = "emulator-secret";
pub(crate) const SUBSCRIPTION: &str = "44444444-4444-4444-8444-444444444444";
pub(crate) const ARM_SCOPE: &str = "https://management.azure.com/.default";

/// A folder of one test's own, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("emulator-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) struct Emulator {
    child: Child,
    pub(crate) ready: Value,
    pub(crate) port: u16,
    ca: PathBuf,
    /// Keeps the pipe open.
    _out: BufReader<std::process::ChildStdout>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// As many bytes of the body came as were announced.
    pub(crate) whole: bool,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The status and the code of an ARM envelope.
    pub(crate) fn arm_error(&self) -> (u16, String) {
        (self.status, self.json()["error"]["code"].as_str().unwrap_or("no code").to_owned())
    }

    /// The status and the numeric code of a flat error.
    pub(crate) fn flat_error(&self) -> (u16, u64) {
        (self.status, self.json()["code"].as_u64().unwrap_or(0))
    }
}

impl Emulator {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::launched(Command::new(env!("CARGO_BIN_EXE_emulator")).args(arguments).env("RUST_LOG", "warn"))
    }

    /// With all that it can say written to this file.
    pub(crate) fn talkative(log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a file");
        Self::launched(Command::new(env!("CARGO_BIN_EXE_emulator")).env("RUST_LOG", "trace").stderr(log))
    }

    fn launched(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("one line of JSON");
        let port = ready["arm"].as_str().and_then(|url| url.rsplit(':').next()).expect("a port");
        let (port, ca) = (port.parse().expect("a port"), ready["ca"].as_str().expect("a path").into());
        Self { child, ready, port, ca, _out: out }
    }

    pub(crate) fn in_folder(dir: &Path, more: &[&str]) -> Self {
        let mut arguments = vec!["--dir", dir.to_str().expect("a path")];
        arguments.extend(more);
        Self::start_with(&arguments)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and the end of it.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
        self.child.wait().expect("it ends")
    }

    /// A connection on which this request was sent, as raw text up to the empty line.
    fn sent(&self, host: &str, head: &str, body: &[u8]) -> SslStream<TcpStream> {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).expect("OpenSSL");
        connector.set_ca_file(&self.ca).expect("the CA");
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let mut stream = connector.build().connect(host, stream).expect("the certificate covers the host");
        stream.write_all(head.as_bytes()).expect("sends");
        stream.write_all(b"\r\n").expect("sends");
        let _ = stream.write_all(body); // may be refused early
        stream
    }

    /// Sends a request and goes away once it has arrived.
    pub(crate) fn abandon(&self, host: &str, head: &str, body: &[u8]) {
        let before = self.seen("/requests/counts")["last"].clone();
        let stream = self.sent(host, head, body);
        while self.seen("/requests/counts")["last"] == before {
            std::thread::yield_now();
        }
        drop(stream);
    }

    /// One request on a connection of its own; `None` if no answer came.
    pub(crate) fn raw(&self, host: &str, head: &str, body: &[u8]) -> Option<Reply> {
        let mut stream = self.sent(host, head, body);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes); // a cut is no clean end of TLS
        parse(&bytes)
    }

    pub(crate) fn call(
        &self,
        method: &str,
        host: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Option<Reply> {
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nHost: {host}:{}\r\nConnection: close\r\n", self.port);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if body.is_some() || method == "POST" || method == "PUT" {
            head.push_str(&format!("Content-Length: {}\r\n", body.unwrap_or_default().len()));
        }
        self.raw(host, &head, body.unwrap_or_default())
    }

    pub(crate) fn control_call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let text = body.map(Value::to_string);
        let target = format!("/_emulator{path}");
        self.call(method, "control.localhost", &target, &[], text.as_ref().map(|text| text.as_bytes()))
            .expect("control always answers")
    }

    /// A control call that has to succeed.
    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let reply = self.control_call(method, path, (!body.is_null()).then_some(body));
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text());
        reply.json()
    }

    pub(crate) fn seen(&self, path: &str) -> Value {
        self.control("GET", path, &Value::Null)
    }

    pub(crate) fn set_switch(&self, name: &str, value: Value) {
        self.control("PATCH", "/switches", &json!({"iotHub": {name: value}}));
    }

    pub(crate) fn fault(&self, fault: Value) {
        self.control("POST", "/faults", &fault);
    }

    /// A token call with these form fields.
    pub(crate) fn ask_token(&self, tenant: &str, fields: &[(&str, &str)]) -> Reply {
        let form: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let target = format!("/{tenant}/oauth2/v2.0/token");
        let form_type = [("Content-Type", "application/x-www-form-urlencoded")];
        self.call("POST", "login.localhost", &target, &form_type, Some(form.join("&").as_bytes()))
            .expect("an answer")
    }

    pub(crate) fn token_of(&self, client: &str, secret: &str, scope: &str) -> String {
        let reply = self.ask_token(
            TENANT,
            &[
                ("grant_type", "client_credentials"),
                ("client_id", client),
                ("client_secret", secret),
                ("scope", scope),
            ],
        );
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["access_token"].as_str().expect("a token").to_owned()
    }

    pub(crate) fn token(&self) -> String {
        self.token_of(CLIENT, SECRET, ARM_SCOPE)
    }

    /// GET on ARM with a fresh token.
    pub(crate) fn arm_get(&self, target: &str) -> Reply {
        let bearer = format!("Bearer {}", self.token());
        self.call("GET", "arm.localhost", target, &[("Authorization", &bearer)], None).expect("an answer")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// What a token says, unchecked.
pub(crate) fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).expect("three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("claims")
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("headers are text");
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').expect("a header"))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let body = bytes[end + 4..].to_vec();
    let mut reply = Reply { status, headers, body, whole: true };
    let announced = reply.header("content-length").map(|length| length.parse::<usize>().expect("a length"));
    reply.whole = announced.is_none_or(|length| length == reply.body.len());
    Some(reply)
}
