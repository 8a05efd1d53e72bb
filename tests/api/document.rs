//! The OpenAPI document against the service that it describes: every answer looks as the document says, and every example is one that the service gave.
//! `UPDATE_DOCS=1` records examples that are missing, or do not fit any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::access::exchanges;
use crate::helpers::{TestApp, read};
use crate::schema::faults;

/// Where examples are kept.
const EXAMPLES: &str = "src/http/openapi/examples.json";

async fn document() -> Value {
    let app = TestApp::spawn().await;
    read(app.request(Method::GET, "/openapi.json", "").send().await.unwrap(), &[200]).await
}

/// Every operation: its name as `METHOD PATH`, and what the document says.
fn operations(document: &Value) -> BTreeMap<String, Value> {
    let mut operations = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(_, said)| said["responses"].is_object())
        {
            operations.insert(format!("{} {path}", method.to_uppercase()), operation.clone());
        }
    }
    operations
}

#[tokio::test]
async fn every_answer_is_one_that_the_document_describes() {
    let document = document().await;
    let operations = operations(&document);
    let mut recorded: Map<String, Value> = examples();
    let mut problems = Vec::new();
    for exchange in exchanges().await {
        let Some(operation) = operations.get(&exchange.name) else { continue };
        let status = exchange.status.to_string();
        let said = &operation["responses"][&status];
        if said.is_null() {
            problems.push(format!("{}: {status} is not described", exchange.name));
            continue;
        }
        let entry = recorded.entry(exchange.name.clone()).or_insert_with(|| json!({}));
        if let Some(request) = &exchange.request {
            let content = operation["requestBody"]["content"].as_object().and_then(|all| all.iter().next());
            let (kind, content) = content.unwrap_or_else(|| panic!("{} takes a body", exchange.name));
            let sent = if kind == "application/json" { request.clone() } else { json!(format!("{request}\n")) };
            keep(&document, entry, "request", &content["schema"], sent);
        }
        let Some(kind) = exchange.kind else {
            assert!(said["content"].is_null(), "{}: {status} comes without a body", exchange.name);
            continue;
        };
        let content = &said["content"][&kind];
        if content.is_null() {
            problems.push(format!("{}: {status} as {kind} is not described", exchange.name));
            continue;
        }
        if kind.ends_with("json") && !kind.ends_with("ndjson") {
            let answer: Value = serde_json::from_str(&exchange.body).unwrap();
            let found = faults(&document, &content["schema"], &answer);
            problems.extend(found.iter().map(|fault| format!("{} {status}: {fault}", exchange.name)));
            if exchange.name != "GET /openapi.json" {
                keep(&document, entry, &status, &content["schema"], short(answer));
            }
        } else if kind == "application/x-ndjson" {
            keep(&document, entry, &status, &content["schema"], json!(lines(&exchange.body)));
        }
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        recorded.retain(|name, said| {
            operations.contains_key(name) && said.as_object().is_some_and(|said| !said.is_empty())
        });
        let text = serde_json::to_string_pretty(&recorded).unwrap();
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLES), format!("{text}\n")).unwrap();
    }
    assert_eq!(problems, Vec::<String>::new());
}

fn examples() -> Map<String, Value> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLES)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The first two lines.
fn lines(text: &str) -> String {
    text.split_inclusive('\n').take(2).collect()
}

/// A page of two entries says as much as one of forty.
fn short(mut answer: Value) -> Value {
    answer
        .as_object_mut()
        .into_iter()
        .flatten()
        .filter_map(|(_, field)| field.as_array_mut())
        .for_each(|list| list.truncate(2));
    answer
}

/// What was recorded stays as long as it fits: examples that change with every run say nothing by changing.
fn keep(document: &Value, entry: &mut Value, what: &str, schema: &Value, new: Value) {
    let fits = entry.get(what).is_some_and(|old| faults(document, schema, old).is_empty());
    if !fits {
        entry[what] = new;
    }
}

#[tokio::test]
async fn every_body_has_an_example_that_fits_its_schema() {
    let document = document().await;
    let mut problems = Vec::new();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
            "{name}: its operationId is another's"
        );
        assert!(
            operation["summary"].is_string() || operation["description"].is_string(),
            "{name} says nothing of itself"
        );
        let request = operation["requestBody"]["content"].as_object().into_iter().flatten();
        let mut bodies: Vec<(String, &String, &Value)> =
            request.map(|(kind, content)| (format!("{name}: request"), kind, content)).collect();
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses {
            assert!(
                response["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{name} {status} is not described"
            );
            let content = response["content"].as_object().into_iter().flatten();
            bodies.extend(content.map(|(kind, content)| (format!("{name}: {status}"), kind, content)));
        }
        for (which, kind, content) in bodies {
            let shown = &content["example"];
            if shown.is_null() {
                if kind.ends_with("json") && name != "GET /openapi.json" {
                    problems.push(format!("{which} as {kind} has no example; UPDATE_DOCS=1 records one"));
                }
                continue;
            }
            let found = faults(&document, &content["schema"], shown);
            problems.extend(found.iter().map(|fault| format!("{which}: the example: {fault}")));
        }
    }
    assert_eq!(problems, Vec::<String>::new());
}

/// Everything that a document refers to.
pub(crate) fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let document = document().await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 50, "the document is made of schemas");
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("everything is in the document itself");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}
