//! What strangers write runs nowhere: not in a page, not in an export.

use doorward::domain::people::{Reach, Role};
use reqwest::Method;
use serde_json::json;

use crate::browser::{Browser, Driver};
use crate::desk::Desk;

const VECTORS: &str = include_str!("vectors.txt");

#[tokio::test]
async fn scripts_of_strangers_run_on_no_page() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_a_morning().await;
    for (n, vector) in VECTORS.lines().enumerate() {
        let hostile = json!({
            "id": format!("x{n} {vector}").chars().take(190).collect::<String>(),
            "article": {"id": format!("a{n}"), "title": vector, "text": vector, "section": vector.chars().take(60).collect::<String>(), "url": vector},
            "author": {"id": format!("u{n}"), "name": vector, "url": vector},
            "body": format!("buy viagra {vector}"), "format": if n % 2 == 0 { "text" } else { "html" },
        });
        let mut answer = desk.app.post("/v1/comments", &hostile).await;
        if answer.status() == 422 {
            let mut milder = hostile.clone(); // an address that is none is refused: then the rest
            milder["article"].as_object_mut().unwrap().remove("url");
            milder["author"].as_object_mut().unwrap().remove("url");
            answer = desk.app.post("/v1/comments", &milder).await;
        }
        assert!([200, 201].contains(&answer.status().as_u16()), "{vector}: {}", answer.text().await.unwrap());
        let report = json!({"reader_id": format!("r{n}"), "category": "abuse", "text": vector});
        let id: String = url::form_urlencoded::byte_serialize(hostile["id"].as_str().unwrap().as_bytes()).collect();
        desk.app.post(&format!("/v1/comments/{}/reports", id.replace('+', "%20")), &report).await;
    }
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    let mut wrong = Vec::new();
    let waiting = desk.waiting().await;
    let told: Vec<_> = waiting["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["body"].as_str().unwrap().contains("pwned"))
        .collect();
    assert!(told.len() > 50, "they wait: {}", told.len());
    let mut paths: Vec<String> = desk.pages().await.into_iter().map(|(_, path, _)| path).collect();
    for item in told.iter().step_by(7) {
        paths.push(format!("/comments/{}", item["uid"].as_str().unwrap()));
        paths.push(format!("/authors/news/{}", item["author"]["id"].as_str().unwrap()));
        paths.push(format!("/articles/news/{}", item["article"]["id"].as_str().unwrap()));
    }
    let mut next = waiting["next_cursor"].clone();
    paths.extend((0..3).map(|page| format!("/queue?sort=newest&page={page}")));
    paths.push("/search?q=viagra".to_owned());
    paths.push(format!(
        "/search?q={}",
        url::form_urlencoded::byte_serialize("\"><script>window.pwned=1</script>".as_bytes()).collect::<String>()
    ));
    paths.push(format!(
        "/queue?q={}",
        url::form_urlencoded::byte_serialize("'\"><svg onload=window.pwned=1>".as_bytes()).collect::<String>()
    ));
    next.take();
    for path in paths {
        browser.goto(&path).await;
        browser
            .until(
                "the page is ready",
                "document.documentElement.dataset.ready || document.body.classList.contains('plain')",
            )
            .await;
        // More of the queue is loaded as one goes down, and tabs when they are chosen.
        browser.run("document.querySelectorAll('[role=tab]').forEach(tab => tab.click()); document.querySelectorAll('details').forEach(d => d.open = true); document.querySelectorAll('mark').forEach(mark => mark.focus())", vec![]).await;
        let ran = browser.run("return window.pwned ?? (document.querySelector('a[href^=javascript], a[href^=data], [onerror], [onload], [onfocus], script:not([src]):not([type])')?.outerHTML ?? null)", vec![]).await;
        if !ran.is_null() {
            wrong.push(format!("{path}: {ran}"));
        }
        wrong.extend(
            browser
                .errors()
                .await
                .into_iter()
                .filter(|error| !error.contains("status of 404"))
                .map(|error| format!("{path}: {error}")),
        );
    }
    browser.close().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn exports_hold_no_formulas_and_are_no_pages() {
    let desk = Desk::with_held(1).await;
    for (n, vector) in ["=HYPERLINK(\"http://evil.example\")", "+1+1", "-1", "@SUM(1)", "\tx"].into_iter().enumerate() {
        let ban = json!({"site": "news", "target": {"kind": "author", "value": format!("u{n}")}, "measure": "premoderate", "cause": vector});
        desk.app.request(Method::POST, "/v1/sanctions", &desk.app.token).json(&ban).send().await.unwrap();
    }
    let made =
        desk.app.admin().user_create("auditor@example.org", Role::Auditor, &Reach::ALL, desk.app.now()).await.unwrap();
    let token = desk.app.admin().token_create(&made.email, desk.app.now()).await.unwrap().token;
    for format in ["csv", "ndjson"] {
        let answer =
            desk.app.request(Method::GET, &format!("/v1/audit/export?format={format}"), &token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(!kind.contains("html"), "{kind}");
        let text = answer.text().await.unwrap();
        for cell in text.lines().flat_map(|line| line.split(',')).filter(|_| format == "csv") {
            let cell = cell.trim_matches('"');
            assert!(!cell.starts_with(['=', '+', '@', '\t']), "{cell}");
        }
    }
}
