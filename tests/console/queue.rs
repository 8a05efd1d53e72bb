//! The queue, by keyboard alone.

use serde_json::json;

use crate::browser::{Browser, Driver};
use crate::desk::Desk;

#[tokio::test]
async fn twenty_items_are_cleared_by_keyboard_alone() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_held(20).await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    browser.goto("/queue").await;
    browser.find("article.card.is-current").await;
    for n in 0..20 {
        let key = ["a", "s", "f", "t"][n % 4];
        browser.press(key).await;
        browser.until("it is decided", &format!("document.querySelectorAll('article.card.is-decided').length > {n} || !document.querySelector('article.card.is-current')")).await;
    }
    desk.until_held(0).await;
    browser.close().await;
}

#[tokio::test]
async fn a_decision_is_taken_back_with_one_key() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_held(3).await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    browser.goto("/queue").await;
    let first = browser.find("article.card.is-current").await.attr("data-uid").await.unwrap().unwrap();
    browser.press("s").await;
    browser.find(&format!("article.card.is-decided[data-uid='{first}']")).await;
    browser.press("z").await;
    browser
        .until(
            "it waits again",
            &format!("document.querySelector(\"article.card[data-uid='{first}']:not(.is-decided)\")"),
        )
        .await;
    desk.until_held(3).await;
    browser.close().await;
}

#[tokio::test]
async fn bulk_acts_on_what_was_on_the_screen_and_is_taken_back_whole() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_held(6).await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    browser.goto("/queue").await;
    browser.find("article.card.is-current").await;
    browser.press("X").await;
    desk.hold(2).await; // arrives after the page was loaded
    browser
        .until("new items wait behind a button", "document.querySelector('#new-items')?.getClientRects().length")
        .await;
    browser.press("S").await;
    browser.until("six are decided", "document.querySelectorAll('article.card.is-decided').length === 6").await;
    desk.until_held(2).await; // what came later is left alone
    browser.press("z").await;
    browser.until("all six wait again", "document.querySelectorAll('article.card.is-decided').length === 0").await;
    desk.until_held(8).await;
    browser.click("#new-items").await;
    browser.until("the new ones are shown", "document.querySelectorAll('article.card').length === 8").await;
    browser.close().await;
}

#[tokio::test]
async fn two_moderators_see_each_other_and_conflicts_show_the_other_verdict() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_held(3).await;
    let (one, two) = (Browser::open(&driver, &desk.app.address).await, Browser::open(&driver, &desk.app.address).await);
    desk.sign_in(&one).await;
    desk.sign_in_as_colleague(&two).await;
    one.goto("/queue").await;
    two.goto("/queue").await;
    let first = one.find("article.card.is-current").await.attr("data-uid").await.unwrap().unwrap();
    let there = format!("article.card[data-uid='{first}']");
    two.find(&there).await;
    one.press("c").await;
    two.until_text(&there, "ada@example.org").await;
    one.press("s").await;
    two.find(&format!("{there}.is-gone")).await;
    two.until_text(&there, "ada@example.org").await;
    // Somebody who was not told, because the stream does not reach them: the answer says who was faster.
    two.devtools("Network.enable", json!({})).await;
    two.devtools("Network.setBlockedURLs", json!({"urls": ["*/v1/events*"]})).await;
    two.goto("/queue").await;
    let second = two.find("article.card.is-current").await.attr("data-uid").await.unwrap().unwrap();
    let uid = serde_json::Value::from(second.clone());
    let waiting = desk.waiting().await;
    let item = waiting["items"].as_array().unwrap().iter().find(|item| item["uid"] == uid).unwrap().clone();
    let ask = json!({"items": [{"uid": uid, "seen_version": item["version"]}], "action": "approve"});
    desk.app.review(reqwest::Method::POST, "/v1/decisions", Some(&ask)).await;
    let second = format!("article.card[data-uid='{second}']");
    assert!(two.count(&format!("{second}.is-gone")).await == 0, "it has not heard");
    two.press("s").await;
    two.find(&format!("{second}.is-gone")).await;
    two.until_text(&second, "Approved by a colleague").await;
    let stands = desk
        .app
        .review(
            reqwest::Method::GET,
            &format!("/v1/comments/by-uid/{}/explanation", item["uid"].as_str().unwrap()),
            None,
        )
        .await;
    assert_eq!(stands["comment"]["status"], "approved", "the first decision stands");
    one.close().await;
    two.close().await;
}

#[tokio::test]
async fn search_finds_words_and_filters_are_links() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_a_morning().await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    browser.goto("/queue").await;
    browser.find("article.card.is-current").await;
    browser.press("/").await;
    browser.press("zeppelin\u{e007}").await;
    browser.until("one is found", "document.querySelectorAll('article.card').length === 1").await;
    assert!(browser.path().await.contains("q=zeppelin"));
    browser.close().await;
}

#[tokio::test]
async fn a_page_that_nobody_loads_again_keeps_no_more_of_what_arrives_than_somebody_could_look_at() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_held(2).await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    browser.goto("/queue").await;
    browser.find("article.card.is-current").await;
    browser.until("the page listens", "document.querySelector('#live')?.dataset.state === 'on'").await;
    desk.hold(190).await;
    browser.until_text("#new-items", "1").await;
    assert!(!browser.text("#new-items").await.contains("missed"), "all of these are kept");
    desk.hold(20).await;
    browser.until_text("#new-items", "something was missed").await;
    desk.hold(10).await;
    browser.click("#new-items").await;
    browser.until("it is the queue as it is now", "document.querySelectorAll('article.card').length > 2").await;
    browser.until("nothing was missed", "document.querySelector('#new-items').hidden").await;
    browser.close().await;
}
