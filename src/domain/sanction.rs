//! Sanctions: bans, allow-listings and pre-moderation of authors, e-mail domains, hosts and networks; with cause, expiry and undo.
//!
//! What a sanction aims at is stored as a keyed hash ([`Target::hash`]), so that neither lists, logs nor a glance at the tables show it. It is no
//! protection against whoever has the whole database: the key stands in it, and names and addresses can be tried. Comments are matched by
//! hashing what they carry in the same way.

use std::collections::HashSet;
use std::net::IpAddr;

use async_trait::async_trait;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;
use uuid::Uuid;

use super::comment::{Author, Comment, ExternalId, Invalid};
use super::decision::{Action, Actor, Cause, DecidedBy, Record, Status, Verdict};
use super::known::Known;
use super::normalise::host_of;
use super::people::Reach;
use super::site::SiteId;
use super::store::{ListError, Page, PageRequest, Result, Ruled, Ruling};
use super::time::Timestamp;

/// What a sanction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Comments are approved, whatever the checks say.
    Allow,
    /// Comments wait for a person, whatever the checks say (unless they are rejected).
    Premoderate,
    /// Comments are rejected.
    Ban,
}

impl Measure {
    /// All measures, mildest first.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Premoderate, Self::Ban];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Premoderate => "premoderate",
            Self::Ban => "ban",
        }
    }

    /// The measure of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }
}

/// What kind of thing a sanction aims at; what comes first is more specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// An account of one site, by the site's own name for it.
    Author,
    /// Everyone whose e-mail address ends in that domain.
    EmailDomain,
    /// Everyone who links to that host, or to one below it, or has it as homepage.
    Host,
    /// Everyone who writes from that address, IPv4 /24 or /32, IPv6 /48 or /64.
    Network,
}

impl TargetKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Author, Self::EmailDomain, Self::Host, Self::Network];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::EmailDomain => "email-domain",
            Self::Host => "host",
            Self::Network => "network",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What a sanction aims at, checked and in one form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// What kind of thing.
    pub kind: TargetKind,
    value: String,
}

/// The hash that stands for a target.
pub type TargetHash = [u8; 16];

impl Target {
    /// Reads what a person wrote. `site` is needed for authors, whose names mean something on one site only.
    ///
    /// # Errors
    /// [`Invalid`]: not of that kind, or an author without a site.
    pub fn parse(kind: TargetKind, text: &str, site: Option<SiteId>) -> std::result::Result<Self, Invalid> {
        if let (TargetKind::Author, Some(site)) = (kind, site) {
            let id = ExternalId::parse("target.value", text.to_owned())?; // names are as the site writes them, blanks and all
            return Ok(Self { kind, value: author_value(site, id.as_str()) });
        }
        let text = text.trim();
        if text.is_empty() || text.chars().count() > 254 || text.chars().any(char::is_control) {
            return Err(Invalid::new("target.value", "must be 1 to 254 printable characters"));
        }
        let value = match (kind, site) {
            (TargetKind::Author, _) => {
                return Err(Invalid::new("site", "must be named: an author's id means something on one site only"));
            }
            (TargetKind::EmailDomain, _) => {
                let domain = text.rsplit('@').next().unwrap_or(text);
                host_of(domain).ok_or_else(|| Invalid::new("target.value", "is no domain such as mail.example"))?
            }
            (TargetKind::Host, _) => {
                host_of(text).ok_or_else(|| Invalid::new("target.value", "is no host such as shop.example"))?
            }
            (TargetKind::Network, _) => network_value(text)?,
        };
        Ok(Self { kind, value })
    }

    /// The keyed hash that is stored: HMAC-SHA256, cut to 128 bits.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn hash(&self, key: &[u8; 32]) -> TargetHash {
        let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        let mac = mac.chain_update(self.kind.name()).chain_update([0]).chain_update(&self.value);
        let digest = mac.finalize().into_bytes();
        let mut hash = TargetHash::default();
        hash.copy_from_slice(&digest[..16]);
        hash
    }

    /// Enough to recognise it by, and not to read it off: domains and hosts are nobody's in particular and shown whole.
    #[must_use]
    pub fn hint(&self) -> String {
        match self.kind {
            TargetKind::EmailDomain | TargetKind::Host => self.value.clone(),
            TargetKind::Author => "an author".to_owned(),
            TargetKind::Network => match self.value.split_once('/') {
                Some((_, bits)) => format!("a network (/{bits})"),
                None => "a network".to_owned(),
            },
        }
    }

    /// Everything about a comment that a sanction may aim at, the most specific first. At most a hundred hosts are looked at.
    #[must_use]
    pub fn of(comment: &Comment, site: SiteId) -> Vec<Self> {
        let mut targets = Self::of_author(&comment.sent.author, site);
        let mut seen: HashSet<&str> = HashSet::new();
        for link in comment.body.links.iter().filter(|link| seen.insert(&link.host)).take(100) {
            push_tree(&mut targets, TargetKind::Host, &link.host);
        }
        targets
    }

    /// The same of an author alone, whatever the comment says: their homepage is among the hosts.
    #[must_use]
    pub fn of_author(author: &Author, site: SiteId) -> Vec<Self> {
        let mut targets = Vec::new();
        if let Some(id) = &author.id {
            push(&mut targets, TargetKind::Author, author_value(site, id.as_str()));
        }
        if let Some(domain) = author.email.as_deref().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain)
            && let Some(host) = host_of(domain)
        {
            push_tree(&mut targets, TargetKind::EmailDomain, &host);
        }
        if let Some(host) = author.url.as_deref().and_then(host_of) {
            push_tree(&mut targets, TargetKind::Host, &host);
        }
        for value in author.ip.map(networks_of).unwrap_or_default() {
            push(&mut targets, TargetKind::Network, value);
        }
        targets
    }
}

fn push(targets: &mut Vec<Target>, kind: TargetKind, value: String) {
    let target = Target { kind, value };
    if !targets.contains(&target) {
        targets.push(target);
    }
}

fn author_value(site: SiteId, id: &str) -> String {
    format!("{}/{id}", site.0)
}

/// A host, and those above it that have a dot: the eight nearest to the root, so that no depth of names hides what is banned.
fn push_tree(targets: &mut Vec<Target>, kind: TargetKind, host: &str) {
    push(targets, kind, host.to_owned());
    let mut above: Vec<&str> = host.match_indices('.').map(|(at, _)| &host[at + 1..]).collect();
    above.retain(|name| name.contains('.'));
    for name in &above[above.len().saturating_sub(8)..] {
        push(targets, kind, (*name).to_owned());
    }
}

/// The networks that an address belongs to, narrowest first.
fn networks_of(ip: IpAddr) -> Vec<String> {
    let widths: &[u8] = if canonical(ip).is_ipv4() { &[32, 24] } else { &[64, 48] };
    widths.iter().filter_map(|bits| network(ip, *bits)).collect()
}

/// IPv4-mapped addresses are the IPv4 address.
fn canonical(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn network(ip: IpAddr, bits: u8) -> Option<String> {
    ipnet::IpNet::new(canonical(ip), bits).ok().map(|network| network.trunc().to_string())
}

fn network_value(text: &str) -> std::result::Result<String, Invalid> {
    let wrong = || Invalid::new("target.value", "is no address or network: IPv4 /32 or /24, IPv6 /64 or /48");
    let (ip, bits) = match text.split_once('/') {
        Some((ip, bits)) => (ip, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let ip = canonical(ip.parse().map_err(|_| wrong())?);
    let bits = bits.unwrap_or(if ip.is_ipv4() { 32 } else { 64 });
    let fits = if ip.is_ipv4() { matches!(bits, 24 | 32) } else { matches!(bits, 48 | 64) };
    if fits { network(ip, bits).ok_or_else(wrong) } else { Err(wrong()) }
}

/// A sanction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sanction {
    /// Our name for it, a UUID v7.
    pub uid: Uuid,
    /// Its number in the store.
    pub number: i64,
    /// On which site; `None` on all.
    pub site: Option<SiteId>,
    /// That site's name.
    pub site_name: Option<String>,
    /// What it does.
    pub measure: Measure,
    /// What kind of thing it aims at.
    pub kind: TargetKind,
    /// The hash of what it aims at.
    pub hash: TargetHash,
    /// What it aims at, as far as that is shown.
    pub hint: String,
    /// Why, in a person's words.
    pub cause: String,
    /// Whether the banned one should go on seeing their own comments.
    pub shadow: bool,
    /// Who, by e-mail.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
    /// Until when; `None` until it is lifted.
    pub expires_at: Option<Timestamp>,
    /// When it was lifted, and by whom.
    pub lifted: Option<(Timestamp, String)>,
    /// The ruling that rejected what waited when it began, if it did.
    pub ruling: Option<Uuid>,
}

impl Sanction {
    /// Whether it is in force.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.lifted.is_none() && self.expires_at.is_none_or(|until| now < until)
    }
}

/// What a sanction decides about one comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// Its number in the store.
    pub number: i64,
    /// Its name.
    pub uid: Uuid,
    /// What it does.
    pub measure: Measure,
    /// Whether the banned one should go on seeing the comment.
    pub shadow: bool,
    /// One sentence for a moderator.
    pub why: String,
}

impl Sentence {
    /// The sentence of the sanction that counts among those that meet one comment: the most specific; among equals the strictest.
    #[must_use]
    pub fn of<'a>(sanctions: impl IntoIterator<Item = &'a Sanction>) -> Option<Self> {
        let strictness = |measure: Measure| Measure::ALL.iter().position(|other| *other == measure);
        let first = sanctions.into_iter().min_by_key(|sanction| {
            (sanction.kind, std::cmp::Reverse(strictness(sanction.measure)), std::cmp::Reverse(sanction.number))
        })?;
        Some(Self {
            number: first.number,
            uid: first.uid,
            measure: first.measure,
            shadow: first.shadow && first.measure == Measure::Ban,
            // What was said of somebody on all sites may tell of other sites: one site's people see that there is such a sanction.
            why: match first.site {
                Some(_) => format!("Sanction: {} of {}: {}.", first.measure.name(), first.hint, first.cause),
                None => format!("Sanction on all sites: {} of {}.", first.measure.name(), first.hint),
            },
        })
    }

    /// What becomes of `action`, which policy would have taken.
    #[must_use]
    pub const fn applied_to(&self, action: Action) -> Action {
        match (self.measure, action) {
            (Measure::Allow, _) => Action::Approve,
            (Measure::Ban, _) | (Measure::Premoderate, Action::Reject) => Action::Reject,
            (Measure::Premoderate, _) => Action::Hold,
        }
    }

    /// The same where policy had these causes: whoever is allowed is trusted, and still cannot write where comments are closed.
    fn applied_in(&self, action: Action, causes: &[Cause]) -> Action {
        let is_closed = causes.iter().any(|cause| cause.id == "mode:closed");
        if is_closed && self.measure == Measure::Allow { action } else { self.applied_to(action) }
    }

    /// How it stands among the verdict's causes.
    #[must_use]
    pub fn cause(&self) -> Cause {
        let kind = if self.shadow { SHADOW } else { "sanction:" };
        Cause { id: format!("{kind}{}", self.uid), text: self.why.clone() }
    }
}

/// What the cause of a shadow ban begins with.
const SHADOW: &str = "shadow-ban:";

/// Whether a comment is rejected, and its author is to go on seeing it. A person's decision ends that.
#[must_use]
pub fn is_shadowed(record: &Record) -> bool {
    record.status == Status::Rejected
        && record.decided_by == DecidedBy::Rule
        && record.verdict.causes.iter().any(|cause| cause.id.starts_with(SHADOW))
}

/// A verdict under whatever sanction meets the comment.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The verdict, the sanction among its causes.
    pub verdict: Verdict,
    /// Who decided: a rule where the sanction made the difference.
    pub decided_by: DecidedBy,
    /// The difference that it made.
    pub effect: Option<Effect>,
}

/// Applies what sanctions say to what policy concluded. Pure. Whether somebody is banned and could not be looked up holds the comment, as
/// every check that could not run, unless `hold_unavailable` is off.
#[must_use]
pub fn pronounce(verdict: Verdict, sentence: &Known<Option<Sentence>>, hold_unavailable: bool) -> Judged {
    let mut judged = Judged { verdict, decided_by: DecidedBy::Policy, effect: None };
    let verdict = &mut judged.verdict;
    match sentence {
        Known::Known(Some(sentence)) => {
            let before = verdict.action;
            let after = sentence.applied_in(before, &verdict.causes);
            verdict.causes.push(sentence.cause());
            if after != before {
                verdict.action = after;
                verdict.category = None;
                judged.decided_by = DecidedBy::Rule;
                judged.effect = Some(Effect { sanction: sentence.number, without: before.status() });
            }
        }
        Known::Unavailable(why) if hold_unavailable => {
            let text = format!("Whether there is a sanction could not be looked up: {why}.");
            verdict.causes.push(Cause { id: "unavailable:sanctions".to_owned(), text });
            verdict.action = verdict.action.max(Action::Hold);
        }
        Known::Unavailable(_) | Known::NotApplicable | Known::Known(None) => {}
    }
    judged
}

/// What a sanction did to one comment, for taking it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// The sanction's number.
    pub sanction: i64,
    /// What would have become of the comment by policy alone.
    pub without: Status,
}

/// What becomes of a comment when the sanction that decided it is lifted: what policy alone would have made of it (`policy`, with these
/// causes), under what else is in force. Lifting one ban publishes nothing that another forbids. Pure.
#[must_use]
pub fn lifted_from(policy: Status, causes: &[Cause], others: Option<&Sentence>) -> (Status, Option<Effect>) {
    let Some(sentence) = others else { return (policy, None) };
    let action = match policy {
        Status::Approved => Action::Approve,
        Status::Held => Action::Hold,
        Status::Rejected => Action::Reject,
    };
    let status = sentence.applied_in(action, causes).status();
    (status, (status != policy).then_some(Effect { sanction: sentence.number, without: policy }))
}

/// A sanction to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSanction {
    /// On which site; `None` on all.
    pub site: Option<SiteId>,
    /// What it does.
    pub measure: Measure,
    /// What it aims at.
    pub kind: TargetKind,
    /// The hash of that.
    pub hash: TargetHash,
    /// What is shown of it.
    pub hint: String,
    /// Why.
    pub cause: String,
    /// Whether the banned one should go on seeing their own comments.
    pub shadow: bool,
    /// Who.
    pub by: Actor,
    /// Since when.
    pub at: Timestamp,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// A ruling in the same commit, on what of theirs is there already; it is taken back with the sanction.
    pub also: Option<Ruling>,
}

/// Which sanctions to list. All given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SanctionFilter {
    /// On these sites, and on all.
    pub reach: Reach,
    /// On that site, by name.
    pub site: Option<String>,
    /// In force at that moment.
    pub active_at: Option<Timestamp>,
    /// Lifted, or ended by that moment.
    pub over_at: Option<Timestamp>,
}

/// What became of a wish to lift a sanction.
#[derive(Debug, Clone, PartialEq)]
pub struct Lifted {
    /// The sanction as it is now.
    pub sanction: Sanction,
    /// Comments that are what they would have been without it; among the conflicts also those that another sanction in force decides alike.
    pub restored: Vec<Ruled>,
}

/// The part of the Store port that keeps sanctions.
#[async_trait]
pub trait Sanctions: Send + Sync {
    /// The key that targets are hashed with: the same on every node of one database.
    fn target_key(&self) -> [u8; 32];
    /// Begins a sanction, with its ruling, if any, in one commit.
    async fn sanction_add(&self, new: NewSanction) -> Result<(Sanction, Option<Ruled>)>;
    /// All that are in force, or will be noticed to have ended.
    async fn sanctions_active(&self, now: Timestamp) -> Result<Vec<Sanction>>;
    /// The sanction of that name.
    async fn sanction_find(&self, uid: Uuid) -> Result<Option<Sanction>>;
    /// Sanctions, newest first; lifted and expired ones too, unless the filter says otherwise.
    async fn sanction_list(
        &self,
        filter: &SanctionFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Sanction>, ListError>;
    /// Puts a sanction that was lifted in force again, until it would have ended anyway; what lifting it did stays. `None` when there is none.
    /// One that is in force is left as it is.
    async fn sanction_resume(&self, uid: Uuid, by: Actor, at: Timestamp) -> Result<Option<Sanction>>;
    /// How many comments each of these sanctions, by number, has decided and still answers for: what lifting one with `undo` would look at,
    /// without its ruling.
    async fn sanction_effects(&self, numbers: &[i64]) -> Result<Vec<u64>>;
    /// Ends a sanction; with `undo`, each comment that it decided and that nothing else has happened to since becomes what it would have been
    /// under the sanctions that are in force `at` that moment, and its ruling is taken back where that still stands.
    /// `None` when there is no such sanction, or it was lifted before.
    async fn sanction_lift(
        &self,
        uid: Uuid,
        undo: bool,
        by: Actor,
        at: Timestamp,
        tell_at: Timestamp,
    ) -> Result<Option<Lifted>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::category::{Category, PerCategory};
    use crate::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Draft};
    use crate::domain::model::ModelOutput;
    use crate::domain::normalise::normalise;

    fn sanction(number: i64, kind: TargetKind, measure: Measure) -> Sanction {
        Sanction {
            uid: Uuid::nil(),
            number,
            site: None,
            site_name: None,
            measure,
            kind,
            hash: [0; 16],
            hint: "x".to_owned(),
            cause: "y".to_owned(),
            shadow: false,
            by: "a@b.example".to_owned(),
            at: Timestamp::EPOCH,
            expires_at: None,
            lifted: None,
            ruling: None,
        }
    }

    #[test]
    fn targets_are_read_in_one_form() {
        let read = |kind, text: &str| Target::parse(kind, text, Some(SiteId(1))).map(|target| target.value);
        let cases: &[(TargetKind, &str, Option<&str>)] = &[
            (TargetKind::Network, "203.0.113.77", Some("203.0.113.77/32")),
            (TargetKind::Network, "203.0.113.77/24", Some("203.0.113.0/24")),
            (TargetKind::Network, "::ffff:203.0.113.77", Some("203.0.113.77/32")),
            (TargetKind::Network, "2001:db8:1:2:3::4", Some("2001:db8:1:2::/64")),
            (TargetKind::Network, "203.0.113.0/8", None),
            (TargetKind::Network, "everything", None),
            (TargetKind::Host, "Shop.EXAMPLE", Some("shop.example")),
            (TargetKind::EmailDomain, "ann@Mail.example", Some("mail.example")),
            (TargetKind::Host, "not a host", None),
            (TargetKind::Author, "u-7", Some("1/u-7")),
            (TargetKind::Author, " u-7", Some("1/ u-7")),
            (TargetKind::Author, "", None),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(read(*kind, text).ok().as_deref(), *expected, "{text}");
        }
        assert!(Target::parse(TargetKind::Author, "u-7", None).is_err());
    }

    #[test]
    fn hashes_depend_on_key_kind_and_value() {
        let target = |kind, text: &str| Target::parse(kind, text, Some(SiteId(1))).expect("valid");
        let one = target(TargetKind::Host, "shop.example");
        assert_eq!(one.hash(&[1; 32]), target(TargetKind::Host, "SHOP.example").hash(&[1; 32]));
        assert_ne!(one.hash(&[1; 32]), one.hash(&[2; 32]));
        assert_ne!(one.hash(&[1; 32]), target(TargetKind::EmailDomain, "shop.example").hash(&[1; 32]));
    }

    #[test]
    fn the_most_specific_counts_and_among_equals_the_strictest() {
        use TargetKind::{Author, Host, Network};
        let of = |list: &[(TargetKind, Measure)]| {
            let all: Vec<Sanction> =
                list.iter().zip(1..).map(|((kind, measure), number)| sanction(number, *kind, *measure)).collect();
            Sentence::of(&all).map(|sentence| sentence.measure)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(Network, Measure::Ban), (Author, Measure::Allow)]), Some(Measure::Allow));
        assert_eq!(of(&[(Host, Measure::Allow), (Host, Measure::Ban)]), Some(Measure::Ban));
        let premoderate = Sentence::of(&[sanction(1, Author, Measure::Premoderate)]).expect("one");
        assert_eq!(premoderate.applied_to(Action::Approve), Action::Hold);
        assert_eq!(premoderate.applied_to(Action::Reject), Action::Reject);
    }

    fn comment(body: &str) -> Comment {
        let draft = Draft {
            id: "c-1".to_owned(),
            article: ArticleDraft { id: "a-1".to_owned(), ..ArticleDraft::default() },
            author: Some(AuthorDraft {
                id: Some("u-7".to_owned()),
                email: Some("ann@mail.shop.example".to_owned()),
                url: Some("https://ann.blogs.example/".to_owned()),
                ip: Some("203.0.113.77".to_owned()),
                ..AuthorDraft::default()
            }),
            body: body.to_owned(),
            ..Draft::default()
        };
        normalise(SiteId(1), draft.parse(&Bounds::default()).expect("valid"), false)
    }

    #[test]
    fn comments_are_met_by_everything_that_they_carry() {
        let deep = "1.2.3.4.5.6.7.8.9.deep.example";
        let comment = comment(&format!("Look at https://a.b.spam.example/x and http://{deep}/ now."));
        let targets = Target::of(&comment, SiteId(1));
        let meets = |kind, value: &str, site| {
            targets.contains(&Target::parse(kind, value, Some(SiteId(site))).expect("a target"))
        };
        for (kind, value, site, met) in [
            (TargetKind::Author, "u-7", 1, true),
            (TargetKind::Author, "u-7", 2, false),
            (TargetKind::Author, "u-8", 1, false),
            (TargetKind::EmailDomain, "shop.example", 1, true),
            (TargetKind::EmailDomain, "mail.shop.example", 1, true),
            (TargetKind::EmailDomain, "other.example", 1, false),
            (TargetKind::Host, "spam.example", 1, true),
            (TargetKind::Host, "b.spam.example", 1, true),
            (TargetKind::Host, "c.spam.example", 1, false),
            (TargetKind::Host, "notspam.example", 1, false),
            (TargetKind::Host, "deep.example", 1, true),
            (TargetKind::Host, deep, 1, true),
            (TargetKind::Host, "blogs.example", 1, true),
            (TargetKind::Host, "shop.example", 1, false),
            (TargetKind::Network, "203.0.113.77", 1, true),
            (TargetKind::Network, "203.0.113.0/24", 1, true),
            (TargetKind::Network, "203.0.113.78", 1, false),
        ] {
            assert_eq!(meets(kind, value, site), met, "{} {value}", kind.name());
        }
    }

    fn verdict(action: Action, causes: &[&str]) -> Verdict {
        Verdict {
            action,
            category: (action != Action::Approve).then_some(Category::Spam),
            scores: PerCategory::default(),
            prior: PerCategory::default(),
            signals: Vec::new(),
            model: ModelOutput::Off,
            adjustments: Vec::new(),
            causes: causes.iter().map(|id| Cause { id: (*id).to_owned(), text: String::new() }).collect(),
            policy: String::new(),
        }
    }

    #[test]
    fn a_sentence_changes_the_action_and_says_what_would_have_been() {
        use Action::{Approve, Hold, Reject};
        use Measure::{Allow, Ban, Premoderate};
        for (measure, policy, causes, after, without) in [
            (Ban, Approve, &[][..], Reject, Some(Status::Approved)),
            (Ban, Hold, &[], Reject, Some(Status::Held)),
            (Ban, Reject, &[], Reject, None),
            (Premoderate, Approve, &[], Hold, Some(Status::Approved)),
            (Premoderate, Hold, &[], Hold, None),
            (Premoderate, Reject, &[], Reject, None),
            (Allow, Approve, &[], Approve, None),
            (Allow, Hold, &["mode:pre"], Approve, Some(Status::Held)),
            (Allow, Reject, &[], Approve, Some(Status::Rejected)),
            (Allow, Reject, &["mode:closed"], Reject, None),
            (Ban, Reject, &["mode:closed"], Reject, None),
        ] {
            let name = format!("{} of {policy:?} {causes:?}", measure.name());
            let sentence = Sentence::of(&[sanction(7, TargetKind::Host, measure)]);
            let judged = pronounce(verdict(policy, causes), &Known::Known(sentence), true);
            assert_eq!(judged.verdict.action, after, "{name}");
            assert_eq!(judged.effect, without.map(|without| Effect { sanction: 7, without }), "{name}");
            let decided_by = if without.is_some() { DecidedBy::Rule } else { DecidedBy::Policy };
            assert_eq!(judged.decided_by, decided_by, "{name}");
            let last = judged.verdict.causes.last().map(|cause| cause.id.as_str());
            assert!(last.is_some_and(|id| id.starts_with("sanction:")), "{name}");
        }
    }

    #[test]
    fn lifting_one_sanction_leaves_the_others_in_force() {
        use Measure::{Allow, Ban, Premoderate};
        use Status::{Approved, Held, Rejected};
        for (policy, causes, other, after, is_effect) in [
            (Approved, &[][..], None, Approved, false),
            (Approved, &[], Some(Ban), Rejected, true),
            (Approved, &[], Some(Premoderate), Held, true),
            (Held, &[], Some(Premoderate), Held, false),
            (Rejected, &[], Some(Ban), Rejected, false),
            (Rejected, &[], Some(Allow), Approved, true),
            (Rejected, &["mode:closed"], Some(Allow), Rejected, false),
        ] {
            let name = format!("{policy:?} {causes:?} under {other:?}");
            let other = other.and_then(|measure| Sentence::of(&[sanction(7, TargetKind::Host, measure)]));
            let (status, effect) = lifted_from(policy, &verdict(Action::Approve, causes).causes, other.as_ref());
            assert_eq!(status, after, "{name}");
            assert_eq!(effect, is_effect.then_some(Effect { sanction: 7, without: policy }), "{name}");
        }
    }

    #[test]
    fn sanctions_that_could_not_be_read_hold() {
        let unavailable = Known::Unavailable("the disk is gone".to_owned());
        let judged = pronounce(verdict(Action::Approve, &[]), &unavailable, true);
        assert_eq!((judged.verdict.action, judged.decided_by), (Action::Hold, DecidedBy::Policy));
        assert_eq!(judged.verdict.causes[0].id, "unavailable:sanctions");
        assert_eq!(pronounce(verdict(Action::Reject, &[]), &unavailable, true).verdict.action, Action::Reject);
        assert_eq!(pronounce(verdict(Action::Approve, &[]), &unavailable, false).verdict.action, Action::Approve);
        let none = pronounce(verdict(Action::Approve, &[]), &Known::Known(None), true);
        assert_eq!(none.verdict, verdict(Action::Approve, &[]));
    }

    #[test]
    fn one_sites_people_do_not_read_what_was_said_on_all_sites() {
        let mut one = sanction(1, TargetKind::Host, Measure::Ban);
        assert!(!Sentence::of(&[one.clone()]).expect("one").why.contains('y'), "the cause is y");
        one.site = Some(SiteId(1));
        assert!(Sentence::of(&[one]).expect("one").why.contains(": y."));
    }
}
