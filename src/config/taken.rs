//! What of a changed configuration is taken while the service runs, and what waits for the next start.

use super::Config;
use crate::domain::campaign;
use crate::{http, telemetry};

impl Config {
    /// The configuration that a service runs under when it was started with `started` and its file says `self` by now; and the settings that
    /// wait for the next start. The one place that decides which those are.
    #[must_use]
    pub fn taken_by(&self, started: &Self) -> (Self, Vec<String>) {
        let running = Self {
            // Opened once: ports, files, connections, and what is kept in memory in the sizes that were asked for.
            server: http::Config {
                trusted_proxies: self.server.trusted_proxies.clone(),
                max_body_bytes: self.server.max_body_bytes,
                batch_in_flight: self.server.batch_in_flight,
                body_timeout_s: self.server.body_timeout_s,
                unknown_body_mb: self.server.unknown_body_mb,
                ..started.server.clone()
            },
            database: started.database.clone(),
            shared: started.shared.clone(),
            secrets: started.secrets.clone(),
            model: started.model.clone(),
            history: started.history.clone(),
            campaigns: campaign::Config { rejected: self.campaigns.rejected, ..started.campaigns.clone() },
            telemetry: started.telemetry.clone(),
            log: telemetry::Config { level: self.log.level.clone(), ..started.log.clone() },
            ..self.clone()
        };
        let mut waiting = different(self, &running);
        // What is secret in them does not show.
        for (is_other, name) in [
            (self.database.url != running.database.url, "database.url"),
            (self.shared.url != running.shared.url, "shared.url"),
            (self.telemetry.traces.headers != running.telemetry.traces.headers, "telemetry.traces.headers"),
        ] {
            if is_other && !waiting.iter().any(|one| one == name) {
                waiting.push(name.to_owned());
            }
        }
        (running, waiting)
    }
}

/// Settings that are not the same in both, as `section.key`. Lists are looked at as a whole.
#[must_use]
pub fn different(a: &Config, b: &Config) -> Vec<String> {
    let table = |config: &Config| toml::Table::try_from(config).unwrap_or_default();
    let mut all = Vec::new();
    compare(&table(a), &table(b), "", &mut all);
    all
}

fn compare(a: &toml::Table, b: &toml::Table, before: &str, all: &mut Vec<String>) {
    let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
    keys.sort_unstable();
    for key in keys {
        match (a.get(key), b.get(key)) {
            (Some(toml::Value::Table(a)), Some(toml::Value::Table(b))) => {
                compare(a, b, &format!("{before}{key}."), all);
            }
            (a, b) if a == b => {}
            _ => all.push(format!("{before}{key}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opened_once_waits_and_everything_else_is_taken() {
        let started = Config::default();
        let text = "[server]\nlisten = \"127.0.0.1:9\"\nmax_body_bytes = 4096\n[database]\nreaders = 3\n[history]\nwindow_days = 60\n[log]\nlevel = \"debug\"\n\
            format = \"json\"\n[campaigns]\nrejected = \"reject\"\nmin_comments = 5\n[policy.spam]\nhold = 0.4\n[limits]\nenabled = false\n";
        let new = Config::parse(text, "").expect("valid");
        let (running, waiting) = new.taken_by(&started);
        assert_eq!(
            waiting,
            ["campaigns.min_comments", "database.readers", "history.window_days", "log.format", "server.listen"]
        );
        assert_eq!(
            different(&running, &started),
            ["campaigns.rejected", "limits.enabled", "log.level", "policy.spam.hold", "server.max_body_bytes"]
        );
        assert_eq!(started.taken_by(&started), (started.clone(), Vec::new()), "what is changed back waits no more");
    }

    #[test]
    fn a_secret_that_waits_is_said_and_not_shown() {
        let of = |url: &str| Config::parse(&format!("[database]\nurl = \"{url}\"\n"), "").expect("valid");
        let (_, waiting) = of("postgres://ada:new@db/d").taken_by(&of("postgres://ada:old@db/d"));
        assert_eq!(waiting, ["database.url"]);
    }
}
