//! The sample site as its readers see it, and what a moderator does about it.

use doorward::domain::policy::Moderation;

use crate::browser::{Browser, Driver};
use crate::town::Town;

const STORY: &str = "/articles/storm-ingrid";

#[tokio::test]
async fn a_readers_comment_waits_is_approved_in_the_console_and_shows_without_reload() {
    let Some(driver) = Driver::start() else { return };
    let town = Town::open(Moderation::Pre).await;
    let (reader, other) = (Browser::open(&driver, &town.site).await, Browser::open(&driver, &town.site).await);
    for browser in [&other, &reader] {
        browser.look(1280, 900, false).await; // without motion: a page that still scrolls cannot be clicked
        browser.goto(STORY).await;
    }
    reader.fill("#write-name", "Anna").await;
    reader.fill("#write-body", "The dike held where it was raised, and nowhere else.").await;
    reader.click("#write button:not([name])").await;
    reader.until_text("#list", "The dike held").await;
    reader.until("its author sees that it waits", "/wait/i.test(document.body.innerText)").await;
    assert!(!other.text("#list").await.contains("The dike held"), "nobody else sees it among the comments");
    reader.picture("sample-waiting").await;

    let moderator = Browser::open(&driver, &town.doorward).await;
    moderator.goto("/sign-in").await;
    moderator.fill("#email", "mod@example.org").await;
    moderator.fill("#password", &town.password).await;
    moderator.click("form .main").await;
    moderator.find("article.card.is-current").await;
    moderator.press("a").await;
    moderator.find("article.card.is-decided").await;

    other.until_text("#list", "The dike held").await; // by webhook and by the page's own stream: it was not loaded again
    for (look, width, height, dark) in
        [("light", 1280, 900, false), ("dark", 1280, 900, true), ("phone", 390, 844, false)]
    {
        other.look(width, height, dark).await;
        other.picture(&format!("sample-{look}")).await;
        let grave = other.axe().await;
        assert!(grave.is_empty(), "{look}: {}", grave.join("\n"));
    }
    for browser in [reader, other, moderator] {
        assert_eq!(browser.errors().await, Vec::<String>::new());
        browser.close().await;
    }
}
