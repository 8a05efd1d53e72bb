//! Trying other settings in the browser: a mistake is shown where it is, what was found can be gone through and handed on, and a run can be ended.

use serde_json::json;

use crate::browser::{Browser, Driver};
use crate::desk::Desk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_settings_are_written_tried_gone_through_and_handed_on() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_a_morning().await;
    desk.pretend_backtests().await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    browser.click("a[href='/backtests']").await;
    browser.until("scripts are there", "document.documentElement.dataset.ready").await;
    browser.fill("#candidate", "# mine\n[policy.spam]\nhodl = 0.01\n").await;
    browser.click("[data-backtest] button.main").await;
    browser.until_text("[data-problem]", "Line 3, column 1").await;
    browser.until_text("[data-problem]", "did you mean `hold`?").await;
    let chosen = "(f => f.value.slice(f.selectionStart, f.selectionEnd))(document.activeElement) === 'hodl = 0.01'";
    browser.until("the wrong line is where one writes", chosen).await;
    browser.picture("backtests-mistake").await;
    browser.press("hold = 0.01").await;
    browser.click("[data-backtest] button.main").await;
    browser.until("its page", "location.pathname.startsWith('/backtests/')").await;
    browser.find("#run:not([data-running]) table.compare").await;
    assert_eq!(browser.count("table.compare tbody tr").await, 7);
    browser.until_text("#diff ~ pre", "+hold = 0.01").await;
    let all = browser.count("#run .members > li").await;
    let kinds = browser.count("nav.chips:first-of-type a").await;
    assert!(all > 5 && kinds >= 2, "{all} verdicts of {kinds} kinds");
    browser.click("nav.chips a[href*='kind=approve-hold']").await;
    browser.until("the choice is shown", "location.search.includes('approve-hold')").await;
    let others = "[...document.querySelectorAll('#run .members > li')].every(li => li.querySelector('.chip.approved') && li.querySelector('.chip.held'))";
    browser.until("only those are listed", others).await;
    browser.click("[data-copy]").await;
    browser.find(".toast").await;
    browser.click("#run .members li a[href^='/comments/']").await;
    browser.until("the comment's page", "location.pathname.startsWith('/comments/')").await;
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("422")), "{errors:?}");
    desk.sign_in_as_colleague(&browser).await;
    assert_eq!(browser.count("a[href='/backtests']").await, 0, "moderators are not offered it");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_watched_and_ended() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_held(1).await;
    let said = "read -r order; echo '{\"progress\":{\"done\":1200,\"total\":5000}}'; while read -r more; do :; done";
    desk.pretend(&format!("#!/bin/sh\n{said}\n"));
    let browser = Browser::open(&driver, &desk.app.address).await;
    desk.sign_in(&browser).await;
    browser.goto("/backtests").await;
    browser.until("scripts are there", "document.documentElement.dataset.ready").await;
    browser.click("[data-backtest] button.main").await;
    browser.until_text("[data-far]", "1,200 of 5,000").await;
    browser.until("the bar shows it", "document.querySelector('progress').value === 1200").await;
    browser.picture("backtest-running").await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    browser.click("[data-end]").await;
    browser.until_text("#run h1", "ended early").await;
    assert_eq!(browser.count("[data-end]").await, 0);
    browser.goto("/backtests").await;
    browser.until_text("tbody", "ended early").await;
    assert_eq!(
        browser.run("return document.querySelector('[data-backtest] button.main').disabled", vec![]).await,
        json!(false)
    );
    browser.close().await;
}
