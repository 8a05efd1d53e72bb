//! What moderators do besides the queue: sign in with a second factor, decide about a campaign, read an explanation, answer an appeal.

use std::time::Instant;

use doorward::app::clock::Clock as _;
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::browser::{Browser, Driver, PATIENCE};
use crate::desk::Desk;
use crate::helpers::doubtful;

fn code(desk: &Desk, seed: &str) -> String {
    let totp =
        Builder::new().with_secret(Secret::try_from_base32(seed).unwrap()).with_account_name("a@b.example").build();
    totp.unwrap().generate(u64::try_from(desk.app.clock.now().as_millis() / 1_000).unwrap()).to_string()
}

#[tokio::test]
async fn a_second_factor_is_set_up_and_then_asked_for() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_held(1).await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    browser.goto("/account").await;
    browser.click("form[action='/account/totp'] button.main").await;
    browser.find(".qr svg").await;
    browser.until("the seed is shown", "document.querySelector('#seed')?.innerText").await;
    let seed = browser.text("#seed").await;
    browser.fill("#code", &code(&desk, &seed)).await;
    browser.picture("second-factor").await;
    browser.click("form[action='/account/totp'] button.main").await;
    browser.find(".codes li").await;
    assert_eq!(browser.count(".codes li").await, 10);
    browser.click("form[action='/sign-out'] button").await;
    desk.app.clock.advance_ms(30_000);
    let (email, password) = desk.moderator();
    browser.fill("#email", email).await;
    browser.fill("#password", password).await;
    browser.click("form .main").await;
    browser.fill("#code", "000000").await;
    browser.click("form .main").await;
    browser.find(".error").await;
    browser.fill("#code", &code(&desk, &seed)).await;
    browser.click("form .main").await;
    browser.find("article.card").await;
    assert_eq!(browser.path().await, "/queue");
    browser.close().await;
}

/// Waits until so many of the campaign wait.
async fn until_held(desk: &Desk, count: &Value) {
    let until = Instant::now() + PATIENCE;
    while campaign(desk).await["counts"]["held"] != *count {
        assert!(Instant::now() < until, "{count} should wait: {}", campaign(desk).await);
    }
}

async fn campaign(desk: &Desk) -> Value {
    desk.app.review(Method::GET, "/v1/campaigns", None).await["items"][0].clone()
}

#[tokio::test]
async fn a_campaign_is_decided_with_one_key_and_taken_back() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_a_morning().await;
    let before = campaign(&desk).await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    browser.goto(&format!("/campaigns/{}", before["id"].as_str().unwrap())).await;
    browser.find("[data-campaign]").await;
    browser.until("scripts are there", "document.documentElement.dataset.ready").await;
    browser.press("t").await;
    browser.find(".toast").await;
    until_held(&desk, &json!(0)).await;
    browser.press("z").await;
    until_held(&desk, &before["counts"]["held"]).await;
    browser.close().await;
}

#[tokio::test]
async fn an_explanation_shows_the_sum_and_what_would_have_changed_it() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_held(3).await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    browser.goto("/queue").await;
    browser.find("article.card.is-current").await;
    browser.press("e").await;
    browser
        .until(
            "the explanation is there",
            "location.pathname.startsWith('/comments/') && document.readyState === 'complete' && document.querySelector('table')",
        )
        .await;
    let text = browser.text("main").await;
    for part in ["viagra", "before anything is known", "listed words and hosts", "log-odds"] {
        assert!(text.to_lowercase().contains(part), "{part} in {text}");
    }
    browser.close().await;
}

#[tokio::test]
async fn an_appeal_is_answered() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_a_morning().await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in_as_colleague(&browser).await;
    browser.goto("/appeals").await;
    browser.find("[data-appeal]").await;
    browser.until("scripts are there", "document.documentElement.dataset.ready").await;
    browser.until_text("main", "I only asked a question").await;
    browser.click("[data-appeal] [data-answer]").await;
    browser.press("You are right, thank you.").await;
    browser.click("[data-appeal] [data-action=overturn]").await;
    browser.find(".toast").await;
    let comment = desk.app.request(Method::GET, "/v1/comments/appealed", &desk.app.key).send().await.unwrap();
    assert_eq!(comment.json::<Value>().await.unwrap()["status"], "approved");
    browser.close().await;
}

#[tokio::test]
async fn whoever_answers_an_appeal_second_is_told_what_stands_and_goes_on() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_a_morning().await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in_as_colleague(&browser).await;
    browser.goto("/appeals").await;
    browser.find("[data-appeal]").await;
    browser.until("scripts are there", "document.documentElement.dataset.ready").await;
    let appeals = desk.app.review(Method::GET, "/v1/appeals?state=open", None).await;
    let path = format!("/v1/appeals/{}/answer", appeals["items"][0]["id"].as_str().unwrap());
    desk.app.review(Method::POST, &path, Some(&json!({"overturn": false, "answer": "It sells pills."}))).await;
    browser.click("[data-appeal] [data-answer]").await;
    browser.press("You are right, thank you.").await;
    browser.click("[data-appeal] [data-action=overturn]").await;
    browser.until_text("#toasts", "Somebody else let the rejection stand first. Your answer was not sent.").await;
    browser.until("the list goes on", "!document.querySelector('[data-appeal]')").await;
    let comment = desk.app.request(Method::GET, "/v1/comments/appealed", &desk.app.key).send().await.unwrap();
    assert_eq!(comment.json::<Value>().await.unwrap()["status"], "rejected", "the first answer stands");
    browser.close().await;
}

#[tokio::test]
async fn whoever_decides_second_about_what_readers_reported_is_told_who_did_and_sees_what_changed() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_a_morning().await;
    let report = json!({"reader_id": "r-2", "category": "abuse", "text": "Rude, too."});
    for id in ["talk-3", "talk-4"] {
        for reader in ["r-1", "r-2", "r-3", "r-4", "r-5", "r-6"] {
            let mut report = report.clone();
            report["reader_id"] = json!(reader);
            desk.app.post(&format!("/v1/comments/{id}/reports"), &report).await;
        }
    }
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in_as_colleague(&browser).await;
    browser.goto("/appeals?tab=reports").await;
    browser.until("both are there", "document.querySelectorAll('[data-report]').length >= 2").await;
    browser.until("scripts are there", "document.documentElement.dataset.ready").await;
    let now = async |id: &str| {
        let answer = desk.app.request(Method::GET, &format!("/v1/comments/{id}"), &desk.app.key).send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    // A colleague approves the one, and the author edits the other, which waits all the same.
    let (one, other) = (now("talk-3").await, now("talk-4").await);
    let item = json!({"uid": one["uid"], "seen_version": one["version"]});
    desk.app.review(Method::POST, "/v1/decisions", Some(&json!({"items": [item], "action": "approve"}))).await;
    let edited = doubtful("talk-4");
    let answer =
        desk.app.request(Method::PUT, "/v1/comments/talk-4", &desk.app.key).json(&edited).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["status"], "held");
    let card = |of: &Value| format!("[data-report='{}']", of["uid"].as_str().unwrap());
    browser.click(&format!("{} [data-action=spam]", card(&one))).await;
    browser.until_text("#toasts", "Approved by a colleague. Your verdict was not applied.").await;
    let gone = format!("!document.querySelector(\"{}\")", card(&one));
    browser.until("the card is gone", &gone).await;
    assert_eq!(now("talk-3").await["status"], "approved", "the first decision stands");
    browser.click(&format!("{} [data-action=approve]", card(&other))).await;
    browser.until_text("#toasts", "It changed since you saw it: look again.").await;
    browser.until_text(&card(&other), "viagra").await;
    assert_eq!(now("talk-4").await["status"], "held", "nobody decided about what nobody saw");
    browser.close().await;
}
