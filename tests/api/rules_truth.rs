//! What rules do and whether people agree: over HTTP and in the console, for whom it is.

use doorward::domain::people::{Reach, Role};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, ordinary, read, talk};

const SETTINGS: &str = r#"
[limits]
enabled = false

[[rules]]
name = "boats"
when = 'comment.folded.contains("boat")'
then = { action = "hold", category = "off-topic" }
reason = "Boats are talked about <elsewhere>."

[[rules]]
name = "zeppelins"
when = 'comment.folded.contains("zeppelin")'
then = { action = "hold" }
reason = "Zeppelins, perhaps."
mode = "shadow"

[[rules]]
name = "legal"
when = 'comment.folded.contains("insolvency")'
then = { queue = "legal" }
reason = "Lawyers look at these."

[[rules]]
name = "silent"
when = 'comment.folded.contains("nobody says so")'
then = { action = "reject" }
reason = "Nobody says so."
"#;

async fn started() -> (TestApp, String) {
    let app = TestApp::spawn_following(SETTINGS).await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    (app, auditor)
}

/// Posts a comment with that word; the moderator decides about it, or nobody does.
async fn say(app: &TestApp, id: &str, word: &str, decision: Option<&str>) -> Value {
    let mut new = ordinary(id);
    new["body"] = json!(format!("{} It was about a {word} in the end.", talk(id)));
    let comment = app.comment(&new).await;
    if let Some(action) = decision {
        let ask = json!({"items": [{"uid": comment["uid"], "seen_version": 1}], "action": action});
        app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
    }
    comment
}

async fn told(app: &TestApp, token: &str, path: &str) -> Value {
    read(app.request(Method::GET, path, token).send().await.unwrap(), &[200]).await
}

fn of<'a>(told: &'a Value, id: &str) -> &'a Value {
    let all = told["items"].as_array().unwrap();
    all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("{id} is not told of: {told}"))
}

fn n_of(share: &Value) -> (u64, u64) {
    (share["n"].as_u64().unwrap(), share["of"].as_u64().unwrap())
}

#[tokio::test]
async fn a_rule_is_told_with_what_it_did_and_what_people_made_of_it() {
    let (app, auditor) = started().await;
    let mut held = Vec::new();
    for (n, decision) in [Some("reject"), Some("reject"), Some("approve"), None].into_iter().enumerate() {
        held.push(say(&app, &format!("b-{n}"), "boat", decision).await);
    }
    assert_eq!(held[3]["status"], "held");
    app.clock.advance_ms(7 * 86_400_000);
    let shadowed = say(&app, "z-1", "zeppelin", Some("reject")).await;
    assert_eq!(shadowed["status"], "approved", "in shadow");
    say(&app, "l-1", "insolvency", Some("approve")).await;
    let found = told(&app, &auditor, "/v1/rules").await;
    assert_eq!((&found["comments"], &found["decided"]), (&json!(6), &json!(5)), "{found}");
    let boats = of(&found, "rule:boats");
    assert_eq!((&boats["kind"], &boats["mode"], &boats["now"]), (&json!("rule"), &json!("live"), &json!("live")));
    assert_eq!((&boats["fired"], &boats["decisive"]), (&json!(4), &json!(4)));
    assert_eq!((n_of(&boats["overturned"]), n_of(&boats["precision"])), ((1, 3), (2, 3)));
    assert_eq!(boats["precision"]["interval"].as_array().unwrap().len(), 2);
    let weeks = boats["weeks"].as_array().unwrap();
    assert_eq!((weeks.len(), &weeks[0]["week"], &weeks[0]["site"]), (1, &json!("2026-W48"), &json!("news")));
    let zeppelins = of(&found, "rule:zeppelins");
    assert_eq!(
        (&zeppelins["mode"], &zeppelins["decisive"], &zeppelins["now"]),
        (&json!("shadow"), &json!(1), &json!("shadow"))
    );
    assert_eq!(
        (n_of(&zeppelins["overturned"]), n_of(&zeppelins["precision"])),
        ((0, 1), (1, 1)),
        "people agree with it"
    );
    let legal = of(&found, "rule:legal");
    assert_eq!((&legal["decisive"], n_of(&legal["precision"])), (&json!(1), (0, 0)), "it accuses nobody");
    let silent = of(&found, "rule:silent");
    assert_eq!((&silent["fired"], &silent["last_at"]), (&json!(0), &Value::Null));
    // Of the last days alone.
    let since = app.now().plus_millis(-86_400_000).to_string();
    let found = told(&app, &auditor, &format!("/v1/rules?since={since}")).await;
    assert_eq!((&of(&found, "rule:boats")["fired"], &found["comments"]), (&json!(0), &json!(2)));
    // A decision that is taken back was never made.
    let ask = json!({"items": [{"uid": held[3]["uid"], "seen_version": 1}], "action": "approve"});
    let ruled = app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
    let boats = async || of(&told(&app, &auditor, "/v1/rules").await, "rule:boats").clone();
    assert_eq!(n_of(&boats().await["overturned"]), (2, 4));
    let undo = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
    app.review(Method::POST, &undo, Some(&json!({}))).await;
    assert_eq!(n_of(&boats().await["overturned"]), (1, 3));
}

#[tokio::test]
async fn comments_that_a_rule_was_decisive_on_are_listed_page_by_page() {
    let (app, auditor) = started().await;
    let mut uids = Vec::new();
    for n in 0..5 {
        let decision = if n % 2 == 0 { "approve" } else { "reject" };
        uids.push(say(&app, &format!("b-{n}"), "boat", Some(decision)).await["uid"].clone());
    }
    say(&app, "other", "ferry", None).await;
    uids.reverse();
    let (mut found, mut path) = (Vec::new(), "/v1/rules/rule:boats/comments?limit=2".to_owned());
    loop {
        let page = told(&app, &auditor, &path).await;
        found.extend(page["items"].as_array().unwrap().iter().map(|one| one["uid"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/rules/rule:boats/comments?limit=2&cursor={cursor}");
    }
    assert_eq!(found, uids, "the latest first, each once");
    let overturned = told(&app, &auditor, "/v1/rules/rule:boats/comments?which=overturned").await;
    let overturned = overturned["items"].as_array().unwrap();
    assert_eq!(overturned.len(), 3);
    assert!(
        overturned.iter().all(|one| one["overturned"] == true && one["status"] == "approved" && one["site"] == "news")
    );
    assert_eq!(told(&app, &auditor, "/v1/rules/rule:silent/comments?which=hit").await["items"], json!([]));
}

#[tokio::test]
async fn what_people_overrule_is_hinted_at_and_what_they_agree_with_may_go_live() {
    let (app, auditor) = started().await;
    for n in 0..8 {
        say(&app, &format!("b-{n}"), "boat", Some("approve")).await;
    }
    for n in 0..25 {
        say(&app, &format!("z-{n}"), "zeppelin", Some("reject")).await;
    }
    app.clock.advance_ms(20 * 86_400_000);
    say(&app, "late", "ferry", None).await;
    let found = told(&app, &auditor, "/v1/rules").await;
    let hints = found["hints"].as_array().unwrap();
    let of = |kind: &str| hints.iter().find(|hint| hint["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {hints:?}"));
    assert_eq!(of("mostly-overturned")["about"], json!(["rule:boats"]));
    assert_eq!(n_of(&of("mostly-overturned")["share"]), (8, 8));
    assert_eq!(of("ready-to-go-live")["about"], json!(["rule:zeppelins"]));
    let never: Vec<&Value> =
        hints.iter().filter(|hint| hint["kind"] == "never-fired").map(|hint| &hint["about"]).collect();
    assert_eq!(never, [&json!(["rule:legal"]), &json!(["rule:silent"])], "live for weeks, while comments came");
    assert!(hints.iter().all(|hint| hint["text"].as_str().unwrap().contains('`')), "{hints:?}");
    // The page of health counts a rule that holds, too, and what only routes is against nobody.
    say(&app, "routed", "insolvency", Some("approve")).await;
    let figures = told(&app, &auditor, "/v1/figures").await;
    let signals: Vec<&Value> = figures["signals"].as_array().unwrap().iter().map(|one| &one["signal"]).collect();
    assert!(signals.contains(&&json!("rule:boats")) && !signals.contains(&&json!("rule:legal")), "{signals:?}");
}

/// Puts other settings in force, and waits until it is kept what they say.
async fn taken(app: &TestApp, text: &str) {
    let before = app.store.versions_taken(1_000).await.unwrap().len();
    app.write_settings(text);
    app.until_kept(before + 1).await;
}

fn hinted(told: &Value, kind: &str) -> Vec<Value> {
    let hints = told["hints"].as_array().unwrap();
    hints
        .iter()
        .filter(|hint| hint["kind"] == kind)
        .flat_map(|hint| hint["about"].as_array().unwrap().clone())
        .collect()
}

#[tokio::test]
async fn a_rule_goes_live_on_what_people_said_of_its_own_text() {
    let (app, auditor) = started().await;
    for n in 0..25 {
        say(&app, &format!("z-{n}"), "zeppelin", Some("reject")).await;
    }
    let ready = async || hinted(&told(&app, &auditor, "/v1/rules").await, "ready-to-go-live");
    assert_eq!(ready().await, [json!("rule:zeppelins")]);
    // Spaced otherwise, and with another reason: the same rule.
    let spaced = SETTINGS
        .replace("'comment.folded.contains(\"zeppelin\")'", "'comment.folded .contains( \"zeppelin\" ) // airships'")
        .replace("Zeppelins, perhaps.", "Zeppelins.");
    taken(&app, &spaced).await;
    assert_eq!(ready().await, [json!("rule:zeppelins")]);
    // It says something else now: nobody has said anything of that.
    taken(&app, &SETTINGS.replace("contains(\"zeppelin\")", "contains(\"balloon\")")).await;
    say(&app, "after", "balloon", Some("approve")).await;
    assert_eq!(ready().await, Vec::<Value>::new());
    let found = told(&app, &auditor, "/v1/rules").await;
    let rows = found["items"].as_array().unwrap().iter().filter(|one| one["id"] == "rule:zeppelins");
    let rows: Vec<_> =
        rows.map(|one| (&one["wording"], &one["fired"], n_of(&one["precision"]), &one["asked"]["comments"])).collect();
    assert_eq!(
        rows,
        [(&json!("earlier"), &json!(25), (25, 25), &json!(25)), (&json!("current"), &json!(1), (0, 1), &json!(1))],
        "{found}"
    );
    let hits = told(&app, &auditor, "/v1/rules/rule:zeppelins/comments?which=hit&limit=2").await;
    let wordings: Vec<&Value> = hits["items"].as_array().unwrap().iter().map(|one| &one["wording"]).collect();
    assert_eq!(wordings, ["current", "earlier"]);
    let page = app.request(Method::GET, "/rules/rule%3Azeppelins", &auditor).header("accept", "text/html");
    let page = page.send().await.unwrap().text().await.unwrap();
    for text in
        ["<span class=\"chip\">an earlier text</span>", "<span class=\"chip\">this text</span>", "asked of 25 comments"]
    {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    // Back to what it said: what people said of it is still there.
    taken(&app, SETTINGS).await;
    assert_eq!(ready().await, [json!("rule:zeppelins")]);
}

#[tokio::test]
async fn time_in_which_a_rule_was_off_does_not_count_against_it() {
    let (app, auditor) = started().await;
    let day = 86_400_000;
    say(&app, "on-1", "ferry", None).await;
    taken(&app, &SETTINGS.replace("reason = \"Nobody says so.\"", "reason = \"Nobody says so.\"\nmode = \"off\""))
        .await;
    for n in 0..2 {
        app.clock.advance_ms(10 * day);
        say(&app, &format!("off-{n}"), "ferry", None).await;
    }
    taken(&app, SETTINGS).await;
    say(&app, "on-2", "ferry", None).await;
    let never = async || hinted(&told(&app, &auditor, "/v1/rules").await, "never-fired");
    let others = [json!("rule:boats"), json!("rule:legal")];
    assert_eq!(never().await, others, "live all the while");
    app.clock.advance_ms(15 * day);
    say(&app, "on-3", "ferry", None).await;
    let found = told(&app, &auditor, "/v1/rules").await;
    assert!(hinted(&found, "never-fired").contains(&json!("rule:silent")), "by now for two weeks: {found}");
    let hints = found["hints"].as_array().unwrap();
    let silent = hints.iter().find(|hint| hint["about"] == json!(["rule:silent"])).unwrap();
    assert!(silent["text"].as_str().unwrap().contains("for 15 days, of 2 comments"), "{silent}");
}

#[tokio::test]
async fn whoever_oversees_some_sites_sees_no_rules_of_others() {
    let of_sites = |name: &str, sites: &str, more: &str| {
        format!(
            "[[rules]]\nname = \"{name}\"\nwhen = 'comment.folded.contains(\"{name}\")'\nthen = {{ action = \"hold\" }}\n\
             reason = \"Because of {name}.\"\nsites = [{sites}]\n{more}\n"
        )
    };
    let settings = format!(
        "[limits]\nenabled = false\n{}{}{}{}",
        of_sites("secret-of-news", "\"news\"", ""),
        of_sites("ended-on-news", "\"news\"", "expires = 2026-01-01T00:00:00Z"),
        of_sites("of-both", "\"blog\", \"news\"", ""),
        of_sites("of-all", "", ""),
    );
    let app = TestApp::spawn_following(&settings).await;
    app.another_site("blog").await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    let blog = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let other = app.person_within("blog@example.org", Role::Auditor, &blog).await;
    say(&app, "s-1", "secret-of-news", None).await;
    let ids = |told: &Value| -> Vec<String> {
        let rules = told["items"].as_array().unwrap().iter().filter(|one| one["kind"] == "rule");
        let mut ids: Vec<String> = rules.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    let all = told(&app, &auditor, "/v1/rules").await;
    assert_eq!(ids(&all), ["rule:ended-on-news", "rule:of-all", "rule:of-both", "rule:secret-of-news"]);
    assert_eq!(hinted(&all, "expired"), [json!("rule:ended-on-news")]);
    let seen = told(&app, &other, "/v1/rules").await;
    assert_eq!(ids(&seen), ["rule:of-all", "rule:of-both"]);
    assert_eq!(seen["hints"], json!([]));
    assert!(!seen.to_string().contains("news"), "{seen}");
    let on_blog = told(&app, &auditor, "/v1/rules?site=blog").await;
    assert_eq!(
        ids(&on_blog),
        ["rule:of-all", "rule:of-both"],
        "what has nothing to do with a site is not told of there"
    );
    // Nor by name, in the console.
    for (token, path, is_told) in [
        (&auditor, "/rules/rule%3Asecret-of-news", true),
        (&other, "/rules/rule%3Asecret-of-news", false),
        (&other, "/rules", false),
    ] {
        let page = app.request(Method::GET, path, token).header("accept", "text/html").send().await.unwrap();
        let page = page.text().await.unwrap();
        assert_eq!(page.contains("Because of secret-of-news."), is_told, "{path}: {page}");
        assert_eq!(page.contains("comment.folded.contains(&#34;secret-of-news&#34;)"), is_told, "{path}: {page}");
    }
    let page = app.request(Method::GET, "/rules", &other).header("accept", "text/html").send().await.unwrap();
    assert!(!page.text().await.unwrap().contains("secret-of-news"));
    let page = app.request(Method::GET, "/rules/rule%3Aof-both", &other).header("accept", "text/html").send().await;
    assert!(page.unwrap().text().await.unwrap().contains("Because of of-both."));
}

#[tokio::test]
async fn the_console_leads_from_a_rule_to_the_comments_that_hung_on_it() {
    let (app, auditor) = started().await;
    let held = say(&app, "b-1", "boat", Some("approve")).await;
    let page = async |path: &str, lang: &str| {
        let request =
            app.request(Method::GET, path, &auditor).header("accept", "text/html").header("accept-language", lang);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    };
    let all = page("/rules", "en").await;
    let href = "/rules/rule%3Aboats";
    for (what, text) in [
        (
            "the rule, with a way to it",
            format!("<a href=\"{href}\"><bdi>boats</bdi></a> <span class=\"chip in-force\">live</span>"),
        ),
        ("one that never hit", "<bdi>silent</bdi>".to_owned()),
        ("one in shadow", "<span class=\"chip shadow\">shadow</span>".to_owned()),
        ("the way here, from every page", "<a href=\"/rules\" aria-current=page>Rules</a>".to_owned()),
        ("what people decided against", "<td class=\"n\">1 of 1</td>".to_owned()),
    ] {
        assert!(all.contains(&text), "{what}: {text} is not in {all}");
    }
    let uid = held["uid"].as_str().unwrap();
    let one = page(href, "de").await;
    for (what, text) in [
        ("what moderators read, as text", "Boats are talked about &#60;elsewhere&#62;."),
        ("what it is true of", "comment.folded.contains(&#34;boat&#34;)"),
        ("its week", "<th scope=\"row\">2026-W48</th>"),
        ("the comment that hung on it", &format!("<a href=\"/comments/{uid}\">")),
        ("that people decided against it", "<span class=\"chip rejected\">dagegen entschieden</span>"),
    ] {
        assert!(one.contains(text), "{what}: {text} is not in {one}");
    }
    assert!(!page("/rules/rule%3Asilent", "en").await.contains(uid));
    assert_eq!(
        app.request(Method::GET, "/rules", &app.token).send().await.unwrap().status(),
        403,
        "moderators do not oversee"
    );
}

#[tokio::test]
async fn rules_are_told_of_ones_own_sites_and_of_a_time_that_there_is() {
    let (app, auditor) = started().await;
    app.another_site("blog").await;
    say(&app, "b-1", "boat", None).await;
    let blog = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let other = app.person_within("blog@example.org", Role::Auditor, &blog).await;
    let seen = told(&app, &other, "/v1/rules").await;
    assert_eq!((&seen["comments"], &of(&seen, "rule:boats")["fired"]), (&json!(0), &json!(0)));
    assert_eq!(told(&app, &other, "/v1/rules/rule:boats/comments?which=hit").await["items"], json!([]));
    assert_eq!(told(&app, &auditor, "/v1/rules?site=news").await["comments"], 1);
    for (path, token, status) in [
        ("/v1/rules?site=news", &other, 404),
        ("/v1/rules?site=none", &auditor, 404),
        ("/v1/rules?since=yesterday", &auditor, 422),
        ("/v1/rules?since=2026-11-24T10:00:00Z&until=2026-11-24T09:00:00Z", &auditor, 422),
        ("/v1/rules/rule:boats/comments?which=all", &auditor, 422),
        ("/v1/rules/rule:boats/comments?cursor=nonsense", &auditor, 422),
        ("/v1/rules/rule:boats/comments?limit=101", &auditor, 422),
        ("/rules?days=9", &auditor, 422),
    ] {
        assert_eq!(app.request(Method::GET, path, token).send().await.unwrap().status(), status, "{path}");
    }
}

/// A measurement, to be run by hand: how long the answer takes over 200,000 comments of which a tenth was decided.
#[tokio::test]
#[ignore = "measures; asserts nothing"]
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
async fn rules_over_200_000_comments() {
    let (app, auditor) = started().await;
    say(&app, "b-1", "boat", Some("approve")).await;
    let n = "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)";
    let database = app.database();
    for copy in [
        "INSERT INTO comment SELECT i, site, status, CASE WHEN i <= 20000 THEN 2 ELSE 1 END, revision, version, received_at + i * 500, updated_at, \
         prev_site, prev_author, prev_article, keys, trace FROM n, comment WHERE id = 1",
        "INSERT INTO content SELECT i, b FROM n, content WHERE id = 1",
        "INSERT INTO ruling SELECT i, randomblob(16), at + i * 500, NULL, b FROM n, ruling WHERE id = 1 AND i <= 20000",
        "INSERT INTO ruling_item SELECT i, i, version_after, status_before, decided_by_before, held_at_before FROM n, ruling_item \
         WHERE ruling = 1 AND i <= 20000",
        // Where the store looks for when rows came.
        "INSERT INTO key_run SELECT i - 2, (SELECT received_at FROM comment WHERE id = (i - 1) * 4096), x'' FROM n WHERE (i - 1) * 4096 <= 200000",
    ] {
        database.execute(&format!("{n} {copy}"), []).unwrap();
    }
    app.clock.advance_ms(200_000 * 500);
    let _ = app.request(Method::GET, "/healthz", "").send().await; // the connection of before may be closed by now
    for _ in 0..5 {
        let begun = std::time::Instant::now();
        let found = told(&app, &auditor, "/v1/rules").await;
        let elapsed = begun.elapsed();
        eprintln!(
            "{elapsed:?}: {} comments, {} decided, since {}",
            found["comments"], found["decided"], found["counted_since"]
        );
    }
}
