//! Sends one e-mail over SMTP.
//!
//! Plain text, no pictures, no tracking. With `starttls` and `tls` nothing, least of all the password, is sent before the server has shown a
//! certificate for its name. What the server refuses for good of a message or of its recipient (5xx, after it took the sender) is refused; everything else,
//! such as a password that it does not take, operators can mend, and it is tried again.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use crate::app::live::Live;
use crate::app::notify::letter::{Letter, Mail, MailError};
use crate::app::notify::{MailConfig, Security};

/// How long a server may take to end a conversation.
const GOODBYE: Duration = Duration::from_secs(5);

/// A setting with which no e-mail can be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("notify.mail.{key}: {problem}")]
pub struct BadMail {
    key: &'static str,
    problem: String,
}

/// See the module.
#[derive(Clone)]
pub struct SmtpMail {
    /// None where no server is set.
    ways: Option<Ways>,
}

#[derive(Clone)]
struct Ways {
    server: String,
    port: u16,
    secured: Secured,
    credentials: Option<Credentials>,
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
}

/// How a connection is kept from others' eyes.
#[derive(Clone)]
enum Secured {
    Starttls(TlsParameters),
    Tls(TlsParameters),
    No,
}

impl SmtpMail {
    /// With what `[notify.mail]` says; reads the certificates that it names, and connects to nothing.
    ///
    /// # Errors
    /// [`BadMail`].
    pub fn new(config: &MailConfig) -> Result<Self, BadMail> {
        if config.server.is_empty() {
            return Ok(Self { ways: None });
        }
        let wrong = |key: &'static str, problem: String| BadMail { key, problem };
        let mailbox = |key: &'static str, text: &str| {
            text.parse::<Mailbox>().map_err(|_| wrong(key, format!("`{text}` is no address of e-mail")))
        };
        let from = mailbox("from", &config.from)?;
        let to = config.to.iter().map(|to| mailbox("to", to)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(wrong("to", "is missing: whom is it to go to?".to_owned()));
        }
        let tls = || {
            let _ = rustls::crypto::ring::default_provider().install_default(); // whoever was first has done so
            let mut builder = TlsParameters::builder(config.server.clone());
            if !config.ca_file.as_os_str().is_empty() {
                let shown = config.ca_file.display();
                let pem = std::fs::read(&config.ca_file)
                    .map_err(|error| wrong("ca_file", format!("{shown} cannot be read: {error}")))?;
                // What holds no certificate at all would silently add none.
                let begins = "-----BEGIN CERTIFICATE-----";
                let found = Certificate::from_pem(&pem).ok().filter(|_| String::from_utf8_lossy(&pem).contains(begins));
                let problem = || wrong("ca_file", format!("{shown} holds no certificate in PEM"));
                builder = builder.add_root_certificate(found.ok_or_else(problem)?);
            }
            builder.build().map_err(|error| wrong("server", format!("TLS to it cannot be set up: {error}")))
        };
        let secured = match config.security {
            Security::Starttls => Secured::Starttls(tls()?),
            Security::Tls => Secured::Tls(tls()?),
            Security::None if is_here(&config.server) => Secured::No,
            Security::None => {
                let problem = "none is for a server on this machine: `localhost` or an address such as 127.0.0.1";
                return Err(wrong("security", problem.to_owned()));
            }
        };
        let port = if config.port == 0 { config.security.port() } else { config.port };
        let timeout = Duration::from_millis(config.timeout_ms.into());
        let credentials = match (config.user.is_empty(), config.password.expose()) {
            (true, None) => None,
            (false, Some(password)) => Some(Credentials::new(config.user.clone(), password.to_owned())),
            (false, None) => return Err(wrong("password", "is missing: user has one".to_owned())),
            (true, Some(_)) => return Err(wrong("user", "is missing: whose is the password?".to_owned())),
        };
        let server = config.server.clone();
        Ok(Self { ways: Some(Ways { server, port, secured, credentials, from, to, timeout }) })
    }
}

/// Whether that is this machine.
fn is_here(server: &str) -> bool {
    server == "localhost" || server.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Ways {
    fn message(&self, letter: Letter) -> Result<Message, MailError> {
        let domain = self.from.email.domain();
        let at_s = u64::try_from(letter.at_s).unwrap_or_default();
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(letter.subject)
            .message_id(Some(format!("<{}@{domain}>", letter.id)))
            .date(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(at_s))
            .header(ContentType::TEXT_PLAIN);
        let to = match letter.to {
            Some(to) => vec![to.parse().map_err(|_| MailError::Refused(format!("`{to}` is no address of e-mail")))?],
            None => self.to.clone(),
        };
        for to in to {
            builder = builder.to(to);
        }
        builder.body(letter.text).map_err(|error| MailError::Refused(format!("the message cannot be written: {error}")))
    }

    /// A connection that is secured and signed in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let hello = ClientId::default();
        let (at_once, then) = match &self.secured {
            Secured::Tls(tls) => (Some(tls.clone()), None),
            Secured::Starttls(tls) => (None, Some(tls.clone())),
            Secured::No => (None, None),
        };
        let server = (self.server.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &hello, at_once, None).await?;
        if let Some(tls) = then {
            connection.starttls(tls, &hello).await?; // an error where the server does not offer it
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    /// Hands a message over; answers the connection, which has yet to be ended.
    async fn hand_over(&self, message: &Message) -> Result<AsyncSmtpConnection, MailError> {
        let failed = |error: Error| MailError::Failed(told(&error));
        let mut connection = self.connect().await.map_err(failed)?;
        let envelope = message.envelope();
        let text = message.formatted();
        let mut options = Vec::new();
        let addresses = envelope.to().iter().chain(envelope.from());
        if addresses.map(ToString::to_string).any(|address| !address.is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let problem = "the mail server takes no addresses with letters beyond ASCII";
                return Err(MailError::Refused(problem.to_owned()));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        if !text.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        connection.command(MailFrom::new(envelope.from().cloned(), options)).await.map_err(failed)?;
        let refused = |error: Error| match error.is_permanent() {
            true => MailError::Refused(told(&error)),
            false => MailError::Failed(told(&error)),
        };
        for to in envelope.to() {
            connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(refused)?;
        }
        connection.command(Data).await.map_err(refused)?;
        connection.message(&text).await.map_err(refused)?;
        Ok(connection)
    }
}

#[async_trait]
impl Mail for SmtpMail {
    async fn send(&self, letter: Letter) -> Result<(), MailError> {
        let Some(ways) = &self.ways else {
            return Err(MailError::Refused("notify.mail is not set up any more".to_owned()));
        };
        let message = ways.message(letter)?;
        // The server may take its time for each answer; all together must end before somebody else may try.
        let most = ways.timeout * 4;
        match tokio::time::timeout(most, ways.hand_over(&message)).await {
            Ok(Ok(mut connection)) => {
                // It was accepted, however that ends.
                let _ = tokio::time::timeout(ways.timeout.min(GOODBYE), connection.abort()).await;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(MailError::Failed(format!("the mail server took longer than {} ms", most.as_millis()))),
        }
    }
}

/// With the settings in force when it is sent.
#[async_trait]
impl Mail for Live<SmtpMail> {
    async fn send(&self, letter: Letter) -> Result<(), MailError> {
        self.get().send(letter).await
    }
}

/// What went wrong, with what led to it, on one line.
fn told(error: &Error) -> String {
    let mut text = format!("the mail server did not take it: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> MailConfig {
        MailConfig {
            server: "mail.example".to_owned(),
            from: "Doorward <doorward@news.example>".to_owned(),
            to: vec!["ops@news.example".to_owned()],
            ..MailConfig::default()
        }
    }

    #[test]
    fn settings_with_which_nothing_can_be_sent_are_refused_by_name() {
        let refused = |change: &dyn Fn(&mut MailConfig)| {
            let mut config = config();
            change(&mut config);
            SmtpMail::new(&config).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(refused(&|_| {}), Ok(()));
        assert_eq!(refused(&|config| *config = MailConfig::default()), Ok(()), "no e-mail at all");
        assert_eq!(
            refused(&|config| (config.server, config.security) = ("127.0.0.1".to_owned(), Security::None)),
            Ok(())
        );
        let wrong = |problem: &str| Err(format!("notify.mail.{problem}"));
        assert_eq!(
            refused(&|config| config.security = Security::None),
            wrong("security: none is for a server on this machine: `localhost` or an address such as 127.0.0.1")
        );
        assert_eq!(
            refused(&|config| config.from = "nobody".to_owned()),
            wrong("from: `nobody` is no address of e-mail")
        );
        assert_eq!(
            refused(&|config| config.to = vec!["a@b.example\r\nBcc: c@d.example".to_owned()]),
            wrong("to: `a@b.example\r\nBcc: c@d.example` is no address of e-mail")
        );
        assert_eq!(refused(&|config| config.to.clear()), wrong("to: is missing: whom is it to go to?"));
        assert_eq!(refused(&|config| config.user = "ada".to_owned()), wrong("password: is missing: user has one"));
    }

    #[test]
    fn no_subject_makes_a_header() {
        let ways = SmtpMail::new(&config()).unwrap().ways.unwrap();
        for subject in ["a\r\nBcc: all@example.org", "a\nX-Evil: 1", "ü\r\nX: y", "a\u{0}b"] {
            let letter = Letter {
                id: "0123".to_owned(),
                to: None,
                subject: subject.to_owned(),
                text: "Text.\r\n.\r\nMore\n".to_owned(),
                at_s: 1_795_514_400,
            };
            let Ok(message) = ways.message(letter) else { continue };
            let written = String::from_utf8(message.formatted()).unwrap();
            let (head, _) = written.split_once("\r\n\r\n").unwrap();
            let names: Vec<&str> = head
                .lines()
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split(':').next().unwrap())
                .collect();
            for name in &names {
                assert!(
                    [
                        "From",
                        "To",
                        "Subject",
                        "Message-ID",
                        "Date",
                        "Content-Type",
                        "Content-Transfer-Encoding",
                        "MIME-Version"
                    ]
                    .contains(name),
                    "{name} in {head}"
                );
            }
        }
    }
}
