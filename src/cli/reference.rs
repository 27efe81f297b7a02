//! The reference of all fields, from the definitions that are installed.

use std::fmt::Write;

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

/// The page, in Markdown.
pub(super) fn page(definitions: &[CustomResourceDefinition]) -> Result<String> {
    let mut page = String::from(
        "# Reference\n\nEvery field of every kind, as the CustomResourceDefinitions have it. A field with `*` is required \
         where the object that it stands in is set. This page is generated: `make docs`.\n",
    );
    for definition in definitions {
        kind(&mut page, definition)?;
    }
    Ok(page)
}

fn kind(page: &mut String, definition: &CustomResourceDefinition) -> Result<()> {
    let (spec, names) = (&definition.spec, &definition.spec.names);
    let version = spec.versions.first().context("a definition without a version")?;
    let schema = version.schema.as_ref().and_then(|it| it.open_api_v3_schema.as_ref());
    let schema = serde_json::to_value(schema.context("a version without a schema")?)?;
    let scope = if spec.scope == "Cluster" { "Stands in no namespace" } else { "Stands in a namespace" };
    let short = names.short_names.iter().flatten().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    writeln!(
        page,
        "\n## {}\n\n`{}/{}`. {scope}; short name {short}.\n\n{}",
        names.kind,
        spec.group,
        version.name,
        text(&schema, "description")
    )?;
    for part in ["spec", "status"] {
        let node = &schema["properties"][part];
        writeln!(page, "\n| field | holds | meaning |\n| --- | --- | --- |")?;
        rows(page, part, node)?;
        let mut rules = String::new();
        list_rules(&mut rules, part, node)?;
        if !rules.is_empty() {
            write!(page, "\nRules:\n\n{rules}")?;
        }
    }
    Ok(())
}

/// A row for each field below a node.
fn rows(page: &mut String, path: &str, node: &Value) -> Result<()> {
    let required = node["required"].as_array();
    for (name, field) in node["properties"].as_object().into_iter().flatten() {
        let star = if required.is_some_and(|it| it.iter().any(|it| it == name)) { " *" } else { "" };
        let path = format!("{path}.{name}");
        writeln!(
            page,
            "| `{path}`{star} | {} | {} |",
            cell(&holds(field)),
            cell(text(field, "description"))
        )?;
        match &field["items"] {
            items if items["properties"].is_object() => rows(page, &format!("{path}[]"), items)?,
            _ => rows(page, &path, field)?,
        }
    }
    Ok(())
}

/// What values a field takes.
fn holds(field: &Value) -> String {
    match text(field, "type") {
        "array" => format!("list of at most {}: {}", field["maxItems"], holds(&field["items"])),
        "object" if field["additionalProperties"].is_object() => {
            format!("map of at most {}: {}", field["maxProperties"], holds(&field["additionalProperties"]))
        }
        "integer" => format!("integer{}", between(&field["minimum"], &field["maximum"], "")),
        "string" => string(field),
        other => other.to_owned(),
    }
}

fn string(field: &Value) -> String {
    if let Some(values) = field["enum"].as_array() {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).map(|it| format!("`{it}`")).collect();
        return values.join(", ");
    }
    if field["format"] == "date-time" {
        return "time".to_owned();
    }
    let length = between(&field["minLength"], &field["maxLength"], " characters");
    let pattern = field["pattern"].as_str().map(|it| format!(", `{it}`")).unwrap_or_default();
    format!("string{length}{pattern}")
}

fn between(least: &Value, most: &Value, unit: &str) -> String {
    match (least.as_f64(), most.as_f64()) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (Some(least), None) => format!(", {least}{unit} or more"),
        (None, Some(most)) => format!(", at most {most}{unit}"),
        (None, None) => String::new(),
    }
}

/// What the API server checks besides: each rule's message, with the place that it speaks of.
fn list_rules(page: &mut String, path: &str, node: &Value) -> Result<()> {
    for rule in node["x-kubernetes-validations"].as_array().into_iter().flatten() {
        writeln!(page, "- `{path}`: {}", rule["message"].as_str().unwrap_or_else(|| text(rule, "rule")))?;
    }
    for (name, field) in node["properties"].as_object().into_iter().flatten() {
        list_rules(page, &format!("{path}.{name}"), field)?;
    }
    if node["items"].is_object() {
        list_rules(page, &format!("{path}[]"), &node["items"])?;
    }
    Ok(())
}

fn text<'a>(node: &'a Value, member: &str) -> &'a str {
    node[member].as_str().unwrap_or_default()
}

/// A text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::definitions;
    use super::*;

    #[test]
    fn what_a_field_holds_is_told_with_its_bounds() {
        let rows = [
            (json!({ "type": "string", "enum": ["A", "B"] }), "`A`, `B`"),
            (json!({ "type": "string", "maxLength": 64 }), "string, at most 64 characters"),
            (
                json!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^a$" }),
                "string, 1 to 64 characters, `^a$`",
            ),
            (json!({ "type": "string", "format": "date-time", "maxLength": 32 }), "time"),
            (json!({ "type": "integer", "minimum": 0.0 }), "integer, 0 or more"),
            (
                json!({ "type": "array", "maxItems": 2, "items": { "type": "boolean" } }),
                "list of at most 2: boolean",
            ),
        ];
        for (field, told) in rows {
            assert_eq!(holds(&field), told);
        }
    }

    #[test]
    fn every_kind_has_its_fields_and_rules() {
        let page = page(&definitions()).unwrap();
        for definition in definitions() {
            assert!(page.contains(&format!("\n## {}\n", definition.spec.names.kind)));
        }
        assert!(page.contains("| `spec.accountRef.name` * | string"));
        assert!(page.contains("| `status.retiring[].contentHash` * | string"));
        assert!(page.contains("\n- `spec`: "), "the rules are missing");
        let cells = page
            .lines()
            .filter(|it| it.starts_with('|'))
            .map(|it| it.replace("\\|", "").matches('|').count());
        assert!(cells.clone().count() > 200 && cells.into_iter().all(|it| it == 4), "a row is torn");
    }
}
