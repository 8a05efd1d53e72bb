//! Whether the database is sound and of this version, and what it shows.

use std::path::Path;

use super::{Findings, lasting};
use crate::app::secrets::Sealer;
use crate::config::Config;
use crate::domain::notices::SendingState;
use crate::domain::outbox::OutboxState;
use crate::domain::privacy::AddressesLeft;
use crate::domain::time::Timestamp;
use crate::startup;
use crate::storage::postgres;
use crate::storage::sqlite::checkup::{self, Checkup, Current, Senders};
use crate::storage::sqlite::copy::{self, Depth};

/// A file up to this is read whole without being asked: some seconds.
const READ_UNASKED: u64 = 2 << 30;
/// A log that grew to this is not emptied as it should be.
const LOG_LONG: u64 = 1 << 30;
/// Milliseconds by which clocks may differ.
const CLOCKS_APART: u64 = 2_000;
/// Milliseconds that something may lie ahead of now: a clock that is set while the service runs.
const AHEAD: u64 = 60_000;
/// Comments from which one address for all of them is no accident.
const MANY: u64 = 100;
/// Milliseconds.
const DAY: u64 = 86_400_000;
/// Milliseconds that a webhook may be late.
const LATE: u64 = 15 * 60_000;

const CLOCK: &str =
    "set the clock (`timedatectl set-ntp true`), and wait until it is past that moment before comments are taken again";

pub(super) fn sqlite(config: &Config, deep: bool, now: Timestamp, findings: &mut Findings) {
    let found = match checkup::checkup(&config.database) {
        Ok(found) => found,
        Err(crate::storage::sqlite::OpenError::Missing(path)) => {
            let found = format!("{} is not there yet; the first start makes it", path.display());
            return findings.note("database", found);
        }
        Err(error) => {
            let todo = "stop the service and restore a backup: `doorward restore`, docs/operations.md";
            return findings.failed("database", &error.into(), todo);
        }
    };
    schema(found.schema, found.known, findings);
    sound(&found.path, deep, findings);
    if let Some(place) = &found.moved_to {
        let todo = "set database.url to the new database; docs/moving.md says how to go on with the file all the same";
        findings.problem("database", format!("everything was moved to {place}, and nothing more is taken here"), todo);
    }
    let Checkup { now: Some(current), .. } = found else { return };
    let Current { latest, outbox, notices, sealed, senders, addresses } = current;
    if let Some(latest) = latest.filter(|latest| latest.millis_since(now) > AHEAD) {
        findings.problem("clock", format!("it is {now} here, and something in the database is of {latest}"), CLOCK);
    }
    secrets(config, &sealed, findings);
    webhooks(outbox, now, findings);
    operators(config, &notices, findings);
    who_sends(&senders, findings);
    privacy(config, addresses, now, findings);
}

fn schema(found: i64, known: i64, findings: &mut Findings) {
    match found.cmp(&known) {
        std::cmp::Ordering::Less => findings.warning(
            "schema",
            format!("the database is of schema {found}, and this program of {known}"),
            "make a backup; `doorward migrate`, or the next start, brings it there",
        ),
        std::cmp::Ordering::Equal => findings.good("schema", format!("{known}, that of this program")),
        std::cmp::Ordering::Greater => findings.problem(
            "schema",
            format!("the database is of schema {found}, and this program of {known}"),
            "use the newer version of Doorward, or restore a backup that this one made",
        ),
    }
}

fn sound(path: &Path, deep: bool, findings: &mut Findings) {
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    if size > READ_UNASKED && !deep {
        let found = format!("{} MiB, of which little was read; `doorward doctor --deep` reads all", size >> 20);
        findings.note("database", found);
    } else {
        let depth = if deep { Depth::Whole } else { Depth::Quick };
        match copy::look(path, depth) {
            Ok(looked) => findings.good("database", format!("{} comments in {} MiB, all read", looked.comments, size >> 20)),
            Err(copy::LookError::Open(crate::storage::sqlite::OpenError::Newer { .. })) => {} // said before
            Err(error) => findings.failed(
                "database",
                &error.into(),
                "stop the service, keep the file, and restore the last backup: `doorward restore --force`; look at the disk (`dmesg`, `smartctl`)",
            ),
        }
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if let Some(long) = std::fs::metadata(&log).ok().map(|file| file.len()).filter(|bytes| *bytes > LOG_LONG) {
        findings.warning(
            "database",
            format!("the log beside the file has {} MiB", long >> 20),
            "something has been reading the file for long, a backup or a shell of sqlite3: end it; then the log is emptied by itself",
        );
    }
}

fn secrets(config: &Config, sealed: &[(String, Vec<u8>)], findings: &mut Findings) {
    let key = &config.secrets.key_file;
    if !key.is_file() {
        let found = format!("{} is not there", key.display());
        return if sealed.is_empty() {
            findings.note("secrets", format!("{found} yet; the first start makes it"));
        } else {
            let todo = "put it back from your backup: without it, no webhook is signed and nobody with a second factor signs in";
            findings.problem("secrets", found, todo);
        };
    }
    let opened = Sealer::open(key).and_then(|sealer| {
        sealed.iter().try_for_each(|(site, sealed)| sealer.unseal(site, "inbound", sealed).map(drop))
    });
    match opened {
        Ok(()) => findings.good("secrets", format!("{} opens the secrets of {} sites", key.display(), sealed.len())),
        Err(error) => findings.failed(
            "secrets",
            &error.into(),
            "put the key file back that belongs to this database, from the backup that the database is from",
        ),
    }
}

fn webhooks(state: OutboxState, now: Timestamp, findings: &mut Findings) {
    let OutboxState { waiting, dead, oldest } = state;
    let before = findings.0.len();
    if dead > 0 {
        findings.warning(
            "webhooks",
            format!("{dead} could not be delivered"),
            "`doorward outbox list --dead` says why; mend the receiver, then `doorward outbox resend --all`",
        );
    }
    if let Some(late) = oldest.map(|oldest| now.millis_since(oldest)).filter(|late| *late > LATE) {
        findings.warning(
            "webhooks",
            format!("{waiting} wait, the oldest for {}", lasting(late)),
            "`doorward outbox list` says what receivers answer; where nothing is tried at all, the service does not run",
        );
    }
    if findings.0.len() == before {
        findings.good("webhooks", format!("{waiting} wait, none for long"));
    }
}

/// Whether operators are told what they asked to be told.
fn operators(config: &Config, state: &SendingState, findings: &mut Findings) {
    let channels = config.notify.channels();
    let SendingState { failing, given_up, problem, .. } = state;
    if failing + given_up > 0 {
        let problem = problem.as_deref().unwrap_or("nothing is known of why");
        findings.warning(
            "notify",
            format!("{failing} messages to operators are tried again, {given_up} were given up: {problem}"),
            "mend [notify]; `doorward notify test` tries it, `doorward notify list` says what was not sent",
        );
    } else if channels.is_empty() {
        findings.note("notify", "neither [notify.mail] nor [notify.webhook] is set up: nobody is told of alerts");
    } else {
        let names: Vec<&str> = channels.iter().map(|channel| channel.name()).collect();
        findings.good("notify", format!("operators are told by {}", names.join(" and ")));
    }
}

/// A site that sends its proxy's address for every author has all of them limited and banned as one.
fn who_sends(senders: &[Senders], findings: &mut Findings) {
    for Senders { site, comments, addresses, example } in senders {
        if *comments >= MANY && *addresses == 1 {
            findings.warning(
                "addresses",
                format!("the last {comments} comments of site `{site}` came from one address, {example}"),
                "the website sends its proxy's address as author.ip: let it trust its proxy and send the visitor's, or send none; limits and bans \
                 take all its readers for one until then",
            );
        }
    }
}

/// Whether addresses are replaced in time. The service looks every ten minutes: a day later is late.
fn privacy(config: &Config, left: AddressesLeft, now: Timestamp, findings: &mut Findings) {
    let days = config.privacy.hash_addresses_after_days;
    if days == 0 {
        let found = "privacy.hash_addresses_after_days is 0: network and e-mail addresses of authors are kept for good";
        return findings.note("privacy", found);
    }
    match left.oldest.map(|oldest| now.millis_since(oldest)).filter(|age| *age > (u64::from(days) + 1) * DAY) {
        Some(age) => findings.warning(
            "privacy",
            format!("addresses of comments, or in what people wrote, of {} ago still stand there, and were to be replaced after {days} days", lasting(age)),
            "the service replaces them every ten minutes while it runs: start it, or look in its log for `addresses could not be replaced`",
        ),
        None => findings.good(
            "privacy",
            format!("addresses are replaced after {days} days, under a key that is gone after {}", config.privacy.hash_key_days),
        ),
    }
}

pub(super) async fn postgres(config: &Config, now: Timestamp, findings: &mut Findings) {
    let begun = now;
    let found = match postgres::checkup::checkup(&config.database).await {
        Ok(found) => found,
        Err(error) => {
            let todo = "look at database.url, at the server, and at what stands between; comments are refused with 503 meanwhile";
            return findings.failed("database", &error.into(), todo);
        }
    };
    findings.good("database", "PostgreSQL answers");
    let apart = found.now.millis_since(begun).max(begun.millis_since(found.now));
    if apart > CLOCKS_APART + 1_000 {
        let todo = "set the clock of whichever is wrong (`timedatectl set-ntp true`): nodes take turns by the time";
        findings.problem(
            "clock",
            format!("the database's clock and this machine's are {} apart", lasting(apart)),
            todo,
        );
    }
    let (most, used) = found.connections;
    if used + i64::try_from(config.database.connections).unwrap_or(i64::MAX) > most {
        findings.warning(
            "database",
            format!("its server allows {most} connections, and {used} are open"),
            "raise max_connections there, or lower database.connections on every node",
        );
    }
    let Some(schema_found) = found.schema else {
        return findings.note("schema", "nothing of ours is there yet; the first start makes it");
    };
    schema(schema_found, found.known, findings);
    if schema_found != found.known {
        return;
    }
    let asked = async {
        let store = startup::open_store(config).await?;
        let asked = async {
            let (outbox, notices) = (store.outbox_state().await?, store.messages_state().await?);
            anyhow::Ok((outbox, notices, store.all_secrets().await?, store.addresses_left().await?))
        }
        .await;
        store.close().await;
        asked
    };
    match asked.await {
        Ok((outbox, notices, all, addresses)) => {
            let sealed: Vec<_> = all.into_iter().map(|secrets| (secrets.site, secrets.inbound)).collect();
            secrets(config, &sealed, findings);
            webhooks(outbox, now, findings);
            operators(config, &notices, findings);
            privacy(config, addresses, now, findings);
        }
        Err(error) => findings.failed("database", &error, "look at the server's own log"),
    }
}
