//! What stands around the service: its proxy, what nodes share, the clock, backups, and the service itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::super::{backup, machine};
use super::{Findings, lasting};
use crate::app::clock::Clock as _;
use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::startup::SystemClock;
use crate::storage::redis;

/// For the service to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Milliseconds by which clocks may differ.
const CLOCKS_APART: u64 = 2_000;
/// Where systemd says that it keeps the clock, and that the clock is right.
const SYNCHRONISED: (&str, &str) = ("/run/systemd/timesync", "/run/systemd/timesync/synchronized");
/// A moment before this program was written.
const BEFORE: &str = "2026-01-01T00:00:00Z";

pub(super) fn clock(now: Timestamp, findings: &mut Findings) {
    const SET: &str = "set it (`timedatectl set-ntp true`): sessions, limits, bans and the order of comments go by it";
    let (kept, right) = (Path::new(SYNCHRONISED.0).is_dir(), Path::new(SYNCHRONISED.1).exists());
    if findings.0.iter().any(|finding| finding.check == "clock") {
        return;
    }
    if Timestamp::parse(BEFORE).is_ok_and(|before| now < before) {
        findings.problem("clock", format!("it is {now} here"), SET);
    } else if kept && !right {
        findings.warning("clock", "systemd-timesyncd has not reached a time server since the machine started", SET);
    } else {
        findings.good("clock", format!("it is {now}"));
    }
}

pub(super) async fn shared(config: &Config, now: Timestamp, findings: &mut Findings) {
    match redis::checkup::time(&config.shared).await {
        Ok(None) => {}
        Ok(Some(there)) => {
            let here = SystemClock.now().max(now);
            let apart = there.millis_since(here).max(here.millis_since(there));
            if apart > CLOCKS_APART {
                findings.warning(
                    "clock",
                    format!("the clock of Redis and this machine's are {} apart", lasting(apart)),
                    "set the clock of whichever is wrong (`timedatectl set-ntp true`)",
                );
            }
            findings.good("shared", "Redis answers");
        }
        Err(error) => findings.problem(
            "shared",
            format!("Redis does not answer: {error}"),
            "look at shared.url, and at the server; each node counts its limits alone meanwhile, and takes comments all the same",
        ),
    }
}

pub(super) fn proxy(config: &Config, findings: &mut Findings) {
    let listens = config.server.address();
    if listens.is_ok_and(|address| address.ip().is_loopback())
        && !config.server.public_url.is_empty()
        && config.server.trusted_proxies.is_empty()
    {
        findings.warning(
            "proxy",
            format!("the outside reaches this service at {}, and it listens on loopback: there is a proxy that is not trusted", config.server.public_url),
            "set server.trusted_proxies = [\"127.0.0.1/32\", \"::1/128\"], and let the proxy set X-Forwarded-For; sign-ins of everybody are limited as one \
             person's until then",
        );
    }
}

/// What a running service says of itself.
pub(super) async fn service(config: &Config, findings: &mut Findings) {
    let Ok(listens) = config.server.address() else { return }; // checked before
    let at = reachable(listens);
    let Ok(client) = client() else { return findings.note("service", "could not be asked: no client could be made") };
    let Ok(ready) = client.get(format!("http://{at}/readyz")).send().await else {
        let found = format!("none answers at {at}; `systemctl status doorward` says why, where one should");
        return findings.note("service", found);
    };
    let (status, said) = (ready.status(), ready.text().await.unwrap_or_default());
    let said: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
    if said["database"].is_null() {
        findings.problem(
            "service",
            format!("something else answers at {at}"),
            "end it, or let server.listen name another port",
        );
        return;
    }
    if status.is_success() {
        findings.good("service", format!("it takes comments at {at}"));
    } else {
        findings.problem(
            "service",
            format!("it answers at {at} that it cannot take comments: {said}"),
            "its log says why (`journalctl -u doorward`)",
        );
    }
    if said["shared"] == "degraded" {
        findings.warning(
            "shared",
            "this node goes on alone, and there are others",
            "several nodes need [shared], and a Redis that answers: docs/several-nodes.md",
        );
    }
    let asked = client.get(format!("http://{at}/metrics"));
    let asked = match config.metrics.token.expose() {
        Some(token) => asked.bearer_auth(token),
        None => asked,
    };
    let Ok(metrics) = asked.send().await else { return };
    if !metrics.status().is_success() {
        return findings
            .note("proxy", "the service does not show its metrics here; set metrics.token, and it can be asked");
    }
    match untrusted_proxy(&metrics.text().await.unwrap_or_default()) {
        Some((address, requests, bits)) => findings.warning(
            "proxy",
            format!("the last {requests} requests of people came from one address, {address}, through a proxy that is not trusted"),
            format!("set server.trusted_proxies = [\"{address}/{bits}\"], if that is your proxy, and start the service again"),
        ),
        None => findings.good("proxy", "no proxy that is not trusted stands before it, as far as people came"),
    }
}

/// The address at which a service on this machine is reached that listens there.
fn reachable(listens: SocketAddr) -> SocketAddr {
    match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, listens.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, listens.port()).into(),
        IpAddr::V4(_) | IpAddr::V6(_) => listens,
    }
}

fn client() -> reqwest::Result<reqwest::Client> {
    // The first one wins, and all are the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()
}

/// What `doorward_untrusted_proxy_requests` says: the proxy, the requests that came through it, and the bits of a network of it alone.
fn untrusted_proxy(metrics: &str) -> Option<(IpAddr, u64, u8)> {
    metrics.lines().find_map(|line| {
        let (address, requests) =
            line.strip_prefix("doorward_untrusted_proxy_requests{address=\"")?.split_once("\"} ")?;
        let requests = requests.trim().parse().ok().filter(|requests| *requests > 0)?;
        let address: IpAddr = address.parse().ok()?;
        Some((address, requests, if address.is_ipv4() { 32 } else { 128 }))
    })
}

pub(super) fn backups(config: &Config, now: Timestamp, findings: &mut Findings) {
    let folder = &config.backup.folder;
    if config.database.is_postgres() {
        return findings.note(
            "backups",
            "those of PostgreSQL are its own; copies of the settings and of secrets.key_file belong to them",
        );
    }
    if folder.as_os_str().is_empty() {
        return findings.note("backups", "backup.folder is not set: whether there are backups is not known here");
    }
    let all = match backup::kept(folder) {
        Ok(all) => all,
        Err(error) => {
            let found = format!("backup.folder {} cannot be read: {error}", folder.display());
            return findings.problem("backups", found, "make it, for the user that the service runs as");
        }
    };
    let most = u64::from(config.backup.max_age_h) * 3_600_000;
    match all.last() {
        None => findings.warning("backups", format!("there is none in {}", folder.display()), "`doorward backup`, and then every night: docs/operations.md"),
        Some((made_at, path)) if now.millis_since(*made_at) > most => findings.warning(
            "backups",
            format!("the latest, {}, is {} old", path.display(), lasting(now.millis_since(*made_at))),
            "`doorward backup`; `systemctl status doorward-backup.timer doorward-backup.service` says why none was made",
        ),
        Some((made_at, path)) => {
            findings.good("backups", format!("the latest, {}, is {} old", path.display(), lasting(now.millis_since(*made_at))));
        }
    }
    let size = config.database.path().ok().and_then(|path| std::fs::metadata(path).ok()).map_or(0, |file| file.len());
    if let Some(free) = machine::free_bytes(folder).filter(|free| *free < size + size / 2) {
        let found =
            format!("{} MiB are left in {}, and the database has {} MiB", free >> 20, folder.display(), size >> 20);
        findings.warning("backups", found, "make room, or lower backup.keep_days: the next backups may not fit");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_is_read_from_the_metrics() {
        let line = |value: &str| {
            format!("# TYPE x gauge\ndoorward_untrusted_proxy_requests{{address=\"10.0.0.1\"}} {value}\n")
        };
        let proxy = "10.0.0.1".parse().unwrap();
        assert_eq!(untrusted_proxy(&line("120")), Some((proxy, 120, 32)));
        assert_eq!(untrusted_proxy(&line("0")), None, "it is trusted by now, or somebody came another way");
        assert_eq!(untrusted_proxy("doorward_nodes 1\n"), None);
    }

    #[test]
    fn a_service_that_listens_everywhere_is_reached_on_loopback() {
        for (listens, at) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")] {
            assert_eq!(reachable(listens.parse().unwrap()), at.parse().unwrap());
        }
    }
}
