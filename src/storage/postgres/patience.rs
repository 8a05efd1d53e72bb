//! How long anything waits for the database, and the database for us: a node or a server that is away without a word must hold up nobody for
//! longer than that. And that a commit is waited for until it is on the disk.

use std::fmt::Write as _;
use std::time::Duration;

use tokio_postgres::Config;

/// What every connection of the pool asks the server for. A node that is gone while it holds locks loses them: comments of all nodes may wait
/// behind one. An address that brings a setting itself (`?options=-cstatement_timeout%3D…`) is left it.
const SETTINGS: [(&str, &str); 7] = [
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "5s"),
    ("statement_timeout", "30s"),
    ("tcp_keepalives_idle", "10s"),
    ("tcp_keepalives_interval", "5s"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20s"),
];

/// For a transaction whose statements may go through much of what is kept.
pub(super) const AT_LENGTH: &str = "SET LOCAL statement_timeout = '1h'";

/// Longer than the server works on any statement that does not ask for more: whoever waits longer for an answer waits for nobody.
pub(super) const ANSWER: Duration = Duration::from_secs(40);

/// How long nothing may come back on a connection before it is asked whether anybody is there, and how often and how many times it is.
const IDLE: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: u32 = 3;
/// How long anything that was sent may stay without an answer of the other side's kernel.
const UNHEARD: Duration = Duration::from_secs(20);

/// What was acknowledged stays: a server that is set not to wait for its disk is asked to, unless the address says otherwise. Whoever is asked to wait
/// for more than the disk (`remote_apply` and its like) goes on to.
const DURABLE: &str = "SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'off' AND source <> 'client'";

/// The statements that set the settings of a connection.
pub(super) fn settings() -> String {
    let mut asked = "SELECT set_config(asked.name, asked.value, false) FROM (VALUES ".to_owned();
    for (at, (name, value)) in SETTINGS.iter().enumerate() {
        let _ = write!(asked, "{}('{name}', '{value}')", if at > 0 { ", " } else { "" }); // to a string nothing fails
    }
    asked
        + ") asked (name, value) JOIN pg_settings known ON known.name = asked.name WHERE known.source <> 'client'; "
        + DURABLE
}

/// Makes our side notice that a server is gone, unless the address says how.
pub(super) fn notice_silence(address: &mut Config) {
    if address.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        address.keepalives_idle(IDLE);
    }
    if address.get_keepalives_interval().is_none() {
        address.keepalives_interval(INTERVAL);
    }
    if address.get_keepalives_retries().is_none() {
        address.keepalives_retries(RETRIES);
    }
    if address.get_tcp_user_timeout().is_none() {
        address.tcp_user_timeout(UNHEARD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_noticed_as_the_address_says_or_soon() {
        let noticed = |url: &str| {
            let mut address: Config = url.parse().unwrap();
            notice_silence(&mut address);
            (address.get_keepalives_idle(), address.get_tcp_user_timeout().copied())
        };
        assert_eq!(noticed("postgres://u@db/d"), (IDLE, Some(UNHEARD)));
        let (idle, unheard) = (Duration::from_secs(50), Duration::from_secs(70));
        assert_eq!(noticed("postgres://u@db/d?keepalives_idle=50&tcp_user_timeout=70"), (idle, Some(unheard)));
    }
}
