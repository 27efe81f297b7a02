//! `certferry validate`: what the API server and the operator would say of a manifest, told without either.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use kube::core::cel::Validator;
use serde_json::{Map, Value, json};

use super::definitions;
use crate::api::GROUP;
use crate::api::reason::Invalid;
use crate::providers;

/// More than any manifest has; the API server takes 3 MiB.
const LARGEST: u64 = 4 << 20;

/// Checks every document of the files. Gives whether all are good.
pub(super) fn validate(files: &[PathBuf]) -> Result<bool> {
    let mut good = true;
    for file in files {
        let text = read(file)?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text)
            .map_err(|error| anyhow::anyhow!("{}: not YAML: {error}", file.display()))?;
        for document in documents.iter().filter(|it| is_ours(it)) {
            let faults = faults(document);
            let label = format!("{}: {}", file.display(), label(document));
            let mut out = std::io::stdout();
            if faults.is_empty() {
                writeln!(out, "{label}: valid")?;
            }
            for fault in faults {
                good = false;
                writeln!(out, "{label}: {fault}")?;
            }
        }
    }
    Ok(good)
}

pub(super) fn read(file: &Path) -> Result<String> {
    let mut text = String::new();
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?)
    };
    source
        .take(LARGEST + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {}", file.display()))?;
    if text.len() as u64 > LARGEST {
        bail!("{} is larger than 4 MiB", file.display());
    }
    Ok(text)
}

pub(super) fn is_ours(document: &Value) -> bool {
    document["apiVersion"].as_str().is_some_and(|it| it.split('/').next() == Some(GROUP))
}

fn label(document: &Value) -> String {
    let kind = document["kind"].as_str().unwrap_or("?");
    format!("{kind} {}", document["metadata"]["name"].as_str().unwrap_or("?"))
}

/// What is wrong with a document: first by schema, then by CEL, then by the parser; each only if the one before is
/// content, as the API server does.
pub(super) fn faults(document: &Value) -> Vec<String> {
    let Some(schema) = schema_of(document) else {
        return vec![format!("`{}` has no such kind", document["apiVersion"].as_str().unwrap_or_default())];
    };
    let by_schema = schema_faults(&schema, document);
    if !by_schema.is_empty() {
        return by_schema;
    }
    let by_cel = cel_faults(&schema, document);
    if !by_cel.is_empty() {
        return by_cel;
    }
    let provider = providers::all().into_iter().find(|it| Some(it.kind()) == document["kind"].as_str());
    let verdict = provider.map_or(Ok(()), |it| it.check(document.clone()));
    verdict.err().map(|Invalid { reason, message }| format!("{reason}: {message}")).into_iter().collect()
}

fn schema_of(document: &Value) -> Option<Value> {
    let version = document["apiVersion"].as_str()?.split('/').nth(1)?.to_owned();
    let definition = definitions()
        .into_iter()
        .find(|it| Some(it.spec.names.kind.as_str()) == document["kind"].as_str())?;
    let served = definition.spec.versions.into_iter().find(|it| it.name == version)?;
    serde_json::to_value(served.schema?.open_api_v3_schema?).ok()
}

fn schema_faults(schema: &Value, document: &Value) -> Vec<String> {
    let mut closed = schema.clone();
    close(&mut closed);
    // The server knows these members of every object; their own schema is not ours.
    for name in ["apiVersion", "kind", "metadata"] {
        closed["properties"][name] = json!({});
    }
    match jsonschema::validator_for(&closed) {
        Ok(validator) => validator
            .iter_errors(document)
            .map(|error| {
                format!(
                    "`{}`: {error}",
                    error.instance_path().to_string().trim_start_matches('/').replace('/', ".")
                )
            })
            .collect(),
        Err(error) => vec![format!("the schema cannot be used: {error}")],
    }
}

/// Objects with listed members take no others: the API server refuses unknown fields in the same way.
fn close(schema: &mut Value) {
    let Some(node) = schema.as_object_mut() else { return };
    if node.contains_key("properties") && !node.contains_key("additionalProperties") {
        node.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if let Some(members) = node.get_mut("properties").and_then(Value::as_object_mut) {
        members.values_mut().for_each(close);
    }
    if let Some(items) = node.get_mut("items") {
        close(items);
    }
}

/// Words of CEL that a field may be named by. The evaluator knows such a field as `__import__`, the API server by its own
/// name too, which is what our rules say.
const RESERVED: [&str; 4] = ["import", "namespace", "package", "function"];

/// The schema with its rules as the evaluator reads them.
fn escaped(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            for (name, value) in members {
                *value = match value.take() {
                    Value::String(rule) if name == "rule" => escaped_rule(rule).into(),
                    value => escaped(value),
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| *it = escaped(it.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    schema
}

fn escaped_rule(rule: String) -> String {
    RESERVED.iter().fold(rule, |rule, word| {
        let member = format!(".{word}");
        let mut parts = rule.split(&member);
        let mut escaped = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let goes_on = part.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_');
            escaped += &if goes_on { format!(".{word}{part}") } else { format!(".__{word}__{part}") };
        }
        escaped
    })
}

fn cel_faults(schema: &Value, document: &Value) -> Vec<String> {
    let schema = &escaped(schema.clone());
    let mut document = document.clone();
    if let Some(members) = document.as_object_mut() {
        members.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    }
    match Validator::new().validate(schema, &document, None) {
        Ok(()) => Vec::new(),
        Err(errors) => {
            errors.into_vec().into_iter().map(|it| format!("`{}`: {}", it.field_path, it.message)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_a_word_of_cel_is_known_by_its_name() {
        for (rule, escaped) in [
            ("has(self.policy) != has(self.import)", "has(self.policy) != has(self.__import__)"),
            ("self.import.exportable", "self.__import__.exportable"),
            ("self.importance && self.import", "self.importance && self.__import__"),
            ("self.policy", "self.policy"),
        ] {
            assert_eq!(escaped_rule(rule.to_owned()), escaped);
        }
        let manifest = include_str!("../../examples/key-vault/imported.yaml");
        let documents: Vec<Value> = serde_saphyr::from_multiple(manifest).unwrap();
        for document in documents.iter().filter(|it| is_ours(it)) {
            assert_eq!(faults(document), Vec::<String>::new());
            let mut both = document.clone();
            both["spec"]["policy"] =
                json!({ "x509Properties": { "subject": "CN=x" }, "issuer": { "name": "Self" } });
            assert!(faults(&both).iter().any(|it| it.contains("exactly one of")), "{both}");
        }
    }
}
