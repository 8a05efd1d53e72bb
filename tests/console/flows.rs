//! What moderators do besides the queue: sign in with a second factor, decide about a campaign, read an explanation, answer an appeal.

use std::time::Instant;

use doorward::app::clock::Clock as _;
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::browser::{Browser, Driver, PATIENCE};
use crate::desk::Desk;

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
