//! What the port promises of configurations: every one that was taken is there, once, and found by what it is called.

use doorward::domain::rules::was::said_in;
use doorward::domain::versions::{How, KEPT, Taken, Version};

use crate::made::at;
use crate::suite::Engine;

fn version(hash: &str) -> Version {
    let files = vec![("words.txt".to_owned(), format!("words of {hash}\n"))];
    Version { hash: hash.to_owned(), text: format!("# {hash}\n"), files }
}

fn taken(version: &str, policy: &str, how: How, seconds: i64) -> Taken {
    let waiting = if how == How::Start { Vec::new() } else { vec!["server.listen".to_owned()] };
    Taken {
        version: version.to_owned(),
        policy: policy.to_owned(),
        how,
        at: at(seconds),
        by: "node-1".to_owned(),
        waiting,
    }
}

pub(crate) async fn configurations_are_kept_in_the_order_in_which_they_were_taken(engine: &dyn Engine) {
    let store = engine.open().await;
    let all = [
        taken("aa01", "f0", How::Start, 0),
        taken("aa02", "f0", How::File, 1),
        taken("bb01", "f1", How::Signal, 2),
        taken("aa01", "f0", How::Rollback, 3),
    ];
    for one in &all {
        store.version_taken(&version(&one.version), one).await.unwrap();
    }
    store.close().await;
    drop(store);
    let store = engine.open().await;
    let latest: Vec<Taken> = all.iter().rev().cloned().collect();
    assert_eq!(store.versions_taken(10).await.unwrap(), latest);
    assert_eq!(store.versions_taken(2).await.unwrap(), latest[..2]);
    assert_eq!(store.version("aa02").await.unwrap(), Some(version("aa02")));
    assert_eq!(store.version("aa").await.unwrap(), None, "a beginning is no name");
    let like = async |beginning: &str| store.versions_like(beginning).await.unwrap();
    assert_eq!(like("aa").await, ["aa01", "aa02"], "the latest first");
    assert_eq!(like("f0").await, ["aa01", "aa02"], "by what decisions name");
    assert_eq!(like("bb01").await, ["bb01"]);
    assert!(like("%").await.is_empty() && like("01").await.is_empty());
}

pub(crate) async fn which_rules_there_were_is_kept_longer_than_their_settings(engine: &dyn Engine) {
    let store = engine.open().await;
    let rule = |name: &str, mode: &str| {
        format!(
            "[[rules]]\nname = \"{name}\"\nwhen = 'comment.words > 3'\nthen = {{ action = \"hold\" }}\nreason = \"r\"\nmode = \"{mode}\"\n"
        )
    };
    let take = async |number: usize, policy: &str, text: String| {
        let hash = format!("{number:04}");
        let version = Version { hash: hash.clone(), text, files: Vec::new() };
        let seconds = i64::try_from(number).unwrap();
        store.version_taken(&version, &taken(&hash, policy, How::File, seconds)).await.unwrap();
    };
    take(0, "p-a", rule("a", "live")).await;
    take(1, "p-b", rule("a", "shadow")).await;
    take(2, "p-c", format!("[limits]\nenabled = false\n{}", rule("a", "live"))).await;
    take(3, "p-none", String::new()).await;
    for number in 0..KEPT {
        take(number + 4, "p-none", format!("# {number}")).await;
    }
    assert_eq!(store.version("0000").await.unwrap(), None, "the settings themselves are gone");
    let all = ["p-a", "p-b", "p-c", "p-none", "p-other"].map(str::to_owned);
    let sets = store.rule_sets_of(&all).await.unwrap();
    assert_eq!(sets.keys().collect::<Vec<_>>(), ["p-a", "p-b", "p-c", "p-none"], "nothing is made up");
    assert_eq!(sets["p-a"], sets["p-c"], "the same rules under other settings are one set");
    let set = async |policy: &str| store.rule_set(&sets[policy]).await.unwrap().unwrap();
    assert_eq!(set("p-a").await, said_in(&rule("a", "live")));
    assert_eq!(set("p-b").await, said_in(&rule("a", "shadow")));
    assert_eq!(set("p-a").await.len(), 1);
    assert!(set("p-none").await.is_empty());
    assert_eq!(store.rule_set("none").await.unwrap(), None);
}

pub(crate) async fn configurations_of_long_ago_go_with_their_lists(engine: &dyn Engine) {
    let store = engine.open().await;
    let take = async |number: usize, seconds: usize| {
        let hash = format!("{number:04}");
        let taken = taken(&hash, "f0", How::File, i64::try_from(seconds).unwrap());
        store.version_taken(&version(&hash), &taken).await.unwrap();
    };
    for number in 0..KEPT {
        take(number, number).await;
    }
    assert!(store.version("0000").await.unwrap().is_some());
    take(0, KEPT).await; // somebody went back to the first
    take(KEPT, KEPT + 1).await;
    take(KEPT + 1, KEPT + 2).await;
    for gone in ["0001", "0002"] {
        assert_eq!(store.version(gone).await.unwrap(), None, "{gone}");
        assert!(store.versions_like(gone).await.unwrap().is_empty(), "{gone}: nothing names what is gone");
    }
    for kept in ["0000", "0003", "0101"] {
        assert_eq!(store.version(kept).await.unwrap(), Some(version(kept)));
    }
    assert_eq!(store.versions_like("f0").await.unwrap().len(), KEPT);
    // Both lines of the first one are there, and one of every other.
    assert_eq!(store.versions_taken(KEPT * 2).await.unwrap().len(), KEPT + 1);
}
