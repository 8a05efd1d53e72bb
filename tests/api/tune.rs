//! `doorward tune`: what it proposes, what it is worth, and that its diff makes settings that work.

use std::process::Command;

use doorward::config::Config;
use reqwest::Method;
use serde_json::{Value, json};

use crate::backtest::{Desk, Played, old, story};
use crate::helpers::{TestApp, doubtful, ordinary, read};

const SINCE: &str = "2026-11-24T00:00:00Z";
/// Nothing held, whatever that lets through.
const NOTHING_HELD: [&str; 8] =
    ["tune", "--since", SINCE, "--max-hold-rate", "0%", "--max-miss-rate", "100%", "--thresholds-only"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tune_proposes_a_diff_and_says_what_it_is_worth() {
    let mut recorded = Played::spawn(old).await;
    recorded.play(&story()).await;
    let desk = Desk::over(&recorded.app);
    let aim = ["tune", "--since", "2026-11-24T00:00:00Z", "--max-hold-rate", "0%", "--max-miss-rate", "100%"];
    let (code, told, complaint) = desk.run(&[&aim[..], &["--json"]].concat());
    assert_eq!(code, 0, "{complaint}");
    let proposal: Value = serde_json::from_str(&told).unwrap();
    let held = |of: usize| proposal["searched"][of]["held"]["n"].as_u64().unwrap();
    assert!(held(1) < held(0), "{proposal}");
    let diff = proposal["diff"].as_str().unwrap();
    assert!(diff.contains("+++ ") && diff.contains("+[policy.spam]\n+hold = "), "{diff}");
    let (code, told, _) = desk.run(&aim);
    assert_eq!(code, 0);
    let (remarks, rest) = told.split_once("--- ").unwrap();
    assert!(remarks.lines().all(|line| line.starts_with('#')) && diff.trim_end().ends_with(rest.trim_end()), "{told}");
    assert_eq!(desk.run(&["tune", "--site", "nowhere"]).0, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tune_has_a_signal_weigh_less_that_people_overturn_and_says_when_there_is_too_little_to_go_by() {
    let app = TestApp::spawn_with(|config| {
        old(config);
        config.limits.enabled = false;
    })
    .await;
    let desk = Desk::over(&app);
    let tune = ["tune", "--since", "2026-11-24T00:00:00Z", "--max-hold-rate", "100%", "--max-miss-rate", "100%"];
    let (code, told, complaint) = desk.run(&tune);
    assert_eq!(code, 0, "{complaint}");
    assert!(
        told.contains("# weights stay as they are: spam: too little evidence: people rejected 0 comments"),
        "{told}"
    );
    // People on this site write in capitals, and nobody minds; what they reject for abuse is written otherwise.
    for part in 0..8 {
        let comments: Vec<Value> = (part * 50..(part + 1) * 50)
            .map(|n| {
                let id = format!("c-{n}");
                let mut comment = if n % 4 == 0 { doubtful(&id) } else { ordinary(&id) };
                if n % 4 == 1 || n % 4 == 2 {
                    comment["body"] = json!(comment["body"].as_str().unwrap().to_uppercase());
                }
                comment
            })
            .collect();
        let made = app.batch(&comments).await;
        for (rejects, action) in [(true, "reject"), (false, "approve")] {
            let is_meant = |one: &&Value| {
                let number: usize = one["id"].as_str().unwrap().trim_start_matches("c-").parse().unwrap();
                number.is_multiple_of(4) == rejects
            };
            let items: Vec<Value> = made
                .iter()
                .filter(is_meant)
                .map(|one| json!({"uid": one["uid"], "seen_version": one["version"]}))
                .collect();
            let ask = json!({"items": items, "action": action, "category": "abuse"});
            app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
        }
        app.clock.advance_ms(60_000);
    }
    let (code, told, complaint) = desk.run(&[&tune[..], &["--json"]].concat());
    assert_eq!(code, 0, "{complaint}");
    let proposal: Value = serde_json::from_str(&told).unwrap();
    let signals = proposal["weights"]["signals"].as_array().unwrap();
    let shouting = signals.iter().find(|one| one["signal"] == "shouting").unwrap_or_else(|| panic!("{proposal}"));
    assert!(shouting["factor"].as_f64().unwrap() < 0.9, "{shouting}");
    let diff = proposal["diff"].as_str().unwrap();
    let weight = diff.split("+[signals.shouting]\n+weight = ").nth(1).and_then(|rest| rest.lines().next());
    let weight: f64 = weight.unwrap_or_else(|| panic!("{diff}")).parse().unwrap();
    assert!(weight < Config::default().signals.shouting.weight.get(), "{weight}");
    assert!(proposal["weights"]["checked"][0]["interval"][1].is_number(), "{proposal}");
    // As people read it, all but the diff is a remark; and `patch` makes settings of it that work.
    let (_, told, _) = desk.run(&tune);
    if has_patch() {
        let settings: toml::Table = patched(&desk, &told).parse().unwrap();
        let found = at(&settings, &["signals", "shouting", "weight"]).and_then(toml::Value::as_float);
        assert_eq!(found, Some(weight));
    }
    let (remarks, diff) = told.split_once("--- ").unwrap();
    assert!(remarks.lines().all(|line| line.starts_with('#')) && remarks.contains("# shouting "), "{told}");
    assert!(diff.contains("+[signals.shouting]\n"), "{diff}");
    let (_, told, _) = desk.run(&[&tune[..], &["--thresholds-only", "--json"]].concat());
    let alone: Value = serde_json::from_str(&told).unwrap();
    assert!(alone["weights"].is_null() && !alone["diff"].as_str().unwrap().contains("signals"), "{alone}");
}

/// A service on which two comments of four are held, over ten minutes, on each of these sites.
async fn half_held(others: &[&str]) -> TestApp {
    let app = TestApp::spawn_with(|config| {
        old(config);
        config.limits.enabled = false;
    })
    .await;
    let mut keys = vec![app.key.clone()];
    for name in others {
        keys.push(app.another_site(name).await);
    }
    for part in 0..10 {
        for (site, key) in keys.iter().enumerate() {
            let id = |n: u32| format!("s-{site}-{part}-{n}");
            for comment in [doubtful(&id(0)), ordinary(&id(1)), doubtful(&id(2)), ordinary(&id(3))] {
                let answer = app.request(Method::POST, "/v1/comments", key).json(&comment).send().await.unwrap();
                read(answer, &[201]).await;
            }
        }
        app.clock.advance_ms(60_000);
    }
    app
}

/// Whether `patch` is there to be tried.
#[expect(clippy::print_stderr, clippy::disallowed_methods, reason = "it says what it skips, and whether it may")]
fn has_patch() -> bool {
    let is_there = Command::new("patch").arg("--version").output().is_ok_and(|output| output.status.success());
    let required = std::env::var("DOORWARD_PATCH").is_ok_and(|value| value == "required");
    assert!(is_there || !required, "DOORWARD_PATCH=required, and `patch` is not installed");
    if !is_there {
        eprintln!("`patch` is not installed: not tried");
    }
    is_there
}

/// Applies a diff as the documentation says, and has the result checked; what it says.
fn patched(desk: &Desk, diff: &str) -> String {
    desk.write("tuned.diff", diff);
    let mut patch = Command::new("patch");
    patch.args(["-o", "new.toml", "config.toml", "tuned.diff"]).current_dir(desk.folder.path());
    let output = patch.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("fuzz"), "{said}\n{diff}");
    let mut check = Command::new(env!("CARGO_BIN_EXE_doorward"));
    check.arg("--config").arg(desk.folder.path().join("new.toml")).arg("check-config");
    let output = check.current_dir(desk.folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(desk.folder.path().join("new.toml")).unwrap()
}

fn at<'a>(settings: &'a toml::Table, path: &[&str]) -> Option<&'a toml::Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(settings.get(*first)?, |at, part| at.get(part))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tune_prints_goes_through_patch_into_settings_that_work_however_they_are_written() {
    if !has_patch() {
        return;
    }
    let app = half_held(&[]).await;
    let desk = Desk::over(&app);
    let head = std::fs::read_to_string(desk.folder.path().join("config.toml")).unwrap();
    let sites =
        "[sites.news.policy.spam] # theirs\nreject = 0.99 # rather not\n\n[sites.blog.policy.spam]\nhold = 0.4\n";
    let all = "[policy.spam] # doubt\nhold = 0.5 # half\n[policy.off-topic]\nhold=0.6# tight\n[policy.abuse]\n  hold   =   0.7   # wide\n";
    for (name, settings) in [
        ("nothing of it", head.clone()),
        ("comments after values", format!("# Ours\n\n{head}\n{all}\n[log]\nlevel = \"info\" # all of it\n")),
        ("sections of sites", format!("{head}{all}{sites}")),
        (
            "sites within braces",
            format!("{head}{all}[sites]\nnews = {{ policy = {{ abuse = {{ reject = 0.98 }} }} }}\n"),
        ),
        ("CRLF", format!("{head}{all}{sites}").replace('\n', "\r\n")),
        ("CRLF and no end", format!("{head}{all}{sites}").replace('\n', "\r\n").trim_end().to_owned()),
        ("no newline at the end", format!("{head}{sites}{}", all.trim_end())),
        ("no newline at the end, and elsewhere", format!("{head}{all}{}", sites.trim_end())),
        ("blank lines at the end", format!("{head}{all}\n\n\n")),
        ("a tab and blanks at the end", format!("{head}{all}\t\n  \n")),
    ] {
        for site in [None, Some("news")] {
            desk.write("config.toml", &settings);
            let about = site.map_or_else(Vec::new, |site| vec!["--site", site]);
            let (code, told, complaint) = desk.run(&[&NOTHING_HELD[..], &about].concat());
            assert_eq!(code, 0, "{name}: {complaint}");
            let new = patched(&desk, &told);
            let (_, json, _) = desk.run(&[&NOTHING_HELD[..], &about, &["--json"]].concat());
            let proposal: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(patched(&desk, proposal["diff"].as_str().unwrap()), new, "{name}");
            // It says what was proposed, where it was asked for, and all else as before.
            let table: toml::Table = new.parse().unwrap();
            let before: toml::Table = settings.parse().unwrap();
            let mut changed = 0;
            for category in ["spam", "off-topic", "abuse"] {
                let (old, hold) = (&proposal["before"][category]["hold"], &proposal["after"][category]["hold"]);
                let (general, own) = (["policy", category, "hold"], ["sites", "news", "policy", category, "hold"]);
                let (here, there) = if site.is_some() { (&own[..], &general[..]) } else { (&general[..], &own[..]) };
                if old != hold {
                    changed += 1;
                    assert_eq!(at(&table, here).and_then(toml::Value::as_float), hold.as_f64(), "{name}: {new}");
                }
                assert_eq!(at(&table, there), at(&before, there), "{name}: {new}");
            }
            assert!(changed > 0, "{name}: {proposal}");
            let lines: Vec<&str> = new.split_inclusive('\n').collect();
            for line in settings.split_inclusive('\n').filter(|line| line.ends_with('\n') && !line.contains("hold")) {
                assert!(lines.contains(&line) || line.starts_with("news = {"), "{name}: {line:?} in\n{new}");
            }
            let comments = |text: &str| text.matches('#').count();
            assert_eq!(comments(&new), comments(&settings), "{name}: {new}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tune_judges_a_site_by_its_own_thresholds_and_proposes_for_it_in_its_own_section() {
    let app = half_held(&["blog"]).await;
    let desk = Desk::over(&app);
    let head = std::fs::read_to_string(desk.folder.path().join("config.toml")).unwrap();
    let own: String =
        ["spam", "off-topic", "abuse"].map(|of| format!("[sites.blog.policy.{of}]\nhold = 0.31\n")).concat();
    desk.write("config.toml", &format!("{head}{own}"));
    let (code, json, complaint) = desk.run(&[&NOTHING_HELD[..], &["--json"]].concat());
    assert_eq!(code, 0, "{complaint}");
    let general: Value = serde_json::from_str(&json).unwrap();
    let apart = &general["apart"];
    assert_eq!((apart[0]["site"].as_str(), apart[0]["own"].as_array().unwrap().len()), (Some("blog"), 3), "{apart}");
    assert_eq!(apart[0]["outcome"][0], apart[0]["outcome"][1], "left as it is");
    assert_eq!(apart[0]["outcome"][0]["held"]["of"], 40);
    let of = |part: &str| general[part][1]["held"]["of"].as_u64().unwrap();
    assert_eq!(of("searched") + of("kept_out"), 40, "what is wanted is asked of the other site alone: {general}");
    let diff = general["diff"].as_str().unwrap();
    assert!(diff.contains("+[policy.") && !diff.contains("-hold"), "{diff}");
    let (_, told, _) = desk.run(&NOTHING_HELD);
    assert!(told.contains("# blog has thresholds of its own (spam, off-topic, abuse): they stay"), "{told}");

    let (code, json, complaint) = desk.run(&[&NOTHING_HELD[..], &["--site", "blog", "--json"]].concat());
    assert_eq!(code, 0, "{complaint}");
    let blog: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(blog["before"]["spam"]["hold"], 0.31, "the settings in force there");
    assert_eq!(blog["apart"], json!([]));
    let diff = blog["diff"].as_str().unwrap();
    assert!(diff.contains("-hold = 0.31") && !diff.contains("+["), "{diff}");
    // Another site has no section yet, and gets one.
    let (_, json, _) = desk.run(&[&NOTHING_HELD[..], &["--site", "news", "--json"]].concat());
    let news: Value = serde_json::from_str(&json).unwrap();
    let diff = news["diff"].as_str().unwrap();
    assert!(diff.contains("+[sites.news.policy.") && !diff.contains("-hold"), "{diff}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tune_says_when_the_environment_makes_its_diff_idle() {
    let app = half_held(&[]).await;
    let desk = Desk::over(&app);
    let (_, json, _) = desk.run(&[&NOTHING_HELD[..], &["--json"]].concat());
    let proposal: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(proposal["not_in_force"], json!([]));
    let is_moved = |of: &&str| proposal["before"][*of] != proposal["after"][*of];
    let category = ["spam", "abuse"].into_iter().find(is_moved).unwrap_or_else(|| panic!("{proposal}"));
    let variable = format!("DOORWARD__POLICY__{}__HOLD", category.to_uppercase());
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.arg("--config").arg(desk.folder.path().join("config.toml")).args(NOTHING_HELD).env(variable, "0.45");
    let told = String::from_utf8(command.current_dir(desk.folder.path()).output().unwrap().stdout).unwrap();
    assert!(told.contains(&format!("# policy.{category}.hold stands in the environment, too")), "{told}");
}
