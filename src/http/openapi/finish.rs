//! What every operation of the document has in common, said once: the media type of problems, headers, names, statuses that any request may meet, and
//! examples, which a test records from the service (`tests/api/document.rs`).

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::super::problem::{QUOTA_EXCEEDED, TYPES};

/// Recorded requests and answers: `"METHOD PATH"` to `{"request": …, "STATUS": …}`.
const EXAMPLES: &str = include_str!("examples.json");
/// The schema of problems.
const PROBLEM: &str = "#/components/schemas/ProblemBody";
/// The schema of what is wrong in Google's words.
const GOOGLE: &str = "#/components/schemas/GoogleErrorOut";
/// How OpenAPI names the operations of a path.
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Finishes the document that the handlers make.
pub(super) fn finish(mut document: Value) -> Value {
    static RECORDED: LazyLock<Map<String, Value>> =
        LazyLock::new(|| serde_json::from_str(EXAMPLES).unwrap_or_default());
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    document["servers"] = json!([{"url": "/", "description": "This service"}]);
    document["components"]["headers"] = headers();
    for (path, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        let operations = operations.as_object_mut().into_iter().flatten();
        for (method, operation) in operations.filter(|(method, _)| METHODS.contains(&method.as_str())) {
            operation["operationId"] = json!(operation_id(method, path));
            body_statuses(operation);
            common_statuses(operation);
            let recorded = RECORDED.get(&format!("{} {path}", method.to_uppercase()));
            if let Some(request) = recorded.and_then(|recorded| recorded.get("request")) {
                example(operation.get_mut("requestBody"), request);
            }
            for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                finish_response(status, response);
                if let Some(answer) = recorded.and_then(|recorded| answer(recorded, status)) {
                    example(Some(response), answer);
                }
            }
        }
    }
    document
}

/// The answer that was recorded with that status; of one success an answer that looks the same.
fn answer<'a>(recorded: &'a Value, status: &str) -> Option<&'a Value> {
    let is_success = |status: &str| status.starts_with('2');
    let other = || recorded.as_object()?.iter().find(|(other, _)| is_success(other)).map(|(_, answer)| answer);
    recorded.get(status).or_else(|| if is_success(status) { other() } else { None })
}

/// Unique, and the same as long as method and path are: handlers of several paths are called `list`.
fn operation_id(method: &str, path: &str) -> String {
    let mut id = method.to_owned();
    let mut begins = true;
    for c in path.chars() {
        if c.is_ascii_alphanumeric() {
            id.extend(if begins { c.to_uppercase().next() } else { Some(c) });
        }
        begins = !c.is_ascii_alphanumeric();
    }
    id
}

/// Wherever a body may be too large, it may be too slow, which is told in the same way.
fn body_statuses(operation: &mut Value) {
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    if let Some(too_large) = responses.get("413").cloned() {
        responses.entry("408").or_insert(too_large);
    }
}

/// A NUL in the address is told by the name of the parameter, whatever the path; and what a path names may not be there.
fn common_statuses(operation: &mut Value) {
    let mut due = Vec::new();
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        due.push("422");
        if parameter["in"] == "path" {
            due.push("404");
        }
        let is_name = parameter["schema"]["type"] == "string" && parameter["schema"]["format"].is_null();
        if parameter["in"] == "path" && is_name {
            parameter["schema"]["minLength"] = json!(1);
            parameter["schema"]["maxLength"] = json!(200);
        }
    }
    let responses = operation["responses"].as_object_mut();
    let Some(responses) = responses.filter(|responses| responses.values().any(is_problem)) else { return };
    for status in due {
        responses.entry(status).or_insert_with(
            || json!({"description": "", "content": {"application/json": {"schema": {"$ref": PROBLEM}}}}),
        );
    }
}

fn is_problem(response: &Value) -> bool {
    response["content"]["application/json"]["schema"]["$ref"] == PROBLEM
}

fn finish_response(status: &str, response: &mut Value) {
    if is_problem(response) {
        let mut content = response["content"]["application/json"].take();
        content["example"] = problem(status);
        response["content"] = json!({"application/problem+json": content});
    }
    if response["content"]["application/json"]["schema"]["$ref"] == GOOGLE {
        response["content"]["application/json"]["example"] = google(status);
    }
    if response["description"].as_str().is_none_or(str::is_empty) {
        response["description"] = json!(reason(status));
    }
    let mut named = vec!["x-request-id"];
    match status {
        "401" => named.push("WWW-Authenticate"),
        "429" => named.extend(["Retry-After", "RateLimit-Policy", "RateLimit"]),
        "503" => named.push("Retry-After"),
        _ => {}
    }
    for name in named {
        response["headers"][name] = json!({"$ref": format!("#/components/headers/{name}")});
    }
}

fn example(of: Option<&mut Value>, example: &Value) {
    let contents = of.and_then(|of| of.get_mut("content")).and_then(Value::as_object_mut);
    for (kind, content) in contents.into_iter().flatten() {
        // What is also told as CSV is recorded as lines of JSON; an object is none of what is told as text.
        if kind != "text/csv" && (kind != "text/plain" || example.is_string()) {
            content["example"] = example.clone();
        }
    }
}

fn headers() -> Value {
    let header = |description: &str| json!({"description": description, "schema": {"type": "string"}});
    json!({
        "x-request-id": header("The request's id: the client's own, if it sent one that is fit for it"),
        "WWW-Authenticate": header("What opens the path: `Bearer`, or `Signature`"),
        "Retry-After": header("Seconds after which the same may be sent again"),
        "RateLimit-Policy": header("The limit that was met: its name, quota and window in seconds"),
        "RateLimit": header("What is left of it, and the seconds until there is more"),
    })
}

fn reason(status: &str) -> &'static str {
    match status {
        "200" => "Done",
        "201" => "Made",
        "202" => "Taken",
        "204" => "Done; there is nothing to say",
        "303" => "Elsewhere",
        "400" => "The request cannot be read",
        "401" => "The key, token or signature is missing or unknown",
        "403" => "The key, or the role, does not allow this",
        "404" => "There is no such thing, or it is not yours to see",
        "408" => "The request did not come whole in time",
        "409" => "Something else is there, or happened meanwhile",
        "413" => "The request is too large",
        "415" => "The content type is not supported",
        "422" => "A field is not valid",
        "429" => "Over a limit",
        "503" => "Not now; the same again is safe",
        _ => "See the type of the problem",
    }
}

/// The same, as Google says it.
fn google(status: &str) -> Value {
    let (kind, message) = match status {
        "401" => ("UNAUTHENTICATED", "this key is not known here"),
        "403" => ("PERMISSION_DENIED", "this key lacks the scope `post`"),
        "404" => ("NOT_FOUND", "there is no other version than v1alpha1 here"),
        "429" => ("RESOURCE_EXHAUSTED", "over the limit `assess-per-site`; try again in 12 s"),
        "503" => ("UNAVAILABLE", "TOXICITY has no score now; ask again later"),
        "408" => ("DEADLINE_EXCEEDED", "the body was not whole after 30 s"),
        "413" => ("INVALID_ARGUMENT", "the body is larger than 1048576 bytes"),
        "415" => ("INVALID_ARGUMENT", "send Content-Type: application/json"),
        _ => {
            ("INVALID_ARGUMENT", "requestedAttributes.INSULT: is not modelled here; what is: SPAM, TOXICITY, OFF_TOPIC")
        }
    };
    json!({"error": {"code": status.parse::<u16>().unwrap_or(500), "message": message, "status": kind}})
}

/// A problem of that status.
fn problem(status: &str) -> Value {
    let (kind, detail) = match status {
        "400" => ("/problems/malformed", "not JSON: EOF while parsing an object at line 1 column 9"),
        "401" => ("/problems/unauthorized", "this key is not known here"),
        "403" => ("/problems/forbidden", "this key lacks the scope `post`"),
        "404" => ("/problems/not-found", "there is no comment with this id"),
        "408" => ("/problems/request-timeout", "the body was not whole after 30 s"),
        "409" => ("/problems/conflict", "somebody else changed this comment meanwhile"),
        "413" => ("/problems/too-large", "the body is larger than 1048576 bytes"),
        "415" => ("/problems/unsupported-media-type", "send Content-Type: application/json"),
        "422" => ("/problems/invalid", "body: must not be empty or blank"),
        "429" => (QUOTA_EXCEEDED, "over the limit `per-ip`; try again in 12 s"),
        "503" => ("/problems/unavailable", "the store cannot be used now; send the same again"),
        _ => ("/problems/internal", "the log of the service says more; name the instance when you ask"),
    };
    let title = TYPES.iter().find(|(name, _)| *name == kind).map_or("Too many requests", |(_, title)| *title);
    let code: u16 = status.parse().unwrap_or(500);
    let mut problem = json!({"type": kind, "title": title, "status": code, "detail": detail,
        "instance": "3f0e7f3a-6c0b-4a55-9d0e-0d2f6f1c2b7a"});
    match status {
        "422" => problem["field"] = json!("body"),
        "429" => problem["retry_after_s"] = json!(12),
        "503" => problem["retry_after_s"] = json!(5),
        _ => {}
    }
    problem
}
