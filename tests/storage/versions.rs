//! What the port promises of configurations: every one that was taken is there, once, and found by what it is called.

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
