//! What the port promises about signing in: what ends a session, and that nothing opens an account twice.

use doorward::domain::people::{Person, Reach, Role};
use doorward::domain::session::NewSession;
use doorward::domain::store::{KeyHash, Store};

use crate::made::at;
use crate::suite::Engine;

const ADA: &str = "ada@example.org";
const ONE: KeyHash = [0xab; 32];
const OTHER: KeyHash = [0xcd; 32];

async fn person(store: &dyn Store, email: &str) -> Person {
    store.person_create(email, Role::Moderator, &Reach::ALL, "phc", at(0)).await.unwrap();
    store.credentials(email).await.unwrap().unwrap().person
}

fn session(person: &Person, hash: KeyHash, second: i64) -> NewSession {
    NewSession {
        hash,
        person: person.clone(),
        password: "phc".to_owned(),
        at: at(second),
        expires_at: at(1_000),
        agent: "Firefox".to_owned(),
        network: "192.0.2.0/24".to_owned(),
    }
}

/// Ada, signed in twice.
async fn signed_in(store: &dyn Store) -> Person {
    let ada = person(store, ADA).await;
    for (hash, second) in [(ONE, 1), (OTHER, 2)] {
        assert!(store.session_open(session(&ada, hash, second)).await.unwrap());
    }
    ada
}

async fn opens(store: &dyn Store, hash: &KeyHash) -> bool {
    store.session_find(hash, at(0), at(10)).await.unwrap().is_some()
}

pub(crate) async fn sessions_end_by_age_and_by_idleness(engine: &dyn Engine) {
    let store = engine.open().await;
    let ada = signed_in(&*store).await;
    for (name, seen_since, now, expected) in [
        ("seen lately", 1, 10, true),
        ("unseen for long", 2, 10, false),
        ("its last moment", 1, 999, true),
        ("over", 1, 1_000, false),
    ] {
        let found = store.session_find(&ONE, at(seen_since), at(now)).await.unwrap();
        assert_eq!(found.is_some(), expected, "{name}");
    }
    store.session_seen(&ONE, at(5)).await.unwrap();
    store.session_seen(&ONE, at(4)).await.unwrap(); // late news changes nothing
    let found = store.session_find(&ONE, at(5), at(10)).await.unwrap().unwrap();
    assert_eq!((found.person.email.as_str(), found.seen_at, found.has_totp), (ADA, at(5), false));
    assert!(store.sessions(&ada, at(1_000)).await.unwrap().is_empty());
}

pub(crate) async fn sessions_are_listed_and_ended_by_whose_they_are(engine: &dyn Engine) {
    let store = engine.open().await;
    let ada = signed_in(&*store).await;
    let ben = person(&*store, "ben@example.org").await;
    let known = store.sessions(&ada, at(10)).await.unwrap();
    let names: Vec<&str> = known.iter().map(|session| session.id.as_str()).collect();
    assert_eq!(names, ["cdcdcdcdcdcdcdcd", "abababababababab"]);
    for (who, name) in [(&ada, ""), (&ada, "ab"), (&ada, "efefef"), (&ben, "ababab"), (&ada, "%%%%")] {
        assert!(!store.session_revoke(who, name, at(3)).await.unwrap(), "{} {name:?}", who.email);
    }
    assert!(store.session_revoke(&ada, "ABABAB", at(3)).await.unwrap());
    assert!(!opens(&*store, &ONE).await);
    assert!(store.session_end(&OTHER, at(4)).await.unwrap());
    assert!(!store.session_end(&OTHER, at(4)).await.unwrap());
    assert!(!opens(&*store, &OTHER).await);
}

pub(crate) async fn sessions_end_with_what_opened_them(engine: &dyn Engine) {
    let store = engine.open().await;
    let ada = signed_in(&*store).await;
    store.password_change(&ada, "new", &ONE, at(3)).await.unwrap();
    assert!(opens(&*store, &ONE).await, "the session that changed the password stays");
    assert!(!opens(&*store, &OTHER).await);
    assert!(store.totp_set(&ada, vec![1], 7, vec![[1; 32]], &ONE, at(5)).await.unwrap());
    assert!(!store.totp_set(&ada, vec![2], 8, vec![[3; 32]], &ONE, at(5)).await.unwrap(), "there is one");
    assert!(store.session_find(&ONE, at(0), at(10)).await.unwrap().unwrap().has_totp);
    let (token, of_another) = ([0x11; 32], [0x22; 32]);
    person(&*store, "ben@example.org").await;
    assert!(store.token_create(ADA, token, at(5)).await.unwrap());
    assert!(store.token_create("ben@example.org", of_another, at(5)).await.unwrap());
    assert!(store.person_reset(ADA, "phc", at(6)).await.unwrap());
    assert!(!opens(&*store, &ONE).await);
    assert!(store.token_find(&token).await.unwrap().is_none(), "a token would open the account past the new password");
    assert!(store.token_find(&of_another).await.unwrap().is_some());
    assert!(store.credentials(ADA).await.unwrap().unwrap().totp.is_none(), "a reset takes the second factor away");
    assert_eq!(store.recovery_left(&ada).await.unwrap(), 0);
    assert!(store.session_open(session(&ada, ONE, 7)).await.unwrap());
    assert!(store.person_disable(ADA, at(8)).await.unwrap());
    assert!(!opens(&*store, &ONE).await);
    assert!(store.credentials(ADA).await.unwrap().is_none());
    assert!(!store.session_open(session(&ada, ONE, 9)).await.unwrap());
}

pub(crate) async fn a_code_opens_once(engine: &dyn Engine) {
    let store = engine.open().await;
    let ada = signed_in(&*store).await;
    let ben = person(&*store, "ben@example.org").await;
    assert!(store.totp_set(&ada, vec![1], 7, vec![[1; 32], [2; 32]], &ONE, at(3)).await.unwrap());
    assert!(!opens(&*store, &OTHER).await, "sessions without the second factor end");
    for (step, expected) in [(7, false), (6, false), (8, true), (8, false), (7, false), (9, true)] {
        assert_eq!(store.totp_use(&ada, step).await.unwrap(), expected, "step {step}");
    }
    assert!(!store.recovery_use(&ben, &[1; 32], at(4)).await.unwrap());
    assert!(store.recovery_use(&ada, &[1; 32], at(4)).await.unwrap());
    assert!(!store.recovery_use(&ada, &[1; 32], at(5)).await.unwrap());
    assert_eq!(store.recovery_left(&ada).await.unwrap(), 1);
    assert!(!store.totp_reseal(ADA, &[9], vec![2]).await.unwrap(), "somebody else sealed it meanwhile");
    assert!(store.totp_reseal(ADA, &[1], vec![2]).await.unwrap());
    assert_eq!(store.totp_seeds().await.unwrap(), [(ADA.to_owned(), vec![2])]);
    store.totp_clear(&ada, at(6)).await.unwrap();
    assert!(store.totp_seeds().await.unwrap().is_empty());
    assert_eq!(store.recovery_left(&ada).await.unwrap(), 0);
}
