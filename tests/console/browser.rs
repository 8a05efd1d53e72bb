//! A browser of the test's own, with a moderator signed in.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};

/// How long anything may take to show: generous, because waiting ends when it is there.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// chromedriver, ended with the test.
pub(crate) struct Driver {
    process: Child,
    address: String,
}

impl Driver {
    /// `None`, loudly, where there is none and none is required.
    pub(crate) fn start() -> Option<Self> {
        let started = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = match started {
            Ok(process) => process,
            Err(error) => {
                let required = std::env::var("DOORWARD_BROWSER").is_ok_and(|value| value == "required");
                assert!(!required, "chromedriver cannot be started: {error}");
                eprintln!("\n*** SKIPPED: no chromedriver ({error}); the console was NOT tested in a browser ***\n");
                return None;
            }
        };
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.contains("started successfully on port")
                .then(|| line.trim_end_matches('.').rsplit(' ').next().map(str::to_owned))?
        });
        std::thread::spawn(move || lines.for_each(drop)); // or it would block on a full pipe
        let port = port.expect("chromedriver says its port");
        Some(Self { process, address: format!("http://127.0.0.1:{port}") })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One window.
pub(crate) struct Browser {
    client: Client,
    /// Where the service is.
    origin: String,
}

/// A command of the DevTools protocol.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}

impl Browser {
    /// Opens one that looks at `origin`.
    pub(crate) async fn open(driver: &Driver, origin: &str) -> Self {
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1280,900",
            "--lang=en",
        ];
        let options = json!({"args": arguments, "prefs": {"intl.accept_languages": "en"}});
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({"browser": "ALL"}));
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&driver.address).await;
        Self { client: client.expect("the browser starts"), origin: origin.to_owned() }
    }

    /// Closes it.
    pub(crate) async fn close(self) {
        self.client.close().await.expect("the browser closes");
    }

    /// The window itself, for what has no word here.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) async fn goto(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.origin)).await.expect("the page loads");
    }

    /// The path with its query.
    pub(crate) async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.as_str().trim_start_matches(&self.origin).to_owned()
    }

    /// Waits until something matches.
    pub(crate) async fn find(&self, css: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("no {css} on {}: {error}\n{}", self.path().await, self.text("body").await),
        }
    }

    pub(crate) async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// The text that is shown in it now; empty when there is none.
    pub(crate) async fn text(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        self.run(script, vec![json!(css)]).await.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", vec![json!(css)]).await;
        element.click().await.unwrap_or_else(|error| panic!("{css} cannot be clicked: {error}"));
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses keys, wherever the focus is. Capital letters are shifted.
    pub(crate) async fn press(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    pub(crate) async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until the script's value is true.
    pub(crate) async fn until(&self, what: &str, script: &str) {
        let script = format!("return Boolean({script})");
        let until = Instant::now() + PATIENCE;
        while self.run(&script, vec![]).await != json!(true) {
            assert!(Instant::now() < until, "never: {what}, on {}\n{}", self.path().await, self.text("body").await);
            tokio::task::yield_now().await; // each question takes its round trip to the browser
        }
    }

    pub(crate) async fn until_text(&self, css: &str, part: &str) {
        let script = format!("document.querySelector({})?.innerText.includes({})", json!(css), json!(part));
        self.until(&format!("{css} says {part:?}"), &script).await;
    }

    /// A command of the DevTools protocol.
    pub(crate) async fn devtools(&self, name: &str, parameters: Value) -> Value {
        let command = DevTools(json!({"cmd": name, "params": parameters}));
        self.client.issue_cmd(command).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The size of the page, and whether it is dark.
    pub(crate) async fn look(&self, width: u32, height: u32, dark: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Everything of the page, as a picture among the test run's.
    pub(crate) async fn picture(&self, name: &str) {
        let shot =
            self.devtools("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true})).await;
        let bytes =
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, shot["data"].as_str().unwrap()).unwrap();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/console-pictures");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// What axe-core (npm) finds of serious or critical problems, a line each.
    pub(crate) async fn axe(&self) -> Vec<String> {
        let Some(axe) = axe() else { return Vec::new() };
        self.run(axe, vec![]).await;
        let script = "const done = arguments[arguments.length - 1]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations), e => done([{id: String(e), impact: 'critical', nodes: []}]))";
        let found = self.client.execute_async(script, vec![]).await.expect("axe runs");
        let found = found.as_array().expect("a list").clone();
        let grave =
            found.iter().filter(|one| ["serious", "critical"].contains(&one["impact"].as_str().unwrap_or_default()));
        let line = |one: &Value| {
            let nodes = one["nodes"].as_array().map(|nodes| {
                nodes
                    .iter()
                    .take(4)
                    .map(|node| node["html"].as_str().unwrap_or_default().to_owned())
                    .collect::<Vec<_>>()
            });
            format!("{}: {} {:?}", one["id"], one["help"], nodes.unwrap_or_default())
        };
        grave.map(line).collect()
    }

    /// What the browser's console holds of errors: a blocked script is one, and an exception.
    pub(crate) async fn errors(&self) -> Vec<String> {
        let log = self.client.issue_cmd(Log).await.unwrap();
        let lines = log.as_array().cloned().unwrap_or_default();
        lines
            .iter()
            .filter(|line| line["level"] == "SEVERE")
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

#[derive(Debug)]
struct Log;

impl WebDriverCompatibleCommand for Log {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}

/// axe-core's script, where `scripts/test` put it; `None`, loudly, when it is not there and not required.
fn axe() -> Option<&'static str> {
    static AXE: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/axe/package/axe.min.js");
        let read = std::fs::read_to_string(&path);
        let required = std::env::var("DOORWARD_AXE").is_ok_and(|value| value == "required");
        assert!(read.is_ok() || !required, "{} is not there", path.display());
        if read.is_err() {
            eprintln!("\n*** SKIPPED: no axe-core; accessibility was NOT checked ***\n");
        }
        read.ok()
    });
    AXE.as_deref()
}
