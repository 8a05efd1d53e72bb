//! A mail server that keeps what came and answers as the test says: as much of SMTP as a sender needs. Shared by test binaries.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What came in one conversation: who sends, to whom, and the message as it was sent, dots unstuffed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mailed {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) message: String,
}

impl Mailed {
    /// A header's value, on one line.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.message.split_once("\r\n\r\n")?;
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let line =
            unfolded.lines().find(|line| line.to_lowercase().starts_with(&format!("{}:", name.to_lowercase())))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    }

    /// The text, with what `quoted-printable` did taken back.
    pub(crate) fn text(&self) -> String {
        let (_, body) = self.message.split_once("\r\n\r\n").unwrap_or_default();
        if self.header("Content-Transfer-Encoding").as_deref() != Some("quoted-printable") {
            return body.replace("\r\n", "\n");
        }
        let joined = body.replace("=\r\n", "").replace("\r\n", "\n");
        let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
        while let Some((first, after)) = rest.split_first() {
            if let (b'=', [high, low, after @ ..]) = (first, after) {
                let hex = String::from_utf8(vec![*high, *low]).expect("digits");
                bytes.push(u8::from_str_radix(&hex, 16).expect("digits"));
                rest = after;
            } else {
                bytes.push(*first);
                rest = after;
            }
        }
        String::from_utf8(bytes).expect("UTF-8")
    }
}

/// How a server answers.
pub(crate) struct Manner {
    /// To the end of the n-th message, from 0: `250 …` accepts it.
    pub(crate) message: Box<dyn Fn(usize) -> &'static str + Send + Sync>,
    /// To a recipient.
    pub(crate) recipient: Box<dyn Fn(&str) -> &'static str + Send + Sync>,
    /// What it shows after `STARTTLS`, which it offers then.
    pub(crate) tls: Option<TlsAcceptor>,
}

impl Default for Manner {
    fn default() -> Self {
        Self { message: Box::new(|_| "250 ok"), recipient: Box::new(|_| "250 ok"), tls: None }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// See the module. Stops when dropped.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    tried: watch::Receiver<usize>,
    came: Arc<Mutex<Vec<Mailed>>>,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl MailServer {
    /// Answers the end of the n-th message, from 0, with what `answers` says: `250 …` accepts it.
    pub(crate) async fn start(answers: impl Fn(usize) -> &'static str + Send + Sync + 'static) -> Self {
        Self::start_so(Manner { message: Box::new(answers), ..Manner::default() }).await
    }

    /// Answers so.
    pub(crate) async fn start_so(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        let (counter, tried) = watch::channel(0);
        let (came, counter, manner) = (Arc::default(), Arc::new(counter), Arc::new(manner));
        let all = Arc::clone(&came);
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let commands = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            let mut conversations = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (all, counter, manner) = (Arc::clone(&all), Arc::clone(&counter), Arc::clone(&manner));
                let commands = Arc::clone(&commands);
                conversations.spawn(async move {
                    drop(converse(Box::new(stream), (&all, &commands), &counter, &manner).await);
                });
                while conversations.try_join_next().is_some() {}
            }
        });
        Self { port, tried, came, heard, task }
    }

    /// What was accepted.
    pub(crate) fn came(&self) -> Vec<Mailed> {
        self.came.lock().expect("no test panics with it").clone()
    }

    /// Every command that was said.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no test panics with it").clone()
    }

    /// Waits until so many messages were tried.
    pub(crate) async fn tried(&self, count: usize) {
        let mut tried = self.tried.clone();
        let enough = tokio::time::timeout(Duration::from_mins(1), tried.wait_for(|now| *now >= count)).await;
        assert!(enough.is_ok(), "{count} were to come, these were accepted: {:#?}", self.came());
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(
    stream: Box<dyn Stream>,
    (all, commands): (&Mutex<Vec<Mailed>>, &Mutex<Vec<String>>),
    counter: &watch::Sender<usize>,
    manner: &Manner,
) -> std::io::Result<()> {
    let mut tls = manner.tls.clone();
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example ready\r\n").await?;
    let mut mailed = Mailed::default();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        commands.lock().expect("no test panics with it").push(line.trim_end().to_owned());
        let upper = line.to_uppercase();
        let answer = if upper.starts_with("EHLO") {
            match tls {
                Some(_) => "250-mail.example\r\n250-STARTTLS\r\n250-8BITMIME\r\n250 SMTPUTF8",
                None => "250-mail.example\r\n250-AUTH PLAIN\r\n250-8BITMIME\r\n250 SMTPUTF8",
            }
        } else if let Some(acceptor) = tls.take_if(|_| upper.starts_with("STARTTLS")) {
            stream.write_all(b"220 go on\r\n").await?;
            stream.flush().await?;
            let secured = acceptor.accept(stream.into_inner()).await?;
            stream = BufReader::new(Box::new(secured) as Box<dyn Stream>);
            continue;
        } else if upper.starts_with("AUTH") {
            "235 welcome"
        } else if upper.starts_with("MAIL FROM:") {
            mailed = Mailed { from: path(&line), ..Mailed::default() };
            "250 ok"
        } else if upper.starts_with("RCPT TO:") {
            let (to, answer) = (path(&line), (manner.recipient)(&path(&line)));
            if answer.starts_with("250") {
                mailed.to.push(to);
            }
            answer
        } else if upper.starts_with("DATA") {
            stream.write_all(b"354 go on\r\n").await?;
            stream.flush().await?;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                if line == ".\r\n" {
                    break;
                }
                mailed.message.push_str(line.strip_prefix('.').unwrap_or(&line));
            }
            let answer = (manner.message)(*counter.borrow());
            if answer.starts_with("250") {
                all.lock().expect("no test panics with it").push(std::mem::take(&mut mailed));
            }
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
            stream.flush().await?;
            counter.send_modify(|count| *count += 1);
            continue;
        } else if upper.starts_with("QUIT") {
            stream.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else if upper.starts_with("RSET") || upper.starts_with("NOOP") {
            "250 ok"
        } else {
            "502 not here"
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        stream.flush().await?;
    }
}

fn path(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned()).unwrap_or_default()
}
