use proptest::prelude::*;

use super::source::SourceConfig;
use super::*;

const FORUM: &str = r#"
    name = "forum"
    site = "news"
    secret = "hush"
    signature = { scheme = "token", header = "X-Token" }
    [event]
    from = ["header:X-Kind", "/event"]
    create = ["post.made", "post.restored"]
    update = ["post.changed"]
    delete = ["post.gone"]
    article = ["page.made"]
    ignore = ["ping"]
    [map]
    id = "/p/id"
    "article.id" = ["/p/page", "/page/id"]
    "article.tags" = "/p/tags"
    "author.id" = "/p/by"
    "author.registered_at" = "/p/since"
    body = "/p/te~1xt"
    format = "value:markdown"
    typing_ms = "/p/ms"
"#;

fn configs(tomls: &[&str]) -> Vec<SourceConfig> {
    tomls.iter().map(|text| toml::from_str(text).expect("settings")).collect()
}

fn source(text: &str) -> Source {
    Source::all(&configs(&[text])).expect("a source").into_values().next().expect("one")
}

fn read(source: &Source, kind: &str, body: &str) -> Result<Meaning, String> {
    let headers = [("X-Kind", kind)].into_iter().filter(|(_, kind)| !kind.is_empty()).collect();
    let message = Message { headers, body: body.as_bytes().to_vec() };
    source.read(&message, &Bounds::default()).map_err(|error| error.to_string())
}

#[test]
fn fields_are_found_where_the_source_says() {
    let source = source(FORUM);
    let body = r#"{"event":"made","p":{"id":7,"page":null,"tags":["a",2],"by":18446744073709551615,"since":1577836800,"te/xt":"Hi *there*","ms":"8400"},
        "page":{"id":"a-1"}}"#;
    let Ok(Meaning::Create(new)) = read(&source, "post", body) else { panic!("a comment") };
    assert_eq!((new.id.as_str(), new.article.id.as_str(), new.body.as_str()), ("7", "a-1", "Hi *there*"));
    assert_eq!(new.article.tags, ["a", "2"]);
    assert_eq!(new.author.id.as_ref().map(ExternalId::as_str), Some("18446744073709551615"));
    assert_eq!(new.author.registered_at.map(|at| at.to_string()).as_deref(), Some("2020-01-01T00:00:00Z"));
    assert_eq!((new.format, new.typing_ms), (crate::domain::comment::Format::Markdown, Some(8_400)));
    assert_eq!(new.author.name, None);
}

#[test]
fn events_mean_what_the_source_says() {
    let source = source(FORUM);
    let body =
        |event: &str| format!(r#"{{"event":"{event}","p":{{"id":"c","te/xt":"Hi","page":1}},"page":{{"id":"a"}}}}"#);
    for (kind, event, expected) in [
        ("post", "made", "Create"),
        ("post", "restored", "Create"),
        ("post", "changed", "Update"),
        ("post", "gone", "Delete"),
        ("page", "made", "Article"),
    ] {
        let found = read(&source, kind, &body(event)).expect(event);
        assert!(format!("{found:?}").starts_with(expected), "{kind}.{event}: {found:?}");
    }
    assert_eq!(read(&source, "ping", "{}"), Ok(Meaning::Nothing));
    let unlisted = read(&source, "user", &body("made")).expect_err("not listed");
    assert_eq!(unlisted, "event: header:X-Kind or /event is `user.made`, which is not listed");
}

#[test]
fn what_a_message_lacks_is_named_with_its_place_and_field() {
    let source = source(FORUM);
    for (body, expected) in [
        ("", "not JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "event: header:X-Kind or /event is `post`, which is not listed"),
        (r#"{"event":{}}"#, "event: /event holds an object, not text"),
        (r#"{"event":"made"}"#, "id: there is nothing at /p/id"),
        (r#"{"event":"made","p":{"id":""}}"#, "article.id: there is nothing at /p/page or /page/id"),
        (r#"{"event":"made","p":{"id":1,"page":2}}"#, "body: there is nothing at /p/te~1xt"),
        (r#"{"event":"made","p":{"id":1,"page":2,"te/xt":true}}"#, "body: /p/te~1xt holds true or false, not text"),
        (
            r#"{"event":"made","p":{"id":1e30,"page":2,"te/xt":"x"}}"#,
            "id: /p/id holds a number that is broken or too large",
        ),
        (r#"{"event":"made","p":{"id":"","page":2,"te/xt":"x"}}"#, "id: must not be empty (from /p/id)"),
        (r#"{"event":"made","p":{"id":1,"page":2,"te/xt":" "}}"#, "body: must not be empty or blank (from /p/te~1xt)"),
        (
            r#"{"event":"made","p":{"id":1,"page":2,"te/xt":"x","tags":[[]]}}"#,
            "article.tags: /p/tags holds a list, not text",
        ),
        (r#"{"event":"made","p":{"id":1,"page":2,"te/xt":"x","ms":-1}}"#, "typing_ms: /p/ms holds no whole number"),
        (r#"{"event":"gone","p":{}}"#, "id: there is nothing at /p/id"),
    ] {
        assert_eq!(read(&source, "post", body).expect_err(body), expected, "{body}");
    }
}

#[test]
fn sources_that_cannot_work_are_refused_with_their_name_and_the_field() {
    let changed = |from: &str, to: &str| {
        assert!(FORUM.contains(from), "{from}");
        FORUM.replacen(from, to, 1)
    };
    let preset = |name: &str| format!("name = 'x'\nsite = 'news'\nsecret = 's'\npreset = '{name}'");
    for name in ["github", "discourse", "ghost", "coral"] {
        source(&preset(name));
    }
    for (text, expected) in [
        (changed("name = \"forum\"", "name = \"My forum\""), "sources: `My forum`: name must be"),
        (changed("\"news\"", "\"The News\""), "sources: `forum`: site: `The News` names no site"),
        (changed("\"hush\"", "\"\""), "sources: `forum`: secret is missing"),
        (changed("id = \"/p/id\"", ""), "map.\"id\" is missing"),
        (changed("\"article.id\"", "\"parent_id\""), "map.\"article.id\" is missing"),
        (changed("body = \"/p/te~1xt\"", ""), "map.\"body\" is missing"),
        (changed("body =", "bodi = \"/x\"\nbody ="), "map: `bodi` is no field of a comment"),
        (changed("te~1xt", "te~xt"), "map.\"body\": `/p/te~xt` is no place"),
        (changed("\"/event\"", "\"event\""), "event.from: `event` is no place"),
        (changed("\"ping\"", "\"post.made\""), "event: `post.made` cannot mean two things"),
        (changed("from = [\"header:X-Kind\", \"/event\"]", ""), "event: say both"),
        (
            changed("\"token\"", "\"standard\"").replace("hush", "hush!"),
            "sources: `forum`: secret: the secret is not `whsec_` and base64",
        ),
    ] {
        let refused = Source::all(&configs(&[&text])).err().expect(expected).to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    let twice = Source::all(&configs(&[FORUM, FORUM])).err().expect("twice").to_string();
    assert!(twice.contains("taken by another source"), "{twice}");
}

#[test]
fn a_preset_is_changed_where_the_source_says_otherwise() {
    let source = source(
        "name = 'x'\nsite = 'news'\nsecret = 's'\npreset = 'discourse'\n[map]\nbody = '/post/raw'\nformat = 'value:markdown'",
    );
    let message = Message {
        headers: [("X-Discourse-Event", "post_edited")].into_iter().collect(),
        body: br#"{"post":{"id":1,"topic_id":2,"raw":"Hi","cooked":"<p>Hi</p>"}}"#.to_vec(),
    };
    let Ok(Meaning::Update(new)) = source.read(&message, &Bounds::default()) else { panic!("an update") };
    assert_eq!((new.body.as_str(), new.article.id.as_str()), ("Hi", "2"));
}

#[test]
fn messages_between_people_are_left_alone() {
    let source = source("name = 'x'\nsite = 'news'\nsecret = 's'\npreset = 'discourse'");
    let message = Message {
        headers: [("X-Discourse-Event", "post_created")].into_iter().collect(),
        body: br#"{"post":{"id":1,"topic_id":2,"cooked":"<p>Hi</p>","topic_archetype":"private_message"}}"#.to_vec(),
    };
    assert_eq!(source.read(&message, &Bounds::default()), Ok(Meaning::Nothing));
}

#[test]
fn a_sites_own_message_is_a_comment_or_an_envelope() {
    let comment = r#"{"id":"c-1","article":{"id":"a"},"body":"Hi","type":"anything"}"#;
    let read = |body: &str| native(body.as_bytes(), &Bounds::default());
    let Ok(Meaning::Create(new)) = read(comment) else { panic!("a comment") };
    let envelope = |kind: &str| read(&format!(r#"{{"type":"{kind}","timestamp":"x","data":{comment}}}"#));
    assert_eq!(envelope("comment.created"), Ok(Meaning::Create(new.clone())));
    assert_eq!(envelope("comment.updated"), Ok(Meaning::Update(new.clone())));
    assert_eq!(envelope("comment.deleted"), Ok(Meaning::Delete(new.id)));
    for (body, expected) in [
        ("{", "not JSON: EOF while parsing an object at line 1 column 1"),
        ("[]", "body: must be an object"),
        ("{}", "id: is missing"),
        (r#"{"id":"c","article":{},"body":"x"}"#, "article.id: is missing"),
        (r#"{"id":1,"article":{"id":"a"},"body":"x"}"#, "id: invalid type: integer `1`, expected a string"),
        (r#"{"id":"c","article":{"id":"a"},"body":" "}"#, "body: must not be empty or blank"),
        (r#"{"type":"comment.held","data":{}}"#, "type: must be comment.created, comment.updated or comment.deleted"),
        (r#"{"type":"comment.deleted","data":{}}"#, "id: is missing"),
    ] {
        assert_eq!(read(body).expect_err(body).to_string(), expected, "{body}");
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(Value::from("made")),
    ];
    let key =
        prop_oneof![Just("p"), Just("id"), Just("page"), Just("te/xt"), Just("event"), Just("since"), Just("tags")];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_message_panics(value in json(), kind in prop_oneof![Just("post"), Just("page"), Just("")]) {
        let _ = read(&source(FORUM), kind, &value.to_string());
        let _ = native(value.to_string().as_bytes(), &Bounds::default());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), pointer in "/[ -~]{0,12}") {
        let text = FORUM.replacen("\"/p/by\"", &serde_json::to_string(&pointer).expect("a string"), 1);
        let message = Message { headers: message::Headers::default(), body: bytes.clone() };
        if let Ok(sources) = Source::all(&configs(&[&text])) {
            for source in sources.values() {
                let _ = source.read(&message, &Bounds::default());
            }
        }
        let _ = native(&bytes, &Bounds::default());
    }
}
