//! The files that run several nodes name settings that exist, and each other.

use std::collections::BTreeSet;

use doorward::config::Config;

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).expect("the file is there")
}

/// Variables of ours in lines like `NAME: value` or `NAME=value`, unquoted.
fn settings(text: &str, separator: &str) -> Vec<(String, String)> {
    let ours = text.lines().map(str::trim).map(|line| line.strip_prefix("ENV ").unwrap_or(line));
    let ours = ours.filter(|line| line.starts_with("DOORWARD__"));
    let read = ours.map(|line| {
        let (name, value) = line.split_once(separator).expect("a name and a value");
        let value = value.trim();
        let quoted = ['\'', '"'].iter().find_map(|mark| value.strip_prefix(*mark)?.strip_suffix(*mark));
        // What compose puts in from its environment: any word will do.
        let value = quoted.unwrap_or(value);
        let value = match (value.find("${"), value.find('}')) {
            (Some(from), Some(to)) => format!("{}hunter2{}", &value[..from], &value[to + 1..]),
            (None, _) | (_, None) => value.to_owned(),
        };
        (name.trim().to_owned(), value)
    });
    read.collect()
}

#[test]
fn settings_of_the_containers_exist_and_work_together() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let empty = folder.path().join("config.toml");
    std::fs::write(&empty, "").expect("writable");
    for (name, separator, at_least) in [("compose.yaml", ": ", 5), ("Containerfile", "=", 1)] {
        let variables = settings(&file(name), separator);
        assert!(variables.len() >= at_least, "{name}: {variables:?}");
        let config = Config::read(Some(&empty), &variables).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(config.server.address().expect("an address").port(), 8080, "{name}");
        if name == "compose.yaml" {
            assert!(config.database.is_postgres() && config.shared.url.expose().is_some());
        }
    }
    let wrong = vec![("DOORWARD__SERVER__LISTN".to_owned(), "x".to_owned())];
    assert!(Config::read(Some(&empty), &wrong).is_err(), "a setting that does not exist would be found");
}

#[test]
fn the_balancer_asks_every_node_and_the_image_has_what_it_copies() {
    let (compose, balancer, image) = (file("compose.yaml"), file("deploy/haproxy.cfg"), file("Containerfile"));
    let nodes = |text: &str, is: fn(&str) -> Option<&str>| -> BTreeSet<String> {
        text.lines().filter_map(is).map(str::to_owned).collect()
    };
    let made =
        nodes(&compose, |line| line.strip_prefix("  ")?.strip_suffix(':').filter(|name| name.starts_with("node")));
    let asked = nodes(&balancer, |line| line.trim().strip_prefix("server ")?.split(' ').next());
    assert_eq!((made.len(), &made), (3, &asked));
    assert!(image.contains("/readyz") && balancer.contains("GET /readyz"));
    assert!(image.contains("\nUSER 10001\n"), "the service does not run as root");
    let copied = image.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--"));
    for name in copied.flat_map(|line| line.split(' ').rev().skip(1)) {
        let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&path).exists(), "{name} is copied into the image");
    }
}

#[test]
fn the_package_has_what_it_names_and_its_units_ask_for_what_the_program_does() {
    let manifest: toml::Table = toml::from_str(&file("Cargo.toml")).expect("TOML");
    let package = &manifest["package"]["metadata"]["deb"];
    for asset in package["assets"].as_array().expect("assets") {
        let name = asset[0].as_str().expect("a path");
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = if name.contains('*') { folder } else { name };
        // What lies there is made by scripts/package.
        if !name.starts_with("target/") {
            assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{name} is packaged");
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = folder.path().join("config.toml");
    std::fs::write(&settings, file("deploy/debian/config.toml")).expect("writable");
    let config = Config::read(Some(&settings), &[]).expect("the package's settings are understood");
    for path in [config.database.path().expect("a file"), config.secrets.key_file, config.backup.folder] {
        assert!(path.starts_with("/var/lib/doorward"), "{}: all else is not written to", path.display());
    }
    let hardening = |text: &str| -> BTreeSet<String> {
        let is_of_it = |line: &&str| {
            ["Protect", "Private", "Restrict", "SystemCall", "Capability", "NoNew", "Memory", "Lock"]
                .iter()
                .any(|start| line.starts_with(start))
        };
        text.lines().filter(is_of_it).map(str::to_owned).collect()
    };
    let (service, backup) = (file("deploy/systemd/doorward.service"), file("deploy/systemd/doorward-backup.service"));
    let missing: Vec<String> = hardening(&service).difference(&hardening(&backup)).cloned().collect();
    assert!(
        missing.iter().all(|line| {
            // What the service does besides: asks which addresses there are, and lowers the priority of a backtest.
            ["RestrictAddressFamilies", "RestartPrevent", "SystemCallFilter=setpriority"]
                .iter()
                .any(|it| line.starts_with(it))
        }),
        "{missing:?}"
    );
    assert!(service.contains("\nType=notify\n") && file("src/startup/supervisor.rs").contains("READY=1"));
    // A signal that nobody listens to would end the service; one that somebody listens to is what `systemctl reload` is for.
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let listens = source_files(&root.join("src")).iter().any(|source| source.contains("SignalKind::hangup"));
    assert_eq!(
        service.contains("\nExecReload=/bin/kill -HUP $MAINPID\n"),
        listens,
        "deploy/systemd/doorward.service has `ExecReload=/bin/kill -HUP $MAINPID` below ExecStart, if the program listens to SIGHUP"
    );
}

fn source_files(folder: &std::path::Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the repository is readable") {
        let path = entry.expect("the repository is readable").path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else {
            files.push(std::fs::read_to_string(&path).unwrap_or_default()); // pictures and fonts are no text
        }
    }
    files
}

#[test]
fn clients_of_the_containers_cannot_choose_their_address() {
    let (compose, balancer) = (file("compose.yaml"), file("deploy/haproxy.cfg"));
    let lines = |text: &'static str| move |line: &&str| line.trim().starts_with(text);
    assert_eq!(balancer.lines().filter(lines("http-request set-header X-Forwarded-For %[src]")).count(), 1);
    assert_eq!(balancer.lines().filter(lines("http-request del-header Forwarded")).count(), 1);
    assert_eq!(balancer.lines().filter(lines("option forwardfor")).count(), 0, "that would add to what a client wrote");
    let subnet = compose.lines().find_map(|line| line.trim().strip_prefix("- subnet: ")).expect("a network of its own");
    let variables = settings(&compose, ": ");
    let trusted = variables.iter().filter(|(name, _)| name == "DOORWARD__SERVER__TRUSTED_PROXIES");
    let trusted: Vec<&str> = trusted.map(|(_, networks)| networks.as_str()).collect();
    assert_eq!(trusted, [format!("[\"{subnet}\"]")], "nobody is trusted but the balancer's network");
}
