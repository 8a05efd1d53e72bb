//! Comments of other systems, brought in by the real binary: complete and exact, whatever stops it; and nothing of a hostile file gets in.

#[path = "support/exports.rs"]
mod exports;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use doorward::domain::time::Timestamp;
use exports::{Comment, Was, comment};
use flate2::Compression;
use flate2::write::GzEncoder;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

/// An installation with one site, `news`.
struct Place {
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Place {
    fn new() -> Self {
        Self::with("[privacy]\nhash_addresses_after_days = 0\n")
    }

    fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("config.toml");
        let text = format!("[database]\nurl = \"sqlite:import.db\"\nbusy_timeout_ms = 60000\n{more}");
        std::fs::write(&config, text).expect("writable");
        let place = Self { folder, config };
        place.told(&["site", "create", "news", "--json"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).expect("writable");
        self.path(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.arg("--config").arg(&self.config).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// What it says, as JSON.
    fn told(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("a record in JSON")
    }

    fn import(&self, format: &str, file: &Path, more: &[&str]) -> Value {
        self.told(&[&["import", format, &text(file), "--site", "news", "--json"], more].concat())
    }

    /// Everything, as it is written out.
    fn export(&self) -> Vec<u8> {
        let output = self.run(&["export", "--site", "news"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The comments, as they are written out.
    fn comments(&self) -> Vec<Value> {
        let lines = self.export();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(&line.expect("UTF-8")).expect("JSON"));
        lines.filter(|line| line["comment"].is_object()).collect()
    }

    fn database(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(self.path("import.db"), flags).expect("the database is there")
    }

    /// Brings a file in, and kills that when so many of its entries are in and the others are not.
    fn import_until_killed(&self, format: &str, file: &Path, batch: u64, entries: u64) {
        let path = text(file);
        let arguments = ["import", format, &path, "--site", "news", "--batch", &batch.to_string(), "--json"];
        let mut process =
            self.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let database = self.database();
        database.busy_timeout(std::time::Duration::ZERO).expect("settable");
        let got = || {
            let read = "SELECT position, done_at IS NOT NULL FROM import_file WHERE format = ?1";
            database.query_row(read, [format], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, bool>(1)?)))
        };
        loop {
            assert!(running(&mut process), "it ended before it was killed");
            std::thread::park_timeout(std::time::Duration::from_millis(1)); // between two looks: it has work to do
            if !got().is_ok_and(|(position, _)| position >= entries) {
                continue;
            }
            // With the write lock in our hands nothing more gets in: what is seen now is what the kill leaves.
            if database.execute_batch("BEGIN IMMEDIATE").is_ok() {
                assert!(got().is_ok_and(|(_, done)| !done), "it was done before it was killed");
                break;
            }
        }
        process.kill().expect("SIGKILL can be sent");
        process.wait().expect("the process can be waited for");
        database.execute_batch("ROLLBACK").expect("rolled back");
    }
}

fn running(process: &mut Child) -> bool {
    process.try_wait().expect("the process can be asked").is_none()
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

/// A format that files of any size are written in.
#[derive(Clone, Copy)]
enum Generated {
    Wordpress,
    Disqus,
}

impl Generated {
    const BOTH: [Self; 2] = [Self::Wordpress, Self::Disqus];

    const fn name(self) -> &'static str {
        match self {
            Self::Wordpress => "wordpress",
            Self::Disqus => "disqus",
        }
    }

    fn write(self, comments: u64, path: &Path) {
        let mut out = BufWriter::new(File::create(path).expect("writable"));
        match self {
            Self::Wordpress => exports::wordpress(comments, &mut out).expect("written"),
            Self::Disqus => exports::disqus(comments, &mut out).expect("written"),
        }
        out.flush().expect("written");
    }

    fn article(self, number: u64) -> String {
        match self {
            Self::Wordpress => number.to_string(),
            Self::Disqus => format!("page-{number}"),
        }
    }

    /// The comment as it has to be written out.
    fn expected(self, comment: &Comment) -> Value {
        let at = Timestamp::from_millis(comment.at_ms).to_string();
        let mut author = json!({"name": comment.name, "email": comment.email, "ip": comment.ip});
        if let Some(account) = &comment.account {
            author["id"] = json!(account);
        }
        let mut inner = json!({
            "id": comment.number.to_string(),
            "article": {"id": self.article(comment.article)},
            "author": author,
            "body": comment.body,
            "format": "html",
            "created_at": at,
        });
        if let Some(parent) = comment.parent {
            inner["parent_id"] = json!(parent.to_string());
        }
        let mut line =
            json!({"comment": inner, "status": comment.was.status(), "decided_by": "rule", "received_at": at});
        match comment.was {
            Was::Approved => line["label"] = json!({"spam": false, "abuse": false}),
            Was::Spam => line["label"] = json!({"spam": true}),
            Was::Pending | Was::Deleted => {}
        }
        line
    }

    /// Compares everything that is there with what the file says, comment by comment.
    fn assert_whole(self, place: &Place, comments: u64) {
        let mut process = place.command(&["export", "--site", "news"]).stdout(Stdio::piped()).spawn().expect("it runs");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let (mut articles, mut number) = (0, 0);
        for line in lines {
            let line: Value = serde_json::from_str(&line.expect("UTF-8")).expect("JSON");
            if line["article"].is_object() {
                articles += 1;
            }
            if line["comment"].is_object() {
                number += 1;
                assert_eq!(line, self.expected(&comment(number)), "comment {number}");
            }
        }
        assert!(process.wait().expect("it ends").success());
        assert_eq!((articles, number), (exports::articles(comments), comments), "articles and comments");
    }

    /// Brings in a file of so many comments that is killed half-way, and goes on with it; says what that took.
    #[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it is run for its figures: time and memory")]
    fn killed_half_way(self, comments: u64) {
        let place = Place::new();
        let file = place.path("export.xml");
        self.write(comments, &file);
        let bytes = std::fs::metadata(&file).expect("the file is there").len();
        let begun = Instant::now();
        place.import_until_killed(self.name(), &file, 500, comments / 2);
        let path = text(&file);
        let arguments = ["import", self.name(), &path, "--site", "news", "--json"];
        let mut process = place.command(&arguments).stdout(Stdio::piped()).spawn().expect("the binary runs");
        let status = format!("/proc/{}/status", process.id());
        let mut most = String::new();
        while running(&mut process) {
            let status = std::fs::read_to_string(&status).unwrap_or_default();
            most = status.lines().find(|line| line.starts_with("VmHWM")).map_or(most, str::to_owned);
            std::thread::sleep(std::time::Duration::from_millis(50)); // between two looks at its memory
        }
        let output = process.wait_with_output().expect("it ended");
        assert!(output.status.success());
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        println!(
            "{}: {comments} comments, {} MB: {:.0} s with the half before the kill, {} s after it; {most}",
            self.name(),
            bytes >> 20,
            begun.elapsed().as_secs_f64(),
            told["seconds"],
        );
        assert_eq!((&told["import"]["stored"], &told["resumed"]), (&json!(comments), &json!(true)), "{told}");
        self.assert_whole(&place, comments);
    }
}

/// What so many comments were.
fn states(comments: u64) -> BTreeMap<&'static str, u64> {
    let mut states = BTreeMap::new();
    for number in 1..=comments {
        *states.entry(comment(number).was.status()).or_default() += 1;
    }
    states
}

#[test]
fn a_file_is_brought_in_whole_and_a_second_time_changes_nothing() {
    const COMMENTS: u64 = 2_000;
    for format in Generated::BOTH {
        let place = Place::new();
        let file = place.path("export.xml");
        format.write(COMMENTS, &file);
        let looked = place.import(format.name(), &file, &["--dry-run"]);
        assert_eq!(looked["report"]["comments"], json!(states(COMMENTS)));
        assert_eq!(looked["report"]["articles"], exports::articles(COMMENTS));
        assert_eq!(looked["report"]["skipped"], json!({}));
        assert!(looked["import"].is_null());
        assert!(place.comments().is_empty(), "a dry run brings nothing in");
        let told = place.import(format.name(), &file, &[]);
        assert_eq!((&told["import"]["stored"], &told["resumed"]), (&json!(COMMENTS), &json!(false)), "{told}");
        format.assert_whole(&place, COMMENTS);
        let waiting: u64 =
            place.database().query_row("SELECT count(*) FROM queue", [], |row| row.get(0)).expect("read");
        assert_eq!(waiting, states(COMMENTS)["held"], "only what waited there waits here");
        let before = place.export();
        let again = place.import(format.name(), &file, &[]);
        assert_eq!((&again["before"], &again["import"]), (&json!(true), &told["import"]));
        assert_eq!(place.export(), before);
    }
}

#[test]
fn an_import_that_is_killed_half_way_goes_on_and_is_complete_and_exact() {
    const COMMENTS: u64 = 2_000;
    for format in Generated::BOTH {
        let place = Place::new();
        let file = place.path("export.xml");
        format.write(COMMENTS, &file);
        place.import_until_killed(format.name(), &file, 10, 700);
        let half = place.comments().len() as u64;
        assert!(half < COMMENTS, "{half} of {COMMENTS}");
        place.import_until_killed(format.name(), &file, 30, 1_400);
        let told = place.import(format.name(), &file, &[]);
        assert_eq!(told["resumed"], true);
        assert_eq!(told["import"]["stored"], COMMENTS, "{told}");
        assert_eq!(told["import"]["known"], 0);
        format.assert_whole(&place, COMMENTS);
        let output = place.run(&["audit", "verify"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
#[ignore = "a file of 200,000 comments: minutes"]
fn two_hundred_thousand_comments_of_wordpress_killed_half_way_are_complete_and_exact() {
    Generated::Wordpress.killed_half_way(200_000);
}

#[test]
#[ignore = "a file of 200,000 comments: minutes"]
fn two_hundred_thousand_comments_of_disqus_killed_half_way_are_complete_and_exact() {
    Generated::Disqus.killed_half_way(200_000);
}

#[test]
fn what_is_written_out_is_read_again_as_it_was() {
    let here = Place::new();
    let file = here.path("export.xml");
    Generated::Wordpress.write(300, &file);
    here.import("wordpress", &file, &[]);
    let hand_made = [
        json!({"article": {"id": "a b", "url": "https://news.example/a", "title": "T", "text": "Text\nof it.", "tags": ["x", "y"],
            "section": "Town", "lang": "de"}}),
        json!({"comment": {"id": "h-1", "article": {"id": "a b", "section": "Town", "url": "https://news.example/a"}, "body": "Plain text.\u{1f600}",
            "author": {"id": "u", "name": "N", "url": "https://u.example", "user_agent": "Mozilla", "role": "member",
                "registered_at": "2020-01-01T00:00:00Z"},
            "honeypot": "", "typing_ms": 5, "referrer": "https://r.example"},
            "status": "rejected", "decided_by": "person", "received_at": "2024-05-05T05:05:05.678Z", "label": {"abuse": true}}),
        json!({"comment": {"id": "h-2", "article": {"id": "a b"}, "body": "*Mark*down", "format": "markdown", "parent_id": "h-1",
            "created_at": "2024-05-05T05:05:04Z"}, "received_at": "2024-05-05T05:05:06Z"}),
    ];
    let lines: String = hand_made.iter().map(|line| format!("{line}\n")).collect();
    let told = here.import("ndjson", &here.file("hand.ndjson", lines), &[]);
    assert_eq!((&told["import"]["stored"], &told["import"]["articles"]), (&json!(2), &json!(1)), "{told}");
    let exported = here.export();
    let there = Place::new();
    let told = there.import("ndjson", &there.file("export.ndjson", &exported), &[]);
    assert_eq!(told["report"]["skipped"], json!({}), "{told}");
    assert_eq!(told["import"]["stored"], 302);
    assert_eq!(String::from_utf8(there.export()), String::from_utf8(exported.clone()));
    let out = there.path("out.ndjson");
    assert!(there.run(&["export", "--site", "news", "--out", &text(&out)]).status.success());
    assert_eq!(std::fs::read(&out).expect("written"), exported);
    let secrets = String::from_utf8(exported).expect("UTF-8");
    assert!(!secrets.contains("whsec_"), "no secret is written out");
}

#[cfg(unix)]
#[test]
fn an_export_is_for_its_owner_alone_whatever_lay_in_its_place() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let place = Place::new();
    let (out, part) = (place.path("out.ndjson"), place.path("out.ndjson.part"));
    let rights = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    std::fs::write(&part, "left by one that was stopped").expect("writable");
    std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o644)).expect("settable");
    assert!(place.run(&["export", "--site", "news", "--out", &text(&out)]).status.success());
    assert_eq!((rights(&out), std::fs::read(&out).expect("written")), (0o600, place.export()));
    let other = place.file("other", "of somebody else");
    symlink(&other, &part).expect("a link");
    assert!(place.run(&["export", "--site", "news", "--out", &text(&out)]).status.success());
    assert_eq!(std::fs::read(&other).expect("there"), b"of somebody else");
    assert_eq!((rights(&out), std::fs::read(&out).expect("written")), (0o600, place.export()));
}

#[test]
fn a_backup_of_remark42_is_read_packed_as_it_is() {
    let place = Place::new();
    let user = json!({"name": "Ann", "id": "github_ann", "picture": "", "ip": "d5f1c0", "admin": false});
    let locator = json!({"site": "blog", "url": "https://blog.example/one"});
    let line = |id: &str, pid: &str, orig: &str, deleted: bool| {
        json!({"id": id, "pid": pid, "text": format!("<p>{orig}</p>\n"), "orig": orig, "user": user, "locator": locator, "score": 0,
            "votes": {}, "time": "2021-03-04T05:06:07.123456789-05:00", "delete": deleted, "title": "One"})
    };
    let lines = [
        json!({"version": 1, "users": [], "posts": []}),
        line("c1", "", "It **was** so.", false),
        line("c2", "c1", "It was not.", false),
        line("c3", "gone", "", true),
        line("c4", "gone", "I take that back.", true),
    ];
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    for line in &lines {
        writeln!(packed, "{line}").expect("packed");
    }
    writeln!(packed, "{{\"id\": 7").expect("packed");
    let file = place.file("backup.gz", packed.finish().expect("packed"));
    let told = place.import("remark42", &file, &[]);
    assert_eq!(told["report"]["skipped"], json!({"without text": 1, "not readable": 1}));
    assert_eq!(told["report"]["answers_to_missing"], 1);
    assert_eq!(told["import"]["stored"], 3);
    let comments = place.comments();
    let found: Vec<_> =
        comments.iter().map(|line| (&line["comment"]["id"], &line["status"], line["label"].is_object())).collect();
    assert_eq!(
        found,
        [
            (&json!("c1"), &json!("approved"), true),
            (&json!("c2"), &json!("approved"), true),
            (&json!("c4"), &json!("rejected"), false)
        ]
    );
    assert_eq!(comments[0]["comment"]["body"], "It **was** so.");
    assert_eq!(comments[0]["comment"]["format"], "markdown");
    assert_eq!(comments[0]["received_at"], "2021-03-04T10:06:07.123Z");
    assert_eq!(comments[0]["comment"]["author"], json!({"id": "github_ann", "name": "Ann"}));
    assert_eq!(comments[1]["comment"]["parent_id"], "c1");
}

#[test]
fn the_database_of_isso_is_read_whatever_its_columns_hold() {
    let place = Place::new();
    let file = place.path("comments.db");
    let isso = Connection::open(&file).expect("a database");
    isso.execute_batch(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE threads (id INTEGER PRIMARY KEY, uri VARCHAR(256) UNIQUE, title VARCHAR(256));
         CREATE TABLE comments (tid REFERENCES threads(id), id INTEGER PRIMARY KEY, parent INTEGER, created FLOAT NOT NULL, modified FLOAT,
            mode INTEGER, remote_addr VARCHAR, text VARCHAR NOT NULL, author VARCHAR, email VARCHAR, website VARCHAR,
            likes INTEGER DEFAULT 0, dislikes INTEGER DEFAULT 0, voters BLOB NOT NULL, notification INTEGER DEFAULT 0);
         INSERT INTO threads VALUES (1, '/one.html', 'One'), (2, 'https://blog.example/two', NULL);
         INSERT INTO comments (tid, id, parent, created, mode, remote_addr, text, author, email, website, voters) VALUES
            (1, 1, NULL, 1500000000.25, 1, '192.0.2.0', 'Shown, *of course*.', 'Ann', 'ann@mail.example', NULL, x''),
            (1, 2, 1, 1500000100, 2, '2001:db8::', 'Waits.', NULL, NULL, 'https://u.example', x''),
            (1, 3, 1, 1500000200, 4, '192.0.2.0', '', NULL, NULL, NULL, x''),
            (2, 4, NULL, 1500000300, 1, 'nowhere', 'Shown.', 'Bob', NULL, NULL, x''),
            (9, 5, NULL, 1500000400, 1, '192.0.2.0', 'Under nothing.', NULL, NULL, NULL, x''),
            (2, 6, NULL, 'yesterday', 1, '192.0.2.0', 'Without a date.', NULL, NULL, NULL, x''),
            (2, 7, NULL, 1e300, 1, '192.0.2.0', 'At the end of days.', NULL, NULL, NULL, x''),
            (2, 8, NULL, 1500000500, 77, '192.0.2.0', 'In no state.', NULL, NULL, NULL, x''),
            (2, 9, NULL, 1500000600, 1, '192.0.2.0', x'ff00ff', NULL, NULL, NULL, x'');",
    )
    .expect("made");
    drop(isso);
    let told = place.import("isso", &file, &[]);
    let left_out = json!({"without text": 2, "under no article": 1, "without a date": 1, "with a date that cannot be": 1,
        "in a state that is not known": 1});
    assert_eq!(told["report"]["skipped"], left_out);
    assert_eq!(told["report"]["fields_left_out"], 1, "an address that is none");
    assert_eq!(told["report"]["examples"][0], "comment 3: holds no text");
    let comments = place.comments();
    let found: Vec<_> = comments.iter().map(|line| (&line["comment"]["id"], &line["status"])).collect();
    let wanted = [("1", "approved"), ("2", "held"), ("4", "approved")].map(|(id, status)| (json!(id), json!(status)));
    assert_eq!(found, wanted.iter().map(|(id, status)| (id, status)).collect::<Vec<_>>());
    assert_eq!(comments[0]["received_at"], "2017-07-14T02:40:00.25Z");
    assert_eq!(
        comments[0]["comment"]["author"],
        json!({"name": "Ann", "email": "ann@mail.example", "ip": "192.0.2.0"})
    );
    assert_eq!(comments[1]["comment"]["parent_id"], "1");
    assert_eq!(comments[2]["comment"]["article"], json!({"id": "https://blog.example/two"}));
}

/// A WordPress file around some items.
fn wxr(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:wp=\"http://wordpress.org/export/1.2/\">\n<channel>\n\
         <wp:wxr_version>1.2</wp:wxr_version>\n{items}\n</channel>\n</rss>\n"
    )
}

/// A comment of it.
fn wxr_comment(fields: &[(&str, &str)]) -> String {
    let mut all = HashMap::from([
        ("comment_id", "1"),
        ("comment_date_gmt", "2020-01-01 10:00:00"),
        ("comment_content", "A word."),
        ("comment_approved", "1"),
    ]);
    all.extend(fields.iter().copied());
    let fields: String = all.iter().map(|(name, value)| format!("<wp:{name}>{value}</wp:{name}>")).collect();
    format!("<wp:comment>{fields}</wp:comment>\n")
}

#[test]
fn hostile_and_broken_files_are_refused_with_their_place_and_nothing_of_them_gets_in() {
    let place = Place::new();
    let item = |inner: &str| wxr(&format!("<item><wp:post_id>1</wp:post_id>{inner}</item>"));
    let good = item(&wxr_comment(&[]));
    let bomb = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [\n<!ENTITY lol \"lol\">\n{}]>\n<rss>&lol9;</rss>",
        (1..10).map(|n| format!("<!ENTITY lol{n} \"&lol{0};&lol{0};\">\n", n - 1)).collect::<String>()
    );
    let outside = "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<rss>&x;</rss>";
    let latin = good.replace("UTF-8", "ISO-8859-1");
    let wide: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(b"<rss><channel>").expect("packed");
    let much = vec![b'x'; 1 << 20];
    for _ in 0..40 {
        packed.write_all(&much).expect("packed");
    }
    let swollen = packed.finish().expect("packed");
    let zipped = |bytes: &[u8]| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(bytes).expect("packed");
        packed.finish().expect("packed")
    };
    let twice = zipped(&zipped(b"{\"article\":{\"id\":\"a\"}}\n"));
    let cut = &good.as_bytes()[..good.len() - 60];
    let deep = format!("<rss>{}", "<a>".repeat(100_000));
    let cases: &[(&str, &str, &[u8], &str)] = &[
        ("entities that grow without end", "wordpress", bomb.as_bytes(), "document type"),
        ("entities that read files", "disqus", outside.as_bytes(), "document type"),
        ("another encoding", "wordpress", latin.as_bytes(), "iso-8859-1"),
        ("two bytes a letter", "wordpress", &wide, "UTF-8"),
        ("forty megabytes in forty kilobytes", "wordpress", &swollen, "longer than"),
        ("cut off", "wordpress", cut, "line"),
        ("too deep", "wordpress", deep.as_bytes(), "too deep"),
        ("nothing", "wordpress", b"", "empty"),
        ("something else", "wordpress", b"{\"a\": 1}", "no XML"),
        ("another kind of RSS", "wordpress", b"<rss><channel><item/></channel></rss>", "no WordPress export"),
        ("WordPress, called Disqus", "disqus", good.as_bytes(), "no Disqus export"),
        ("XML, called Remark42", "remark42", good.as_bytes(), "no backup of Remark42"),
        ("XML, called Isso", "isso", good.as_bytes(), "no database of Isso"),
        ("a page, called ours", "ndjson", b"# Hello\n\nworld\n", "no export of Doorward"),
        ("other JSON, called ours", "ndjson", b"{\"version\":1}\n", "no export of Doorward"),
        ("packed twice", "ndjson", &twice, "no export of Doorward"),
        ("a later version of ours", "ndjson", b"{\"doorward_export\": 99}\n", "version 99"),
    ];
    for (name, format, bytes, why) in cases {
        let file = place.file("hostile", bytes);
        let output = place.run(&["import", format, &text(&file), "--site", "news"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains(why) && said.contains("nothing was brought in"), "{name}: {said}");
    }
    assert!(place.comments().is_empty());
    let missing = place.run(&["import", "wordpress", "/nowhere.xml", "--site", "news"]);
    assert_eq!(missing.status.code(), Some(1));
    let no_site = place.run(&["import", "wordpress", &text(&place.file("good.xml", good)), "--site", "nowhere"]);
    assert_eq!(no_site.status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let place = Place::new();
    let pipe = place.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("it runs").success());
    for format in ["ndjson", "wordpress", "disqus", "remark42", "isso"] {
        for other in [pipe.as_path(), place.folder.path(), Path::new("/dev/zero")] {
            let output = place.run(&["import", format, &text(other), "--site", "news"]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{format}, {}: {said}", other.display());
            assert!(said.contains("is no file") && said.contains(&text(other)), "{format}: {said}");
        }
    }
}

#[test]
fn a_file_of_ours_is_read_past_a_byte_order_mark_and_a_mistake_is_told_with_its_field() {
    let place = Place::new();
    let line = |id: &str, status: &str| {
        let comment = json!({"id": id, "article": {"id": "a"}, "body": "Hello.", "created_at": "2024-05-05T05:05:05Z"});
        json!({"comment": comment, "status": status})
    };
    let file = format!("\u{feff}{}\n{}\n", line("c1", "approved"), line("c2", "shown"));
    let told = place.import("ndjson", &place.file("export.ndjson", file), &[]);
    assert_eq!(told["import"]["stored"], 1, "{told}");
    let example = told["report"]["examples"][0].as_str().expect("an example");
    assert!(example.contains("the field `status` is not what it should be") && !example.contains("shown"), "{example}");
}

#[test]
fn entries_that_are_of_no_use_are_left_out_and_named_and_the_others_come() {
    let place = Place::new();
    let long = "x".repeat(70_000);
    let comments = [
        wxr_comment(&[
            ("comment_id", "1"),
            ("comment_author_email", "private@mail.example"),
            ("comment_author_IP", "unknown"),
        ]),
        wxr_comment(&[
            ("comment_id", "2"),
            ("comment_date_gmt", "0000-00-00 00:00:00"),
            ("comment_date", "2020-02-30 10:00:00"),
        ]),
        wxr_comment(&[
            ("comment_id", "3"),
            ("comment_date_gmt", "0000-00-00 00:00:00"),
            ("comment_date", "2020-02-20 10:00:00"),
        ]),
        wxr_comment(&[("comment_id", "4"), ("comment_date_gmt", "2999-01-01 00:00:00")]),
        wxr_comment(&[("comment_id", "5"), ("comment_content", "<![CDATA[<p> &nbsp;</p>]]>")]),
        wxr_comment(&[("comment_id", "6"), ("comment_type", "pingback")]),
        wxr_comment(&[("comment_id", "7"), ("comment_approved", "odd")]),
        wxr_comment(&[("comment_id", "8"), ("comment_content", &long)]),
        wxr_comment(&[("comment_id", "1"), ("comment_content", "The same id again.")]),
        wxr_comment(&[
            ("comment_id", "9"),
            ("comment_parent", "777"),
            ("comment_content", "caf&eacute; &amp; &#x1F600;"),
        ]),
        wxr_comment(&[
            ("comment_id", "10"),
            ("comment_content", "<![CDATA[<script>alert(1)</script><b>Bold</b>]]>"),
            ("comment_author_url", &long),
        ]),
        wxr_comment(&[("comment_id", "")]),
    ];
    let file = wxr(&format!("<item><wp:post_id>5</wp:post_id>{}</item>", comments.concat()));
    let told = place.import("wordpress", &place.file("export.xml", file), &[]);
    let left_out = json!({"without a date": 1, "with a date that cannot be": 1, "without text": 1, "no comment (pingbacks and the like)": 1,
        "in a state that is not known": 1, "over a bound, or not valid": 2});
    assert_eq!(told["report"]["skipped"], left_out);
    assert_eq!((&told["report"]["repeated_ids"], &told["report"]["answers_to_missing"]), (&json!(1), &json!(1)));
    assert_eq!(told["report"]["fields_left_out"], 2);
    let examples = told["report"]["examples"].as_array().expect("examples");
    assert!(examples.iter().all(|one| one.as_str().is_some_and(|one| one.starts_with("line "))), "{examples:?}");
    assert!(!told.to_string().contains("private@mail.example"), "a report says nothing of what a file says");
    assert_eq!((&told["import"]["stored"], &told["import"]["differing"]), (&json!(4), &json!(1)), "{told}");
    let comments = place.comments();
    let bodies: Vec<_> = comments.iter().map(|line| line["comment"]["body"].as_str().unwrap_or_default()).collect();
    assert_eq!(bodies, ["A word.", "A word.", "caf&eacute; & \u{1f600}", "<script>alert(1)</script><b>Bold</b>"]);
    assert_eq!(comments[1]["received_at"], "2020-02-20T10:00:00Z");
    assert_eq!(comments[2]["comment"]["parent_id"], "777");
}

#[test]
fn addresses_that_would_have_been_replaced_by_now_do_not_come() {
    let place = Place::with(""); // thirty days
    let comment = wxr_comment(&[
        ("comment_author", "Ann"),
        ("comment_author_email", "ann@mail.example"),
        ("comment_author_IP", "192.0.2.7"),
        ("comment_agent", "Mozilla"),
    ]);
    let file = place.file("export.xml", wxr(&format!("<item><wp:post_id>5</wp:post_id>{comment}</item>")));
    let told = place.import("wordpress", &file, &[]);
    assert_eq!(told["report"]["without_addresses"], 1);
    assert_eq!(place.comments()[0]["comment"]["author"], json!({"name": "Ann"}));
    for part in ["import.db", "import.db-wal"] {
        let bytes = std::fs::read(place.path(part)).unwrap_or_default();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!holds(b"ann@mail.example") && !holds(b"Mozilla"), "{part}");
    }
}

#[test]
fn what_waited_there_is_left_out_when_nobody_wants_it() {
    let place = Place::new();
    let file = place.path("export.xml");
    Generated::Disqus.write(200, &file);
    let told = place.import("disqus", &file, &["--pending", "skip"]);
    let held = states(200)["held"];
    assert_eq!(told["report"]["skipped"], json!({"waiting for a moderator": held}));
    assert_eq!(told["import"]["stored"], 200 - held);
    assert!(place.comments().iter().all(|line| line["status"] != "held"));
    let told = place.import("disqus", &file, &[]);
    assert_eq!(
        (&told["import"]["stored"], &told["import"]["known"]),
        (&json!(held), &json!(200 - held)),
        "and come when asked for"
    );
}

#[test]
fn a_site_learns_from_a_file_when_it_is_told_to_and_what_it_learns_is_measured() {
    let place = Place::new();
    let file = place.path("export.xml");
    Generated::Wordpress.write(1_000, &file);
    let labels = |place: &Place| -> u64 {
        place.database().query_row("SELECT count(*) FROM label WHERE id < 0", [], |row| row.get(0)).expect("read")
    };
    let told = place.import("wordpress", &file, &[]);
    assert!(told["labelled"].is_null() && labels(&place) == 0, "{told}");
    let [spam, ham] = ["spam", "ham"].map(|label| told["report"]["labels"][label].clone());
    let told = place.import("wordpress", &file, &["--train"]);
    assert_eq!(told["labelled"], json!({"spam": spam, "ham": ham}));
    assert_eq!(labels(&place), spam.as_u64().unwrap_or_default() + ham.as_u64().unwrap_or_default());
    let kind = told["learned"]["kind"].as_str().expect("it was measured");
    assert!(["replaced", "refused"].contains(&kind), "{told}");
    assert!(told["learned"]["figures"]["spam"].is_object(), "{told}");
    let again = place.import("wordpress", &file, &["--train"]);
    assert_eq!(again["labelled"], json!({"spam": 0, "ham": 0}));
}

#[test]
fn a_file_that_is_served_is_not_filled_beside_whoever_serves_it() {
    let place = Place::new();
    let file = place.path("export.xml");
    Generated::Disqus.write(20, &file);
    let lock =
        File::options().write(true).create(true).truncate(false).open(place.path("import.db.lock")).expect("a lock");
    lock.lock().expect("nobody else has it");
    let output = place.run(&["import", "disqus", &text(&file), "--site", "news"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(place.comments().is_empty(), "and what is there can be written out meanwhile");
    let looked = place.import("disqus", &file, &["--dry-run"]);
    assert_eq!(looked["report"]["articles"], 1);
}
