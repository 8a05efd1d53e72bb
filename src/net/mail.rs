//! Sends one e-mail over SMTP.
//!
//! Plain text, no pictures, no tracking. With `starttls` and `tls` nothing, least of all the password, is sent before the server has shown a
//! certificate for its name.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::app::live::Live;
use crate::app::notify::letter::{Letter, Mail, MailError};
use crate::app::notify::{MailConfig, Security};

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
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
}

impl SmtpMail {
    /// With what `[notify.mail]` says; connects to nothing.
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
            TlsParameters::new(config.server.clone())
                .map_err(|error| wrong("server", format!("TLS to it cannot be set up: {error}")))
        };
        let tls = match config.security {
            Security::Starttls => Tls::Required(tls()?),
            Security::Tls => Tls::Wrapper(tls()?),
            Security::None if is_here(&config.server) => Tls::None,
            Security::None => {
                let problem = "none is for a server on this machine: `localhost` or an address such as 127.0.0.1";
                return Err(wrong("security", problem.to_owned()));
            }
        };
        let port = if config.port == 0 { config.security.port() } else { config.port };
        let timeout = Duration::from_millis(config.timeout_ms.into());
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.server)
            .port(port)
            .tls(tls)
            .timeout(Some(timeout));
        match (config.user.is_empty(), config.password.expose()) {
            (true, None) => {}
            (false, Some(password)) => {
                builder = builder.credentials(Credentials::new(config.user.clone(), password.to_owned()));
            }
            (false, None) => return Err(wrong("password", "is missing: user has one".to_owned())),
            (true, Some(_)) => return Err(wrong("user", "is missing: whose is the password?".to_owned())),
        }
        Ok(Self { ways: Some(Ways { transport: builder.build(), from, to, timeout }) })
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
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder.body(letter.text).map_err(|error| MailError::Refused(format!("the message cannot be written: {error}")))
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
        let sent = tokio::time::timeout(most, ways.transport.send(message)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            // Whatever it says, operators can mend: a password, an address, a quota.
            Ok(Err(error)) => Err(MailError::Failed(told(&error))),
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
fn told(error: &lettre::transport::smtp::Error) -> String {
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
