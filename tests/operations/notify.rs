//! Telling operators: what an afternoon with `[notify]` looks like at the command line.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio_rustls::TlsAcceptor;

use super::smtp::{MailServer, Manner};
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
    assert!(told.contains("mail to ann@news.example: a test message was accepted"), "{told}");
    let came = server.came();
    assert_eq!(came[0].to, ["ann@news.example"]);
    assert_eq!(came[0].header("Subject").as_deref(), Some("[Doorward] Messages arrive"));
    let told = host.refused(&["notify", "test"], 1);
    assert!(
        told.contains("not from you") && told.contains("no message could be sent by mail to ann@news.example"),
        "{told}"
    );
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

/// An authority that signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut of = CertificateParams::new(Vec::<String>::new()).expect("no names");
        of.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = of.self_signed(&key).expect("signed").pem();
        Self { issuer: Issuer::new(of, key), pem }
    }

    /// What a server of that name shows.
    fn server(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let of = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = of.signed_by(&key, &self.issuer).expect("signed");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = config.with_single_cert(vec![certificate.der().clone()], key).expect("they belong together");
        TlsAcceptor::from(Arc::new(config))
    }
}

async fn secured(tls: TlsAcceptor) -> MailServer {
    MailServer::start_so(Manner { tls: Some(tls), ..Manner::default() }).await
}

/// Settings for a server of the name `localhost`, with a password.
fn with_password(port: u16, more: &str) -> String {
    let settings = mail(port, &format!("user = \"doorward\"\npassword = \"hush-hush-hush\"\n{more}"));
    settings.replace("server = \"127.0.0.1\"", "server = \"localhost\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_over_tls_to_a_server_that_an_authority_of_the_settings_vouches_for() {
    let authority = Authority::new();
    let server = secured(authority.server("localhost")).await;
    let host = Host::with(&with_password(server.port, "ca_file = \"ca.pem\"\n"));
    std::fs::write(host.path("ca.pem"), &authority.pem).expect("writable");
    let told = host.done(&["notify", "test"]);
    assert!(told.contains("a test message was accepted"), "{told}");
    assert_eq!(server.came()[0].to, ["ann@news.example"]);
    let heard = server.heard();
    let words: Vec<&str> = heard.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(words[..5], ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL"], "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_mail_nor_password_goes_to_a_server_whose_certificate_is_wrong() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (case, name, trusted) in [
        ("of an authority that nobody named", "localhost", None),
        ("of another authority", "localhost", Some(&other)),
        ("for another name", "mail.example", Some(&authority)),
    ] {
        let server = secured(authority.server(name)).await;
        let more = if trusted.is_some() { "ca_file = \"ca.pem\"\n" } else { "" };
        let host = Host::with(&with_password(server.port, more));
        std::fs::write(host.path("ca.pem"), trusted.map_or("", |trusted| &trusted.pem)).expect("writable");
        let told = host.refused(&["notify", "test"], 1);
        assert!(told.contains("certificate") && !told.contains("hush"), "{case}: {told}");
        assert!(server.came().is_empty(), "{case}");
        let heard = server.heard();
        let words: Vec<&str> = heard.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(words, ["EHLO", "STARTTLS"], "{case}: {heard:?}");
    }
}

#[test]
fn a_file_without_certificates_is_refused_by_name() {
    let host = Host::with(&with_password(1, "ca_file = \"ca.pem\"\n"));
    let told = host.refused(&["check-config"], 2);
    assert!(told.contains("notify.mail.ca_file: ") && told.contains("cannot be read"), "{told}");
    std::fs::write(host.path("ca.pem"), "nothing of that kind\n").expect("writable");
    let told = host.refused(&["check-config"], 2);
    assert!(told.contains("notify.mail.ca_file: ") && told.contains("holds no certificate in PEM"), "{told}");
}
