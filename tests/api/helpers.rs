//! A service of the test's own: the real one, on a free port, with a temporary database and a clock that the test sets.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use doorward::app::admin::{Admin, FIRST_SCOPES, SiteSecrets};
use doorward::app::clock::Clock;
use doorward::app::notify::Notifier;
use doorward::app::secrets::Sealer;
use doorward::config::{Config, Print, Read, Source};
use doorward::domain::people::{Reach, Role};
use doorward::domain::service::queues::QueueConfig;
use doorward::domain::site::Scope;
use doorward::domain::store::{AuditEntry, AuditFilter, PageRequest, Store};
use doorward::domain::time::Timestamp;
use doorward::domain::versions::Taken;
use doorward::http::State;
use doorward::startup;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::folder::at_one_moment;

/// 2026-11-24T10:00:00Z.
pub(crate) const START_MS: i64 = 1_795_514_400_000;

#[derive(Clone)]
pub(crate) struct FakeClock(Arc<AtomicI64>);

impl FakeClock {
    pub(crate) fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct TestApp {
    pub(crate) address: String,
    pub(crate) clock: FakeClock,
    pub(crate) client: reqwest::Client,
    pub(crate) key: String,
    pub(crate) token: String,
    pub(crate) inbound_secret: String,
    pub(crate) state: Arc<State>,
    /// Who tries other settings.
    pub(crate) trials: Arc<startup::trial::Processes>,
    pub(crate) sealer: Sealer,
    admin: Admin,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) notifier: Arc<Notifier>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<anyhow::Result<()>>>,
    folder: tempfile::TempDir,
}

impl TestApp {
    /// With the defaults, a site `news` and a moderator.
    pub(crate) async fn spawn() -> Self {
        Self::spawn_with(|_| {}).await
    }

    /// With the defaults as `change` changes them.
    pub(crate) async fn spawn_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.sampling.rate = 0.0; // or every hundredth ordinary comment would wait for a person, in whatever test
        change(&mut config);
        config.place_in(folder.path());
        config.server.workers = 1;
        config.check().unwrap();
        Self::start(folder, config, None).await
    }

    /// With the settings that a file says, which the service follows: [`Self::write_settings`].
    pub(crate) async fn spawn_following(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        Self::start_following(folder).await
    }

    async fn start_following(folder: tempfile::TempDir) -> Self {
        let variables = [("SERVER__WORKERS", "1"), ("SAMPLING__RATE", "0.0"), ("RELOAD__POLL_MS", "10")];
        let variables = variables.map(|(name, value)| (format!("DOORWARD__{name}"), value.to_owned())).to_vec();
        let source = Source::new(Some(&folder.path().join("config.toml")), variables);
        let (print, read) = (source.print(), source.read().unwrap());
        Self::start(folder, read.config.clone(), Some((source, print, read))).await
    }

    /// Puts another text into the place of the settings file, at once.
    pub(crate) fn write_settings(&self, text: &str) {
        self.write_beside("config.toml", text);
    }

    /// Puts a text into a file beside the settings, such as a list that they name, at once.
    pub(crate) fn write_beside(&self, name: &str, text: &str) {
        let beside = self.folder.path().join(format!("{name}.new"));
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, self.folder.path().join(name)).unwrap();
    }

    /// Takes a file beside the settings away.
    pub(crate) fn remove_beside(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    /// Takes the settings file away.
    pub(crate) fn remove_settings(&self) {
        self.remove_beside("config.toml");
    }

    /// Waits until so many configurations are kept: they are in force a moment earlier.
    pub(crate) async fn until_kept(&self, count: usize) -> Vec<Taken> {
        loop {
            let kept = self.store.versions_taken(1_000).await.unwrap();
            if kept.len() >= count {
                return kept;
            }
            tokio::time::sleep(Duration::from_millis(2)).await; // between two looks at the condition
        }
    }

    /// Where the service's files lie.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let waited = async {
            while !is_so(&self.state) {
                tokio::time::sleep(Duration::from_millis(2)).await; // between two looks at the condition
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waited).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
    }

    async fn start(folder: tempfile::TempDir, config: Config, following: Option<(Source, Print, Read)>) -> Self {
        let clock = FakeClock(Arc::new(AtomicI64::new(START_MS)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let key_file = config.secrets.key_file.clone();
        let (ready, state) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let its_clock = clock.clone();
        let thread = std::thread::spawn(move || {
            startup::run_to_end(async move {
                let mut app = startup::assemble(&config, Arc::new(its_clock)).await?;
                if let Some((source, print, read)) = following {
                    app.follow(source, print, Box::new(read)).await;
                }
                app.trials().use_program(env!("CARGO_BIN_EXE_doorward").into()); // this process is a test, and no service
                let _ = ready.send((app.state(), app.notifier(), Arc::clone(app.trials())));
                app.serve(listener, async { drop(stopped.await) }).await
            })
        });
        let (state, notifier, trials) = state.await.expect("the service starts");
        let sealer = Sealer::open(&key_file).unwrap();
        let store = Arc::clone(&state.store);
        let admin = Admin::new(Arc::clone(&store), sealer.clone());
        let (key, inbound_secret) = if store.sites().await.unwrap().is_empty() {
            let made = admin.site_create("news", None, None, clock.now()).await.unwrap();
            admin.user_create("mod@example.org", Role::Moderator, &Reach::ALL, clock.now()).await.unwrap();
            (made.key, made.inbound_secret)
        } else {
            // It was there before.
            (admin.site_key("news", &FIRST_SCOPES, clock.now()).await.unwrap().key, String::new())
        };
        let token = admin.token_create("mod@example.org", clock.now()).await.unwrap().token;
        // A service closes connections that are idle for five seconds. A client whose thread was busy for longer would not hear of it before it sends on such a
        // connection.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0);
        let client = client.build().unwrap();
        Self {
            address,
            clock,
            client,
            key,
            token,
            inbound_secret,
            state,
            trials,
            sealer,
            admin,
            store,
            notifier,
            stop: Some(stop),
            thread: Some(thread),
            folder,
        }
    }

    /// Ends the service, and keeps its folder.
    pub(crate) fn end(mut self) -> tempfile::TempDir {
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// A service over the folder of one that ended, which followed a file.
    pub(crate) async fn again(folder: tempfile::TempDir) -> Self {
        Self::start_following(folder).await
    }

    /// The operator's desk.
    pub(crate) fn admin(&self) -> &Admin {
        &self.admin
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn another_site(&self, name: &str) -> String {
        self.another_site_whole(name).await.key
    }

    pub(crate) async fn another_site_whole(&self, name: &str) -> SiteSecrets {
        self.admin.site_create(name, None, None, self.clock.now()).await.unwrap()
    }

    pub(crate) async fn another_key(&self, scopes: &[Scope]) -> String {
        self.admin.site_key("news", scopes, self.clock.now()).await.unwrap().key
    }

    pub(crate) async fn rotate(&self) -> String {
        self.admin.site_rotate("news", &FIRST_SCOPES, self.clock.now()).await.unwrap().key
    }

    pub(crate) async fn person(&self, email: &str, role: Role) -> String {
        self.admin.user_create(email, role, &Reach::ALL, self.clock.now()).await.unwrap();
        self.admin.token_create(email, self.clock.now()).await.unwrap().token
    }

    /// Another process at the service's database.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.folder.path().join("doorward.db")).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        connection
    }

    /// A person who works on a part.
    pub(crate) async fn person_within(&self, email: &str, role: Role, reach: &Reach) -> String {
        self.admin.user_create(email, role, reach, self.clock.now()).await.unwrap();
        self.admin.token_create(email, self.clock.now()).await.unwrap().token
    }

    pub(crate) async fn key_of(&self, site: &str, scopes: &[Scope]) -> String {
        self.admin.site_key(site, scopes, self.clock.now()).await.unwrap().key
    }

    pub(crate) async fn disable(&self, email: &str) {
        self.admin.user_disable(email, self.clock.now()).await.unwrap();
    }

    /// The record of who did what, newest first.
    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        let page = PageRequest { limit: 500, cursor: None };
        let page = self.store.audit_list(&AuditFilter::default(), &page).await.unwrap();
        page.items.into_iter().map(|line| line.entry).collect()
    }

    /// Everything that is in the database's files now.
    pub(crate) fn database_bytes(&self) -> Vec<u8> {
        at_one_moment(self.folder.path()).into_values().collect::<Vec<_>>().concat()
    }

    pub(crate) fn request(&self, method: Method, path: &str, bearer: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.address));
        if bearer.is_empty() { request } else { request.bearer_auth(bearer) }
    }

    /// As the site.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path, &self.key).json(body).send().await.unwrap()
    }

    /// As the site; the answer must be a success.
    pub(crate) async fn comment(&self, body: &Value) -> Value {
        read(self.post("/v1/comments", body).await, &[200, 201]).await
    }

    /// As the moderator; the answer must be 200.
    pub(crate) async fn review(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let request = self.request(method, path, &self.token);
        let request = if let Some(body) = body { request.json(body) } else { request };
        read(request.send().await.unwrap(), &[200]).await
    }

    /// Many at once, by batch; one answer each.
    pub(crate) async fn batch(&self, comments: &[Value]) -> Vec<Value> {
        let lines: String = comments.iter().map(|comment| format!("{comment}\n")).collect();
        let answer = self.request(Method::POST, "/v1/comments/batch", &self.key).body(lines).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the service does not panic").expect("the service stops cleanly");
            }
        }
    }
}

/// Makes a program of a text. Another process writes it: from this one, a child that another test starts meanwhile would inherit the open file for a moment,
/// and a program that somebody has open for writing cannot be started.
pub(crate) fn write_program(path: &Path, text: &str) {
    let writes = r#"cat > "$0.new" && chmod 755 "$0.new" && mv "$0.new" "$0""#;
    let mut shell = Command::new("sh").arg("-c").arg(writes).arg(path).stdin(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap(); // dropped here: that is the end of the text
    assert!(shell.wait().unwrap().success(), "{} is written", path.display());
}

pub(crate) async fn read(answer: Response, statuses: &[u16]) -> Value {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    assert!(statuses.contains(&status), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// Talk that was never heard before: the same for the same seed.
pub(crate) fn talk(seed: &str) -> String {
    const WORDS: &str = "river bridge market council tram school library garden winter summer neighbour street morning evening children traffic \
        budget museum harbour station ticket lantern kitchen window promise letter village doctor teacher baker driver pilot sailor forest mountain \
        island festival orchestra theatre painter novel journal editor lawyer tenant landlord balcony chimney puddle thunder orchard pumpkin cherry \
        saddle bicycle helmet tunnel ferry anchor compass blanket candle mirror carpet ladder hammer needle button ribbon pocket wallet umbrella \
        puzzle riddle anthem ballot mayor senator treaty border passport luggage platform engine whistle signal carriage timetable weekend holiday \
        birthday wedding grandmother cousin uncle stranger colleague customer waiter chef recipe dumpling noodle pepper cinnamon honey butter flour";
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut state = seed
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        words[usize::try_from(state % words.len() as u64).unwrap()]
    };
    let sentences: [fn(&str, &str, &str, &str) -> String; 8] = [
        |a, b, c, d| format!("I think the {a} matters more than the {b}, {c} or {d}."),
        |a, b, c, d| format!("My {a} once lost a {b} between {c} and {d}!"),
        |a, b, c, d| format!("Does anybody ask the {a} whether {b} needs {c} and {d}?"),
        |a, b, c, d| format!("We had {a}, {b} and {c} there long before any {d} came."),
        |a, b, c, d| format!("Honestly, {a} with {b} beats {c} without {d} any day."),
        |a, b, c, d| format!("They promised us {a} and {b}; all we got was {c} next to {d}."),
        |a, b, c, d| format!("If {a} were cheaper than {b}, nobody would want {c} from the {d}."),
        |a, b, c, d| format!("Read the {a} again: it says {b}, not {c}, and never {d}."),
    ];
    let count = sentences.len();
    let mut parts = Vec::new();
    for step in 0..3 {
        let which = (seed.bytes().map(usize::from).sum::<usize>() * 5 + step * 3 + next().len()) % count;
        parts.push(sentences[which](next(), next(), next(), next()));
    }
    parts.join(" ")
}

/// An ordinary comment, each of its own author, about the page.
pub(crate) fn ordinary(id: &str) -> Value {
    json!({
        "id": id,
        "article": {"id": "lanes", "title": "Council approves cycle lanes", "text": "The lanes along the river connect the station with the harbour. The council voted on Tuesday.", "section": "city", "lang": "en"},
        "author": {"id": format!("u-{id}"), "name": "Anna"},
        "body": talk(id),
    })
}

/// A comment that is held for what it says, and is too short to count as said before.
pub(crate) fn doubtful(id: &str) -> Value {
    let mut comment = ordinary(id);
    comment["body"] = json!(format!("buy viagra {id}"));
    comment
}

/// A named queue that takes everything.
pub(crate) fn queue(name: &str, answer_within_min: u32) -> QueueConfig {
    QueueConfig { name: name.to_owned(), answer_within_min, ..QueueConfig::default() }
}

pub(crate) fn signal<'a>(comment: &'a Value, id: &str) -> Option<&'a Value> {
    comment["verdict"]["signals"]
        .as_array()
        .unwrap()
        .iter()
        .find(|signal| signal["id"] == id && signal["outcome"] == "hit")
}

/// Whether the terms of every category add up to its score, as a client would compute it.
pub(crate) fn assert_adds_up(verdict: &Value) {
    for category in ["spam", "off-topic", "abuse"] {
        let of = |list: &str| {
            verdict[list]
                .as_array()
                .unwrap()
                .iter()
                .filter(|term| term["category"] == category)
                .cloned()
                .collect::<Vec<_>>()
        };
        let live = of("signals")
            .into_iter()
            .filter(|signal| signal["mode"] == "live")
            .map(|signal| signal["log_odds"].as_f64().unwrap());
        let adjustments = of("adjustments").into_iter().map(|term| term["log_odds"].as_f64().unwrap());
        let model = verdict["model"]["log_odds"][category].as_f64().unwrap_or(0.0);
        let sum: f64 =
            verdict["prior"][category].as_f64().unwrap() + live.sum::<f64>() + adjustments.sum::<f64>() + model;
        let score = verdict["scores"][category].as_f64().unwrap();
        assert!((1.0 / (1.0 + (-sum).exp()) - score).abs() < 1e-9, "{category}: {sum} is not {score}");
    }
}
