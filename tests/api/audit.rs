//! The record of who did what: searched, bounded in time, and as a file.

use doorward::domain::decision::Actor;
use doorward::domain::people::Role;
use doorward::domain::store::AuditEntry;
use reqwest::Method;

use crate::helpers::{TestApp, read};

async fn note(app: &TestApp, subject: &str, detail: &str) {
    let by = Actor::Person("=cmd@example.org".to_owned());
    let (action, subject, detail) = ("test.note".to_owned(), subject.to_owned(), detail.to_owned());
    app.store.audit_note(AuditEntry { by, action, subject, detail, at: app.now() }).await.unwrap();
}

#[tokio::test]
async fn lines_are_found_by_what_they_say_and_when() {
    let app = TestApp::spawn().await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    note(&app, "Zeppelin", "one").await;
    app.clock.advance_ms(3_600_000);
    note(&app, "balloon", "not a zeppelin, 100%").await;
    let ask = async |query: &str| {
        let path = format!("/v1/audit?{query}");
        let page = read(app.request(Method::GET, &path, &auditor).send().await.unwrap(), &[200]).await;
        let items = page["items"].as_array().unwrap().iter();
        items.map(|line| line["subject"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ask("q=zeppelin").await, ["balloon", "Zeppelin"], "in subject or detail, of either case");
    assert_eq!(ask("q=100%25").await, ["balloon"], "signs mean themselves");
    assert_eq!(ask("q=zeppelin&until=2026-11-24T10:30:00Z").await, ["Zeppelin"]);
    let long = format!("/v1/audit?q={}", "x".repeat(201));
    assert_eq!(app.request(Method::GET, &long, &auditor).send().await.unwrap().status(), 422);
}

#[tokio::test]
async fn the_record_is_had_as_a_file_that_no_spreadsheet_computes() {
    let app = TestApp::spawn().await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    for number in 0..600 {
        note(&app, &format!("=HYPERLINK({number})"), "says \"hello\",\nand more").await;
    }
    let ask = async |format: &str| {
        let path = format!("/v1/audit/export?action=test.&format={format}");
        let answer = app.request(Method::GET, &path, &auditor).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = ask("csv").await;
    assert_eq!(status, 200);
    assert!(text.starts_with("number,at,actor,by,action,subject,detail,hash\r\n"), "{}", &text[..80]);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 600, "over more than one page, with one head");
    assert_eq!((&rows[0][5], &rows[0][3]), ("'=HYPERLINK(599)", "'=cmd@example.org"));
    assert_eq!(&rows[0][6], "says \"hello\",\nand more");
    let (_, lines) = ask("ndjson").await;
    assert_eq!(lines.lines().count(), 600);
    assert_eq!(ask("xml").await.0, 422);
    let exports = app.audit().await.into_iter().filter(|entry| entry.action == "audit.export").count();
    assert_eq!(exports, 2, "that it was read is on record");
}
