//! Requests of real clients, as they were recorded from them, answered byte for byte as their servers would. The recordings lie beside the
//! repository (`shared/recordings`); where they are not, that is said, and nothing is tested.

#![allow(clippy::print_stderr, reason = "whoever runs the tests has to see what was not tested")]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::akismet::{Client, raw};

/// Credentials without a key in them.
const NOBODY: &str = "Basic eDp1bmRlZmluZWQ=";
/// Keys in the recordings.
const KEYS: [&str; 2] = ["testkey123", "123456789abc"];

/// The texts that were recorded, and what the rules that come with the program say of each.
const CHECKS: [(&str, &str); 12] = [
    ("hello", "false"),
    ("x", "false"),
    ("discard", "false"),
    ("debug", "false"),
    ("alert", "false"),
    ("http500", "false"),
    ("http429", "false"),
    ("http201", "false"),
    ("trailingnl", "false"),
    ("buy cheap pills", "false"),
    ("buy cheap pills http://x.test", "false"),
    ("buy [b]pills[/b] & more = 100% Ünïcode", "false"), // doubtful
];

fn recordings() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.ancestors().map(|folder| folder.join("shared/recordings")).find(|folder| folder.is_dir())
}

fn with_key(text: &str, key: &str) -> String {
    KEYS.iter().fold(text.to_owned(), |text, recorded| text.replace(recorded, key))
}

/// What the server must say to a recorded request.
fn expected(line: &Value, has_key: bool) -> &'static str {
    let path = line["path"].as_str().unwrap();
    let form = |name: &str| {
        let fields = line["form"].as_array().into_iter().flatten();
        fields.clone().find(|field| field[0] == name).and_then(|field| field[1].as_str()).unwrap_or_default()
    };
    let is_test = ["viagra-test-123", "akismet-guaranteed-spam"].contains(&form("comment_author"));
    match path.rsplit('/').next().unwrap() {
        _ if !has_key => "invalid",
        "verify-key" => "valid",
        "comment-check" if is_test => "true",
        "comment-check" => CHECKS.iter().find(|(text, _)| *text == form("comment_content")).expect("a known text").1,
        "submit-spam" | "submit-ham" => "Thanks for making the web a better place.",
        other => panic!("{other}: an unknown call was recorded"),
    }
}

async fn replay(client: &Client, file: &Path) -> usize {
    let text = std::fs::read_to_string(file).unwrap();
    for (number, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let name = format!("{}:{}", file.file_name().unwrap().to_string_lossy(), number + 1);
        let (method, path) = (line["method"].as_str().unwrap(), with_key(line["path"].as_str().unwrap(), &client.key));
        let body = with_key(line["body"].as_str().unwrap_or_default(), &client.key);
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        let mut has_key = body.contains(&client.key) || path.contains(&client.key);
        for header in line["headers"].as_array().unwrap() {
            let (header, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
            let value = match header.to_ascii_lowercase().as_str() {
                "content-length" | "connection" => continue,
                "authorization" => {
                    let plain =
                        String::from_utf8(STANDARD.decode(value.trim_start_matches("Basic ")).unwrap()).unwrap();
                    format!("Basic {}", STANDARD.encode(with_key(&plain, &client.key)))
                }
                _ => with_key(value, &client.key),
            };
            has_key |= value.contains(&client.key) || (value.starts_with("Basic ") && value != NOBODY);
            head.push_str(&format!("{header}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()));
        let heard = raw(&client.app, &head, body.as_bytes()).await;
        let call = path.split('?').next().unwrap().rsplit('/').next().unwrap();
        assert_eq!(heard.status, 200, "{name}: {heard:?}");
        match call {
            "usage-limit" if has_key => {
                let usage: Value = serde_json::from_str(&heard.body).unwrap();
                assert_eq!(
                    (&usage["limit"], &usage["throttled"]),
                    (&Value::from("none"), &Value::from(false)),
                    "{name}"
                );
            }
            "key-sites" | "usage-limit" => assert_eq!(heard.body, "invalid", "{name}: there is no key in it"),
            _ => {
                let expected = expected(&line, has_key);
                assert_eq!(heard.body, expected, "{name}: {}", line["form"]);
            }
        }
        if call == "comment-check" && has_key {
            heard.verdict();
        } else {
            assert_eq!(heard.body == "invalid", heard.header("x-akismet-debug-help").is_some(), "{name}");
        }
    }
    text.lines().count()
}

#[tokio::test]
async fn every_recorded_request_is_answered_as_its_client_expects() {
    let Some(folder) = recordings() else {
        eprintln!("NOT TESTED: there are no recordings beside the repository (shared/recordings)");
        return;
    };
    let client = Client::with(|config| {
        config.limits.enabled = false;
        config.akismet.host_suffixes.push("akismet.internal".to_owned());
    })
    .await;
    let mut replayed = 0;
    // What was recorded of OpenAI's clients is of another protocol.
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "jsonl") && !file.ends_with("rec_openai.jsonl"));
    files.sort();
    for file in &files {
        replayed += replay(&client, file).await;
    }
    assert!(replayed > 50, "{replayed} of {files:?}");
}
