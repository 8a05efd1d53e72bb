//! What is moved: each table of the destination, and what it is made of at the source.
//!
//! Comments are row numbers at the source and uids at the destination, rulings numbers and uids. What was erased is left behind: at the
//! destination nothing is left of it either. What can be made anew is not moved: the index of words, and what a file keeps so that it can do
//! without indexes.

use super::cell::{Cell, Kind};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::storage::codec;
use crate::storage::derived::Derived;
use crate::storage::told::Stored;

/// A column at the destination, and what is read for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub source: &'static str,
}

/// What a row needs besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// Nothing.
    AsRead,
    /// The keys of a comment as it is now, out of what it says.
    Keys,
    /// A comment's name and the hash of its content, out of what it says.
    Name,
    /// An account that a comment belonged to: left behind when it is today's.
    Account,
    /// The same of the account that it was first stored under, which may be among the others.
    FirstAccount,
    /// The comment of a notice, which may be erased: then the notice names it.
    Notice,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Table {
    /// At the destination.
    pub name: &'static str,
    /// What its progress is noted under.
    pub step: &'static str,
    pub columns: &'static [Column],
    /// Read for [`Finish`], after the columns.
    pub extra: &'static [Column],
    pub from: &'static str,
    /// The order in which it is read.
    pub keys: &'static [&'static str],
    pub finish: Finish,
    /// Whether its numbers are given by a counter, which goes on after the last one.
    pub counts: bool,
}

macro_rules! columns {
    ($($name:ident $kind:ident $source:literal),* $(,)?) => {
        &[$(Column { name: stringify!($name), kind: Kind::$kind, source: $source }),*]
    };
}

/// Comments that were not erased, also one whose content is missing: it must not stay behind unnoticed.
const LIVE: &str = "(SELECT * FROM comment WHERE status <> 0) c LEFT JOIN content k ON k.id = c.id";

macro_rules! its {
    ($from:literal) => {
        concat!($from, " JOIN comment c ON c.id = x.comment AND c.status <> 0")
    };
}

const fn table(
    name: &'static str,
    from: &'static str,
    keys: &'static [&'static str],
    columns: &'static [Column],
) -> Table {
    Table { name, step: name, columns, extra: &[], from, keys, finish: Finish::AsRead, counts: false }
}

impl Table {
    const fn counts(self) -> Self {
        Self { counts: true, ..self }
    }

    const fn finish(self, finish: Finish, extra: &'static [Column]) -> Self {
        Self { extra, finish, ..self }
    }

    const fn step(self, step: &'static str) -> Self {
        Self { step, ..self }
    }
}

/// Everything, in the order in which it is moved.
pub(super) static TABLES: &[Table] = &[
    table(
        "site",
        "site x",
        &["x.id"],
        columns![id Int "x.id", name Text "x.name", url Text "x.url", webhook Text "x.webhook", created_at Big "x.created_at",
            akismet_hash Bytes "x.akismet_hash", akismet_key Bytes "x.akismet_key", inbound_secret Bytes "x.inbound_secret",
            webhook_secret Bytes "x.webhook_secret", inbound_before Bytes "x.inbound_before",
            inbound_before_until Big "x.inbound_before_until", webhook_before Bytes "x.webhook_before",
            webhook_before_until Big "x.webhook_before_until", webhook_gone_at Big "x.webhook_gone_at",
            coral_secret Bytes "x.coral_secret", coral_before Bytes "x.coral_before", coral_before_until Big "x.coral_before_until"],
    )
    .counts(),
    table(
        "site_key",
        "site_key x",
        &["x.hash"],
        columns![hash Bytes "x.hash", site Int "x.site", scopes Text "x.scopes", created_at Big "x.created_at"],
    ),
    table(
        "person",
        "person x",
        &["x.id"],
        columns![id Int "x.id", email Text "x.email", role Text "x.role", password Text "x.password", created_at Big "x.created_at",
            disabled_at Big "x.disabled_at", reach Text "x.reach", totp Bytes "x.totp", totp_step Big "x.totp_step"],
    )
    .counts(),
    table(
        "token",
        "token x",
        &["x.hash"],
        columns![hash Bytes "x.hash", person Int "x.person", created_at Big "x.created_at"],
    ),
    table(
        "session",
        "session x",
        &["x.hash"],
        columns![hash Bytes "x.hash", person Int "x.person", created_at Big "x.created_at", seen_at Big "x.seen_at",
            expires_at Big "x.expires_at", agent Text "x.agent", network Text "x.network"],
    ),
    table("recovery_code", "recovery_code x", &["x.hash"], columns![hash Bytes "x.hash", person Int "x.person"]),
    table(
        "article",
        "article x",
        &["x.id"],
        columns![site Int "x.site", name Text "x.name", updated_at Big "x.updated_at", b Bytes "x.b"],
    ),
    table(
        "comment",
        LIVE,
        &["c.id"],
        columns![site Int "c.site", uid Comment "c.id, c.received_at", status Small "c.status", decided_by Small "c.decided_by",
            revision Int "c.revision", version Int "c.version", received_at Big "c.received_at", updated_at Big "c.updated_at",
            author Big "0", account Big "0", article Big "0", trace Bytes "c.trace", b Bytes "k.b"],
    )
    .finish(Finish::Keys, &[]),
    table(
        "comment_name",
        LIVE,
        &["c.id"],
        columns![site Int "c.site", name Text "NULL", comment Comment "c.id, c.received_at", hash Bytes "NULL"],
    )
    .finish(Finish::Name, columns![b Bytes "k.b"]),
    table(
        "revision",
        its!("revision x"),
        &["x.comment", "x.revision"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", revision Int "x.revision", b Bytes "x.b"],
    ),
    table(
        "moved",
        "moved x JOIN comment c ON c.id = x.comment AND c.status <> 0 AND x.chain = 2 LEFT JOIN content k ON k.id = c.id",
        &["x.chain", "x.key", "x.comment"],
        columns![site Int "c.site", account Big "x.key", comment Comment "c.id, c.received_at"],
    )
    .finish(Finish::Account, columns![b Bytes "k.b"]),
    table(
        "moved",
        "(SELECT * FROM comment WHERE status <> 0 AND revision > 1) c LEFT JOIN content k ON k.id = c.id",
        &["c.id"],
        columns![site Int "c.site", account Big "0", comment Comment "c.id, c.received_at"],
    )
    .step("moved, first account")
    .finish(Finish::FirstAccount, columns![b Bytes "k.b", keys Bytes "c.keys", others Text "coalesce((SELECT group_concat(m.key, ' ') FROM moved m WHERE m.comment = c.id AND m.chain = 2), '')"]),
    table(
        "queue",
        "queue x JOIN comment c ON c.id = x.id AND c.status <> 0",
        &["x.id"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", category Small "x.category", signals Text "x.signals",
            section Text "x.section", lang Text "x.lang", article Big "x.article", author Big "x.author", priority Real "x.priority",
            held_at Big "x.held_at", claimed_by Text "x.claimed_by", claimed_until Big "x.claimed_until",
            author_known Bool "coalesce(x.author_known, 0)"],
    ),
    table(
        "ruling",
        "ruling x",
        &["x.id"],
        columns![uid Uid "x.uid", at Big "x.at", undone_at Big "x.undone_at", b Bytes "x.b"],
    ),
    table(
        "ruling_item",
        "ruling_item x JOIN ruling r ON r.id = x.ruling JOIN comment c ON c.id = x.comment AND c.status <> 0",
        &["x.ruling", "x.comment"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", ruling Uid "r.uid", version_after Int "x.version_after",
            status_before Small "x.status_before", decided_by_before Small "x.decided_by_before", held_at_before Big "x.held_at_before"],
    ),
    table(
        "happening",
        "happening x JOIN comment c ON c.id = x.comment AND c.status <> 0 LEFT JOIN ruling r ON r.id = x.ruling",
        &["x.comment", "x.version"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", version Int "x.version", at Big "x.at", ruling Uid "r.uid",
            b Bytes "x.b"],
    ),
    table(
        "audit",
        "audit x",
        &["x.id"],
        columns![id Big "x.id", at Big "x.at", actor Text "x.actor", name Text "x.name", action Text "x.action", subject Text "x.subject",
            detail Text "x.detail", chain Bytes "x.chain"],
    ),
    table(
        "config_version",
        "config_version x",
        &["x.hash"],
        columns![hash Text "x.hash", text Text "x.text", files Text "x.files"],
    ),
    table(
        "config_taken",
        "config_taken x",
        &["x.id"],
        columns![id Big "x.id", version Text "x.version", policy Text "x.policy", how Text "x.how", at Big "x.at", who Text "x.who",
            waiting Text "x.waiting"],
    )
    .counts(),
    table(
        "alert",
        "alert x",
        &["x.kind", "x.about"],
        columns![kind Text "x.kind", about Text "x.about", facts Text "x.facts", raised_at Big "x.raised_at", told_at Big "x.told_at",
            cleared_at Big "x.cleared_at"],
    ),
    table(
        "operator_message",
        "operator_message x",
        &["x.id"],
        columns![id Big "x.id", name Text "x.name", channel Text "x.channel", event Text "x.event", subject Text "x.subject",
            text Text "x.text", data Text "x.data", made_at Big "x.made_at", attempts Int "x.attempts", next_at Big "x.next_at",
            sent_at Big "x.sent_at", given_up_at Big "x.given_up_at", problem Text "x.problem",
            recipient Text "x.recipient"],
    )
    .counts(),
    table(
        "outbox",
        "outbox x JOIN comment c ON c.id = x.comment LEFT JOIN ruling r ON r.id = x.ruling",
        &["x.id"],
        columns![site Int "x.site", id Big "x.id", uid Uid "x.uid", comment Comment "c.id, c.received_at", ruling Uid "r.uid",
            not_before Big "x.not_before", next_at Big "x.next_at", taken_until Big "x.taken_until", attempts Int "x.attempts",
            refused_since Big "x.refused_since", dead_at Big "x.dead_at", problem Text "x.problem", callback Text "x.callback", b Bytes "x.b"],
    )
    .finish(Finish::Notice, columns![status Int "c.status"])
    .counts(),
    table(
        "delivery",
        "delivery x",
        &["x.site", "x.id"],
        columns![site Int "x.site", id Bytes "x.id", body Bytes "x.body", at Big "x.at", done Bool "x.done"],
    ),
    table(
        "sanction",
        "sanction x",
        &["x.id"],
        columns![id Big "x.id", uid Uid "x.uid", site Int "x.site", measure Text "x.measure", kind Text "x.kind", hash Bytes "x.hash",
            hint Text "x.hint", cause Text "x.cause", shadow Bool "x.shadow", by_name Text "x.by_name", at Big "x.at",
            expires_at Big "x.expires_at", lifted_at Big "x.lifted_at", lifted_by Text "x.lifted_by", ruling Uid "x.ruling"],
    )
    .counts(),
    table(
        "sanction_effect",
        its!("sanction_effect x"),
        &["x.sanction", "x.comment"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", sanction Big "x.sanction", version Int "x.version",
            status_without Small "x.status_without"],
    ),
    table(
        "report",
        its!("report x"),
        &["x.comment", "x.reader"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", reader Bytes "x.reader", category Text "x.category",
            text Text "x.text", weight Real "x.weight", at Big "x.at", outcome Small "x.outcome", credit Bool "x.credit"],
    ),
    table(
        "vote",
        its!("vote x"),
        &["x.comment", "x.reader"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", reader Bytes "x.reader", value Small "x.value", at Big "x.at"],
    ),
    table(
        "appeal",
        its!("appeal x"),
        &["x.id"],
        columns![site Int "c.site", id Big "x.id", uid Uid "x.uid", comment Comment "c.id, c.received_at", version Int "x.version",
            state Small "x.state", at Big "x.at", answered_at Big "x.answered_at", b Bytes "x.b"],
    )
    .counts(),
    table(
        "pseudonym",
        its!("pseudonym x"),
        &["x.comment"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", ip Bytes "x.ip", network Bytes "x.network",
            email Bytes "x.email"],
    ),
    table(
        "campaign",
        "campaign x",
        &["x.id"],
        columns![id Big "x.id", uid Uid "x.uid", state Small "x.state", action Small "x.action", ruling Uid "x.ruling",
            into_uid Uid "x.into_uid", version Int "x.version", at Big "x.at", last_at Big "x.last_at", size Int "x.size", b Bytes "x.b",
            sites Bytes "x.sites", rule_until Big "x.rule_until"],
    )
    .counts(),
    table(
        "campaign_decision",
        "campaign_decision x",
        &["x.id"],
        columns![id Big "x.id", campaign Big "x.campaign", ruling Uid "x.ruling", action Small "x.action", sites Bytes "x.sites",
            rule_until Big "x.rule_until", undone Bool "x.undone"],
    )
    .counts(),
    table(
        "campaign_member",
        its!("campaign_member x"),
        &["x.comment"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", campaign Big "x.campaign", number Int "x.number",
            seen Bool "x.seen"],
    ),
    table(
        "campaign_wait",
        "campaign_wait x",
        &["x.site", "x.id"],
        columns![site Int "x.site", id Big "x.id", campaign Big "x.campaign", at Big "x.at"],
    ),
    table(
        "label",
        "label x JOIN comment c ON c.id = x.comment AND c.status <> 0 LEFT JOIN ruling r ON r.id = x.ruling",
        &["x.id"],
        columns![site Int "x.site", id Big "x.id", comment Comment "c.id, c.received_at", revision Int "x.revision",
            ruling Uid "coalesce(r.uid, zeroblob(16))", at Big "x.at", spam Bool "x.spam", abuse Bool "x.abuse",
            sampled Bool "x.sampled", undone_at Big "x.undone_at", fate Text "x.fate", model Big "x.model"],
    )
    .counts(),
    table(
        "learner",
        "learner x",
        &["x.site"],
        columns![site Int "x.site", changes Big "x.changes", seen Big "x.seen"],
    ),
    table(
        "site_model",
        "site_model x",
        &["x.site", "x.number"],
        columns![site Int "x.site", number Big "x.number", base Text "x.base", at Big "x.at", ended_at Big "x.ended_at", b Bytes "x.b",
            checksum Bytes "x.checksum", before Big "x.before"],
    ),
    table(
        "model_change",
        "model_change x",
        &["x.id"],
        columns![site Int "x.site", id Big "x.id", at Big "x.at", kind Text "x.kind", number Big "x.number", by_name Text "x.by_name",
            reason Text "x.reason", figures Text "x.figures"],
    )
    .counts(),
    table(
        "sample",
        "sample x LEFT JOIN comment c ON c.id = x.comment AND c.status <> 0 LEFT JOIN ruling r ON r.id = x.ruling",
        &["x.id"],
        columns![site Int "x.site", id Big "x.id", comment Comment "c.id, c.received_at", at Big "x.at", action Small "x.action",
            category Text "x.category", model Text "x.model", ruling Uid "coalesce(r.uid, CASE WHEN x.ruling IS NOT NULL THEN zeroblob(16) END)",
            overturned Bool "x.overturned", ruled_as Text "x.ruled_as"],
    )
    .counts(),
    table(
        "author_note",
        "author_note x",
        &["x.id"],
        columns![site Int "x.site", id Big "x.id", uid Uid "x.uid", author Bytes "x.author", by_name Text "x.by_name", at Big "x.at",
            text Text "x.text"],
    )
    .counts(),
    table(
        "import_file",
        "import_file x",
        &["x.id"],
        columns![site Int "x.site", id Big "x.id", format Text "x.format", file Bytes "x.file", position Big "x.position",
            counts Text "x.counts", begun_at Big "x.begun_at", done_at Big "x.done_at"],
    )
    .counts(),
    table(
        "imported",
        its!("imported x"),
        &["x.comment"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", import Big "x.import", spam Bool "x.spam",
            abuse Bool "x.abuse"],
    ),
    table(
        "akismet_callback",
        its!("akismet_callback x"),
        &["x.comment"],
        columns![site Int "c.site", comment Comment "c.id, c.received_at", url Text "x.url"],
    ),
    table(
        "erasure",
        "erasure x",
        &["x.id"],
        columns![site Int "x.site", id Big "x.id", kind Small "x.kind", hash Bytes "x.hash", at Big "x.at"],
    )
    .counts(),
];

/// Secrets and marks in `meta` that the destination needs as they are. The database's own secret is written before anything else.
pub(super) const MARKS: [&str; 4] = ["audit_head", "audit_from", "address_key", "akismet_lookup"];

/// A row as it is at the destination; `None` for one that is left behind.
pub(super) fn finish(derived: &Derived, table: &Table, mut cells: Vec<Cell>) -> Result<Option<Vec<Cell>>> {
    let extra = cells.split_off(table.columns.len());
    let comment = cells.iter().find_map(|cell| if let Cell::Uid(uid) = cell { Some(*uid) } else { None });
    let damaged = || {
        let of = comment.map_or_else(String::new, |uid| format!(", of the comment {uid},"));
        StoreError::Corrupt(format!("a row of {}{of} cannot be moved: a part of it is missing", table.name))
    };
    match (table.finish, cells.as_mut_slice(), extra.as_slice()) {
        (Finish::AsRead, ..) => {}
        (Finish::Keys, [Cell::Int(site), .., author, account, article, Cell::Bytes(trace), Cell::Bytes(b)], _) => {
            let (site, sent) = (site_of(*site)?, codec::decode_sent("a comment", b)?);
            let trace = codec::decode_trace("a comment's trace", trace)?;
            *author = Cell::Big(derived.hasher.author(trace.author).cast_signed());
            *account = Cell::Big(account_of(derived, site, b)?);
            *article = Cell::Big(derived.hasher.article(site, sent.article.id.as_str()).cast_signed());
        }
        (Finish::Name, [_, name, _, hash], [Cell::Bytes(b)]) => {
            let (content, sent) = codec::decode_hashed("a comment", b)?;
            *name = Cell::Text(sent.id.to_string());
            *hash = Cell::Bytes(content.0.to_le_bytes().to_vec());
        }
        (Finish::Account, [Cell::Int(site), Cell::Big(account), _], [Cell::Bytes(b)]) => {
            if *account == account_of(derived, site_of(*site)?, b)? {
                return Ok(None);
            }
        }
        (
            Finish::FirstAccount,
            [Cell::Int(site), account, _],
            [Cell::Bytes(b), Cell::Bytes(keys), Cell::Text(others)],
        ) => {
            let first = keys.get(16..24).and_then(|bytes| bytes.try_into().ok()).map(i64::from_le_bytes);
            let first = first.ok_or_else(damaged)?;
            let is_known = others.split(' ').any(|other| other.parse() == Ok(first));
            if first == 0 || is_known || first == account_of(derived, site_of(*site)?, b)? {
                return Ok(None);
            }
            *account = Cell::Big(first);
        }
        (Finish::Notice, [_, _, _, comment, .., Cell::Bytes(b)], [Cell::Int(status)]) => {
            if *status == 0 {
                match codec::decode("a notice", b)? {
                    Stored::Erased { uid, .. } => *comment = Cell::Uid(uid),
                    Stored::Status(_) | Stored::Appeal { .. } => return Ok(None), // nobody could be told any more
                }
            }
        }
        (Finish::Keys | Finish::Name | Finish::Account | Finish::FirstAccount | Finish::Notice, ..) => {
            return Err(damaged());
        }
    }
    Ok(Some(cells))
}

/// The key of the account that a comment belongs to now; 0 for none.
fn account_of(derived: &Derived, site: SiteId, b: &[u8]) -> Result<i64> {
    let sent = codec::decode_sent("a comment", b)?;
    Ok(sent.author.id.map_or(0, |id| derived.hasher.account(site, id.as_str())).cast_signed())
}

fn site_of(number: i32) -> Result<SiteId> {
    let number = u32::try_from(number).map_err(|_| StoreError::Corrupt(format!("site {number}")))?;
    Ok(SiteId(number))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_table_of_the_destination_is_moved_or_made_anew() {
        let anew = ["meta", "search", "search_due", "lease", "node", "recheck"];
        let moved: HashSet<&str> = TABLES.iter().map(|table| table.name).collect();
        let mut made = HashSet::new();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for statement in text.split(';').filter(|statement| !statement.contains("PARTITION OF")) {
                let begin = statement.find("CREATE TABLE ").map(|at| &statement[at + "CREATE TABLE ".len()..]);
                made.extend(begin.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned));
            }
        }
        let missing: Vec<_> =
            made.iter().filter(|name| !moved.contains(name.as_str()) && !anew.contains(&name.as_str())).collect();
        assert!(missing.is_empty(), "these tables are not moved: {missing:?}");
        let gone: Vec<_> = moved.iter().filter(|name| !made.contains(**name)).collect();
        assert!(gone.is_empty(), "these tables are moved, and are not there: {gone:?}");
    }

    #[test]
    fn steps_have_names_of_their_own() {
        let steps: HashSet<&str> = TABLES.iter().map(|table| table.step).collect();
        assert_eq!(steps.len(), TABLES.len());
    }
}
