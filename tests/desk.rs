//! What operators do at the command line, with the real binary: people, tokens, the record of who did what, the key of secrets.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use doorward::app::rotation;
use doorward::app::secrets::Sealer;
use doorward::config::Config;
use doorward::domain::time::Timestamp;
use doorward::startup;
use serde_json::{Value, json};

struct Desk {
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("config.toml");
        std::fs::write(&config, "[database]\nurl = \"sqlite:desk.db\"\n").expect("writable");
        Self { folder, config }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.arg("--config").arg(&self.config).args(arguments).output().expect("the binary runs")
    }

    /// Standard output, line by line as JSON.
    fn told(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
    }

    /// The exit code, and what was said about it.
    fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        (output.status.code().expect("an exit code"), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("doorward.key")
    }

    fn keys(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.key_file()).expect("the key file is there");
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn accounts_are_made_changed_and_listed() {
    let desk = Desk::new();
    desk.told(&["site", "create", "news", "--json"]);
    let made = desk.told(&["user", "create", "ada@example.org", "--role", "admin", "--json"]);
    assert_eq!(made[0]["password"].as_str().expect("a password").len(), 24);
    let create = ["user", "create", "ben@example.org", "--role", "moderator", "--sites", "news", "--langs", "en,de"];
    assert!(desk.run(&create).status.success());
    let ben =
        json!({"email": "ben@example.org", "role": "moderator", "reach": {"sites": ["news"], "langs": ["en", "de"]}});
    assert_eq!(desk.told(&["user", "list", "--json"])[1], ben);
    let changed = desk.told(&["user", "change", "ben@example.org", "--langs", "all", "--sections", "sport", "--json"]);
    assert_eq!(changed[0]["reach"], json!({"sites": ["news"], "sections": ["sport"]}), "what is not given stays");
    let changed = desk.told(&["user", "change", "ben@example.org", "--role", "auditor", "--json"]);
    assert_eq!((&changed[0]["role"], &changed[0]["reach"]["sections"]), (&json!("auditor"), &json!(["sport"])));
    for (arguments, code, said) in [
        (["user", "change", "ben@example.org", "--sites", "nwes"], 1, "no site `nwes`"),
        (["user", "change", "ben@example.org", "--langs", "en,,de"], 2, "empty name"),
        (["user", "change", "none@example.org", "--role", "admin"], 1, "no open account"),
        (["user", "change", "ben@example.org", "--role", "boss"], 2, "admin, operator, moderator or auditor"),
    ] {
        let (found, text) = desk.refused(&arguments);
        assert!(found == code && text.contains(said), "{arguments:?}: {found}: {text}");
    }
    let token =
        desk.told(&["token", "create", "ada@example.org", "--json"])[0]["token"].as_str().expect("a token").to_owned();
    desk.told(&["token", "create", "ada@example.org", "--json"]);
    let tokens = desk.told(&["token", "list", "ada@example.org", "--json"]);
    assert_eq!(tokens.len(), 2);
    assert!(!format!("{tokens:?}").contains(&token), "the token itself is not stored");
    let id = tokens[0]["id"].as_str().expect("an id");
    desk.told(&["token", "revoke", "ada@example.org", id, "--json"]);
    assert_eq!(desk.told(&["token", "list", "--json"]).len(), 1);
    assert_eq!(desk.refused(&["token", "revoke", "ada@example.org", id]).0, 1, "it is gone");
    assert!(desk.run(&["user", "disable", "ada@example.org"]).status.success());
    assert_eq!(desk.told(&["user", "list", "--json"]).len(), 1);
    assert!(desk.told(&["token", "list", "--json"]).is_empty());
}

#[test]
fn the_record_is_verified_and_exported() {
    let desk = Desk::new();
    desk.told(&["site", "create", "news", "--json"]);
    let before = desk.told(&["audit", "verify", "--json"])[0].clone();
    assert_eq!((&before["whole"], &before["lines"]), (&json!(true), &json!(1)));
    let head = before["head"].as_str().expect("a head");
    desk.told(&["site", "key", "news", "--json"]);
    desk.told(&["site", "create", "blog", "--json"]);
    assert!(desk.run(&["audit", "verify", "--head", head]).status.success());
    let (code, said) = desk.refused(&["audit", "verify", "--head", &"7".repeat(64)]);
    assert!(code == 1 && said.contains("none has the given hash"), "{code}: {said}");
    assert_eq!(desk.refused(&["audit", "verify", "--head", "abc"]).0, 2);
    let lines = desk.told(&["audit", "export"]);
    let actions: Vec<&str> = lines.iter().map(|line| line["action"].as_str().expect("an action")).collect();
    assert_eq!(actions, ["site.create", "site.key.add", "site.create"]);
    assert_eq!(
        (&lines[0]["number"], &lines[0]["hash"], &lines[0]["actor"]),
        (&json!(1), &json!(head), &json!("console"))
    );
    assert!(desk.told(&["audit", "export", "--since", "2999-01-01T00:00:00Z"]).is_empty());
    assert_eq!(desk.refused(&["audit", "export", "--since", "yesterday"]).0, 2);

    let database = rusqlite::Connection::open(desk.folder.path().join("desk.db")).expect("the database opens");
    let forge = "DROP TRIGGER audit_is_never_changed; UPDATE audit SET subject = 'shop' WHERE id = 2;";
    database.execute_batch(forge).expect("the file can be changed by whoever owns it");
    drop(database);
    let (code, said) = desk.refused(&["audit", "verify"]);
    assert!(code == 1 && said.contains("line 2"), "{code}: {said}");
}

#[test]
fn the_key_is_rotated_and_everything_opens_with_the_new_one_alone() {
    let desk = Desk::new();
    let site = desk.told(&["site", "create", "news", "--json"])[0].clone();
    desk.told(&["site", "create", "blog", "--json"]);
    let serving = Sealer::open(&desk.key_file()).expect("the key opens"); // as a running service has it
    let old = desk.keys();
    assert_eq!(desk.told(&["secrets", "rotate", "--json"])[0], json!({"sites": 2, "resumed": false}));
    let new = desk.keys();
    assert_eq!((old.len(), new.len()), (1, 1));
    assert_ne!(old, new);
    assert_only_owner_reads(&desk.key_file());
    assert_eq!(secret(&desk, &serving, "news"), site["webhook_secret"], "a running service goes on");
    assert_eq!(secret(&desk, &Sealer::open(&desk.key_file()).expect("the key opens"), "news"), site["webhook_secret"]);
    let actions = desk.told(&["audit", "export"]);
    assert_eq!(actions.last().map(|line| &line["action"]), Some(&json!("secrets.reseal")));

    // A rotation that died after its first step: both keys are there, everything opens, and the next one ends it.
    let begun = Sealer::open(&desk.key_file()).expect("the key opens");
    drop(begun.begin_rotation().expect("it begins"));
    assert_eq!(desk.keys().len(), 2);
    assert_only_owner_reads(&desk.key_file());
    assert_eq!(secret(&desk, &begun, "news"), site["webhook_secret"]);
    let shop = desk.told(&["site", "create", "shop", "--json"])[0].clone(); // works meanwhile, with the new key
    assert_eq!(desk.told(&["secrets", "rotate", "--json"])[0], json!({"sites": 2, "resumed": true}));
    assert_eq!(desk.keys().len(), 1);
    let later = Sealer::open(&desk.key_file()).expect("the key opens");
    assert_eq!(secret(&desk, &later, "news"), site["webhook_secret"]);
    assert_eq!(secret(&desk, &later, "shop"), shop["webhook_secret"]);

    // With another key nothing is written over.
    std::fs::write(desk.key_file(), old.concat()).expect("writable");
    let before = std::fs::read(desk.key_file()).expect("readable");
    let (code, said) = desk.refused(&["secrets", "rotate"]);
    assert!(code == 1 && said.contains("does not open"), "{code}: {said}");
    assert_eq!(std::fs::read(desk.key_file()).expect("readable"), before, "the file is as it was");
}

/// What another command seals while a rotation looks elsewhere is found.
#[test]
fn what_comes_in_between_is_sealed_anew_too() {
    let desk = Desk::new();
    desk.told(&["site", "create", "news", "--json"]);
    let config = Config::read(Some(&desk.config), &[]).expect("valid");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = startup::open_store(&config).await.expect("the database opens");
        let sealer = Sealer::open(&desk.key_file()).expect("the key opens");
        let old = sealer.seal("news", "webhook", "whsec_late").expect("sealed");
        let now = Timestamp::EPOCH;
        drop(sealer.begin_rotation().expect("it begins"));
        sealer.end_rotation().expect("it ends"); // the file has forgotten the old key
        let kind = doorward::domain::store::SecretKind::Webhook;
        assert!(store.site_secret_rotate("news", kind, old, now, now).await.expect("stored"));
        rotation::rotate(&*store, &sealer, now).await.expect("whoever began it knows the old key");
        store.close().await;
    });
    assert_eq!(secret(&desk, &Sealer::open(&desk.key_file()).expect("the key opens"), "news"), "whsec_late");
}

fn secret(desk: &Desk, sealer: &Sealer, site: &str) -> String {
    let config = Config::read(Some(&desk.config), &[]).expect("valid");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let stored = runtime.block_on(async {
        let store = startup::open_store(&config).await.expect("the database opens");
        let stored = store.site_secrets(site).await.expect("the store answers").expect("there is such a site");
        store.close().await;
        stored
    });
    sealer.unseal(site, "webhook", &stored.webhook).expect("it opens")
}

fn assert_only_owner_reads(path: &Path) {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}
