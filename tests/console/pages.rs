//! Every page: no error in the browser's console, nothing that axe-core calls serious, no request to anywhere else, light enough; and its picture.

use serde_json::json;

use crate::browser::{Browser, Driver};
use crate::desk::Desk;

/// Bytes that a page may weigh with everything that it loads, uncompressed.
const WEIGHT_MAX: u64 = 150_000;

#[tokio::test]
async fn every_page_is_sound_light_and_accessible_in_every_look() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::with_a_morning().await;
    let browser = Browser::open(&driver, &desk.app.address).await;
    let (mut wrong, mut is_in) = (Vec::new(), false);
    for (name, path, signed_in) in desk.pages().await {
        if signed_in && !is_in {
            desk.sign_in(&browser).await;
            is_in = true;
        }
        for (look, width, height, dark) in [
            ("light", 1280, 900, false),
            ("dark", 1280, 900, true),
            ("phone", 390, 844, false),
            ("phone-dark", 390, 844, true),
        ] {
            browser.look(width, height, dark).await;
            browser.goto(&path).await;
            browser
                .until(
                    "the page is ready",
                    "document.documentElement.dataset.ready || document.body.classList.contains('plain')",
                )
                .await;
            let at = format!("{name}, {look}");
            wrong.extend(browser.axe().await.into_iter().map(|problem| format!("{at}: {problem}")));
            let wide = browser
                .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth", vec![])
                .await;
            if wide.as_i64().unwrap_or_default() > 0 {
                wrong.push(format!("{at}: {wide} px too wide"));
            }
            let broken = "return [...document.querySelectorAll('.figures td .chip')].filter(chip => chip.offsetHeight >= 2 * parseFloat(getComputedStyle(chip).lineHeight)).map(chip => chip.textContent)";
            let broken: Vec<String> = serde_json::from_value(browser.run(broken, vec![]).await).unwrap();
            wrong.extend(broken.iter().map(|mark| format!("{at}: the mark {mark:?} is broken")));
            browser.picture(&format!("{name}-{look}")).await;
        }
        let loaded = "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map(e => [e.name, e.decodedBodySize])";
        let loaded = browser.run(loaded, vec![]).await;
        let loaded: Vec<(String, u64)> = serde_json::from_value(loaded).unwrap();
        for (url, _) in loaded.iter().filter(|(url, _)| !url.starts_with(&desk.app.address)) {
            wrong.push(format!("{name}: reaches out to {url}"));
        }
        let weight: u64 = loaded.iter().map(|(_, bytes)| bytes).sum();
        if weight > WEIGHT_MAX {
            wrong.push(format!("{name}: weighs {weight} bytes: {}", json!(loaded)));
        }
        let errors = browser.errors().await.into_iter().filter(|error| name != "problem" || !error.contains("404"));
        wrong.extend(errors.map(|error| format!("{name}: {error}")));
    }
    browser.close().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
