//! A receiver of webhooks that keeps what came and answers as the test says. Shared by test binaries.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Came {
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) signature: String,
    pub(crate) body: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// What was answered; `None` when nothing was.
    pub(crate) answered: Option<u16>,
}

impl Came {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a webhook's body is JSON")
    }

    /// The header of that name, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Comment and type.
    pub(crate) fn says(&self) -> (String, String) {
        let body = self.json();
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        (text(&body["data"]["id"]), text(&body["type"]))
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// This status.
    Status(u16),
    /// This status, with a header.
    With(u16, String),
    /// This status, late.
    Late(u16, Duration),
    /// The connection is cut.
    Cut,
    /// Nothing, for ever.
    Never,
}

type Answers = dyn Fn(&Came, usize) -> Reply + Send + Sync;

/// See the module. Stops when dropped.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    count: watch::Receiver<usize>,
    came: Arc<Mutex<Vec<Came>>>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Answers by `answers`, which gets what came and how many came before.
    pub(crate) async fn start(answers: impl Fn(&Came, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::on(listener, Arc::default(), Arc::new(answers))
    }

    /// On that listener, adding to what `came` already.
    pub(crate) fn on(listener: TcpListener, came: Arc<Mutex<Vec<Came>>>, answers: Arc<Answers>) -> Self {
        let port = listener.local_addr().expect("it listens").port();
        let (counter, count) = watch::channel(0);
        let counter = Arc::new(counter);
        let all = Arc::clone(&came);
        let task = tokio::spawn(async move {
            // Connections end with the receiver.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&all), Arc::clone(&answers), Arc::clone(&counter)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { port, count, came, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What came so far.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().expect("no test panics with it").clone()
    }

    /// Waits until so many came.
    pub(crate) async fn reached(&self, count: usize) {
        let mut counter = self.count.clone();
        let _ = counter.wait_for(|now| *now >= count).await; // an error means that it has ended
    }

    /// Waits until so many came, and answers them.
    pub(crate) async fn wait(&self, count: usize) -> Vec<Came> {
        let enough = tokio::time::timeout(Duration::from_mins(1), self.reached(count)).await;
        assert!(enough.is_ok(), "{count} were to come, these came: {:#?}", self.came());
        self.came()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    all: Arc<Mutex<Vec<Came>>>,
    answers: Arc<Answers>,
    counter: Arc<watch::Sender<usize>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(mut came) = read(&mut stream).await {
        let reply = {
            let mut all = all.lock().expect("no test panics with it");
            let reply = answers(&came, all.len());
            came.answered = match &reply {
                Reply::Status(status) | Reply::With(status, _) | Reply::Late(status, _) => Some(*status),
                Reply::Cut | Reply::Never => None,
            };
            all.push(came);
            let count = all.len();
            counter.send_replace(count);
            reply
        };
        let (status, header) = match reply {
            Reply::Status(status) => (status, String::new()),
            Reply::With(status, header) => (status, format!("{header}\r\n")),
            Reply::Late(status, by) => {
                tokio::time::sleep(by).await; // what is slow is part of the scene
                (status, String::new())
            }
            Reply::Cut => return,
            Reply::Never => std::future::pending().await,
        };
        let answer = format!("HTTP/1.1 {status} Whatever\r\n{header}content-length: 0\r\n\r\n");
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Came> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut id, mut timestamp, mut signature, mut length) = (String::new(), String::new(), String::new(), 0);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim().to_owned();
        headers.push((name.to_ascii_lowercase(), value.clone()));
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => id = value,
            "webhook-timestamp" => timestamp = value,
            "webhook-signature" => signature = value,
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Came { path, id, timestamp, signature, body, headers, answered: None })
}
