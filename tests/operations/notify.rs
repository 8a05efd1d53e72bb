//! Telling operators: what an afternoon with `[notify]` looks like at the command line.

use serde_json::Value;

use super::smtp::MailServer;
use super::world::Host;

/// Nobody listens there.
const NOBODY: &str = "[server]\nlisten = \"127.0.0.1:1\"\n";

fn mail(port: u16, more: &str) -> String {
    format!(
        "{NOBODY}[notify.mail]\nserver = \"127.0.0.1\"\nport = {port}\nfrom = \"Doorward <doorward@news.example>\"\nto = [\"ann@news.example\"]\n{more}"
    )
}

fn set(host: &Host, settings: &str) {
    std::fs::write(&host.config, settings).expect("writable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_arrives_or_says_why_not() {
    let server = MailServer::start(|n| if n == 0 { "250 ok" } else { "550 5.7.1 not from you" }).await;
    let host = Host::with(NOBODY);
    let told = host.refused(&["notify", "test"], 1);
    assert!(told.contains("nobody can be told"), "{told}");
    set(&host, &mail(server.port, "security = \"none\"\n"));
    let told = host.done(&["notify", "test"]);
    assert!(told.contains("mail: a test message was accepted"), "{told}");
    let came = server.came();
    assert_eq!(came[0].to, ["ann@news.example"]);
    assert_eq!(came[0].header("Subject").as_deref(), Some("[Doorward] Messages arrive"));
    let told = host.refused(&["notify", "test"], 1);
    assert!(told.contains("not from you") && told.contains("no message could be sent by mail"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_said_to_a_server_without_tls() {
    let server = MailServer::start(|_| "250 ok").await;
    let host = Host::with(&mail(server.port, "user = \"doorward\"\npassword = \"hush-hush-hush\"\n"));
    let told = host.refused(&["notify", "test"], 1);
    assert!(!told.contains("hush"), "{told}");
    assert!(server.came().is_empty());
    let heard = server.heard();
    assert!(heard.iter().all(|line| !line.starts_with("AUTH") && !line.starts_with("MAIL")), "{heard:?}");
    let shown = host.done(&["check-config", "--show"]);
    assert!(shown.contains("[notify.mail]") && !shown.contains("hush"), "{shown}");
    set(&host, &mail(1, "security = \"none\"\n").replace("127.0.0.1\"\nport", "mail.example\"\nport"));
    let told = host.refused(&["check-config"], 2);
    assert!(told.contains("notify.mail.security: none is for a server on this machine"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_accepted_shows_in_the_list_and_to_the_doctor() {
    let host = Host::with(NOBODY);
    host.site("news");
    assert_eq!(host.done(&["notify", "list"]), "");
    let database = rusqlite::Connection::open(host.path("doorward.db")).expect("a database");
    database
        .execute_batch(
            "INSERT INTO alert VALUES ('queue-late', 'desk', '{\"waiting\":1}', 1000, 1000, NULL);\
             INSERT INTO operator_message (name, channel, event, subject, text, data, made_at, attempts, given_up_at, problem) \
             VALUES ('x:mail', 'mail', 'alert.raised', 'Queue desk is late', 'Text', '{}', 1000, 9, 2000, 'no route to it')",
        )
        .expect("changed");
    let told = host.done(&["notify", "list"]);
    assert!(told.contains("queue-late desk: it stands"), "{told}");
    assert!(told.contains("Queue desk is late: given up at") && told.contains("no route to it"), "{told}");
    let lines = host.done(&["notify", "list", "--json"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["is"], &lines[0]["facts"]["waiting"]), (&Value::from("alert"), &Value::from(1)));
    assert_eq!((&lines[1]["is"], &lines[1]["problem"]), (&Value::from("message"), &Value::from("no route to it")));
    let told = host.refused(&["doctor"], 1);
    assert!(told.contains("1 were given up: no route to it") && told.contains("doorward notify test"), "{told}");
}
