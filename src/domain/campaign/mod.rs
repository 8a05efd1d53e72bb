//! Campaigns: comments that share near-duplicate text, a headline or a link target, as one thing that people decide about once.
//!
//! A campaign is recognised when enough comments, by enough authors or under enough articles, share one [`Key`]. What later comes with one of
//! its keys joins it. A comment belongs to at most one campaign. What stands on the page, what quotes what readers see there, replies of a site's own people,
//! links to the page's own site, and what people approved form none ([`Stances`], [`super::history`]).
//!
//! Deciding lies elsewhere: the check `campaign` weighs membership, [`pronounce`] holds what people have rejected once.

mod port;
mod stances;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::port::{
    Campaign, CampaignError, CampaignFilter, CampaignRuled, CampaignRuling, Campaigns, Counts, Member, MemberFilter,
    Sample,
};
pub use self::stances::{LazyStances, Stance, Stances};
use super::decision::{Action, Cause, Verdict};
use super::known::Known;
use super::site::SiteId;
use super::store::Remembered;
use super::time::Timestamp;
use super::trace::{LinkTrace, TextTrace};

/// `[campaigns]`: when comments are recognised as a campaign, and what follows for later ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether campaigns are recognised.
    pub enabled: bool,
    /// Days within which comments must lie; at most `history.window_days`.
    pub window_days: u32,
    /// Comments from which it is one.
    pub min_comments: u32,
    /// Authors from which a text that comes again is one.
    pub min_authors: u32,
    /// Articles from which a text that comes again is one; links and headlines always need as many.
    pub min_articles: u32,
    /// Authors from which a short text that comes again is one, under as many articles as any other; zero for never.
    pub short_authors: u32,
    /// What the three are multiplied by for addresses on domains that everybody links to.
    pub popular_factor: u32,
    /// Comments from which a domain may be one, whatever the addresses, when people or the policy rejected a quarter of them.
    pub domain_comments: u32,
    /// Campaigns kept in memory at most.
    pub max_campaigns: usize,
    /// Members recorded of one campaign at most.
    pub max_members: u32,
    /// Days for which what people decided about a campaign counts for later comments.
    pub remember_days: u32,
    /// What becomes of later members of a campaign that people rejected.
    pub rejected: Later,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            window_days: 30,
            min_comments: 3,
            min_authors: 3,
            min_articles: 3,
            short_authors: 5,
            popular_factor: 3,
            domain_comments: 6,
            max_campaigns: 1_000,
            max_members: 5_000,
            remember_days: 180,
            rejected: Later::Hold,
        }
    }
}

/// What becomes of later members of a campaign that people rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Later {
    /// They are held at least; rejected only with other evidence.
    #[default]
    Hold,
    /// They are rejected.
    Reject,
}

/// For how long whoever joins a rejected campaign may be rejected unseen, in milliseconds: 30 days. Whoever wants that for longer says so again.
pub const RULE_MS_MAX: i64 = 30 * 86_400_000;
/// The same where nobody says until when: a day.
pub const RULE_MS: i64 = 86_400_000;

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("campaigns.{key}: {problem}")]
pub struct BadCampaigns {
    key: &'static str,
    problem: String,
}

impl Config {
    /// Whether it can work beside a history that looks back `history_days`.
    ///
    /// # Errors
    /// [`BadCampaigns`], naming the key.
    pub fn check(&self, history_days: u32) -> std::result::Result<(), BadCampaigns> {
        let bad = |key, problem: String| Err(BadCampaigns { key, problem });
        if self.window_days == 0 || self.window_days > history_days {
            let problem = format!("must lie within 1 and history.window_days ({history_days})");
            return bad("window_days", problem);
        }
        for (key, value) in [("min_comments", self.min_comments), ("domain_comments", self.domain_comments)] {
            if value < 2 {
                return bad(key, "must be at least 2".to_owned());
            }
        }
        let counts =
            [("min_authors", self.min_authors), ("min_articles", self.min_articles), ("max_members", self.max_members)];
        for (key, value) in counts.into_iter().chain([("popular_factor", self.popular_factor)]) {
            if value == 0 {
                return bad(key, "must be at least 1".to_owned());
            }
        }
        if self.short_authors == 1 {
            return bad("short_authors", "must be 0 (never) or at least 2".to_owned());
        }
        if self.max_campaigns == 0 {
            return bad("max_campaigns", "must be at least 1".to_owned());
        }
        Ok(())
    }
}

/// What a campaign's comments share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The same or nearly the same text.
    Text,
    /// The same or a reworded headline.
    Headline,
    /// A link target.
    Link,
}

/// One thing by which later comments are told to belong: fingerprints, free of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
    /// A whole text.
    Text(TextTrace),
    /// A headline.
    Headline(TextTrace),
    /// An address.
    Url(u64),
    /// A registrable domain.
    Domain(u64),
    /// A short text.
    Short(TextTrace),
}

impl Key {
    /// What sharing it means.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) | Self::Short(_) => Kind::Text,
            Self::Headline(_) => Kind::Headline,
            Self::Url(_) | Self::Domain(_) => Kind::Link,
        }
    }

    /// Whether a link leads there.
    #[must_use]
    pub fn is_link(&self, link: LinkTrace) -> bool {
        match self {
            Self::Url(url) => *url == link.url,
            Self::Domain(domain) => *domain == link.domain,
            Self::Text(_) | Self::Short(_) | Self::Headline(_) => false,
        }
    }
}

/// What a campaign is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CampaignState {
    /// Nobody has decided about it.
    Open,
    /// People decided about all of it.
    Decided,
    /// People found that it is none, or it has been quiet for as long as is looked back.
    Closed,
    /// It is part of another one now.
    Merged,
}

impl CampaignState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Open, Self::Decided, Self::Closed, Self::Merged];

    /// Its name in JSON and in list filters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Decided => "decided",
            Self::Closed => "closed",
            Self::Merged => "merged",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// The campaign that a comment belongs to, as the checks see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignPast {
    /// Its name.
    pub campaign: Uuid,
    /// What its comments share.
    pub kinds: Vec<Kind>,
    /// What it is now.
    pub state: CampaignState,
    /// What people decided about all of it.
    pub action: Option<Action>,
    /// Until when whoever joins is rejected unseen, because a person said so.
    pub rule_until: Option<Timestamp>,
    /// Members besides this comment, on all sites, as far back as is remembered.
    pub comments: u32,
    /// Distinct authors, counted up to a bound.
    pub authors: u32,
    /// Distinct articles, counted up to a bound.
    pub articles: u32,
    /// Distinct sites.
    pub sites: u32,
    /// Members that stand rejected.
    pub rejected: u32,
    /// Members that a person approved.
    pub approved_by_person: u32,
    /// When the first arrived.
    pub first_at: Timestamp,
    /// When the last arrived.
    pub last_at: Timestamp,
}

impl CampaignPast {
    /// Which, how large, since when: one clause for a moderator.
    #[must_use]
    pub fn sentence(&self) -> String {
        let count = |count: u32, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let mut sentence = format!(
            "{} by {} under {}",
            count(self.comments, "other comment", "other comments"),
            count(self.authors, "author", "authors"),
            count(self.articles, "article", "articles"),
        );
        if self.sites > 1 {
            sentence += &format!(" on {} sites", self.sites);
        }
        if self.rejected > 0 {
            sentence += &format!(", {} of them rejected", self.rejected);
        }
        sentence
    }
}

/// What a comment's own commit records of its campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    /// The campaign.
    pub campaign: Uuid,
    /// How many belong to it with this one, for all that memory can tell.
    pub joined: u32,
    /// What the store does not know of it yet, for all that memory can tell. Recording it twice is harmless.
    pub news: Option<News>,
    /// Members recorded of one campaign at most.
    pub most: u32,
}

/// What is new about a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// Whether it was recognised just now.
    pub first: bool,
    /// Counts what became known; an older one does not undo a newer one.
    pub version: u32,
    /// When it was recognised.
    pub at: Timestamp,
    /// Everything by which it is known now.
    pub keys: Vec<Key>,
    /// Earlier comments that belong to it, by site and the site's id. One that is on its way joins when it is stored.
    pub members: Vec<(SiteId, Box<str>)>,
    /// Campaigns that turned out to be this one.
    pub absorbs: Vec<Uuid>,
    /// Open campaigns whose last member arrived before that have been quiet for long enough, and are closed.
    pub quiet_before: Timestamp,
}

/// A campaign as memory needs it on start.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptCampaign {
    /// Its name.
    pub uid: Uuid,
    /// What it is.
    pub state: CampaignState,
    /// What people decided.
    pub action: Option<Action>,
    /// Where that holds, or where it is closed; `None` for all sites.
    pub sites: Option<Vec<SiteId>>,
    /// Until when whoever joins is rejected unseen.
    pub rule_until: Option<Timestamp>,
    /// By what it is known.
    pub keys: Vec<Key>,
    /// Counts what became known.
    pub version: u32,
    /// When it was recognised.
    pub at: Timestamp,
    /// When the last of it arrived, whether or not that one is recorded as a member.
    pub last_at: Timestamp,
    /// Its latest members.
    pub members: Vec<Remembered>,
}

/// A change of a campaign's state, as memory needs to hear of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The campaign.
    pub uid: Uuid,
    /// What it is now.
    pub state: CampaignState,
    /// What people decided, if they did.
    pub action: Option<Action>,
    /// Where that holds, or where it is closed, when whoever said so does not work on all sites; `None` for all. Elsewhere it is open.
    pub sites: Option<Vec<SiteId>>,
    /// Until when whoever joins is rejected unseen.
    pub rule_until: Option<Timestamp>,
    /// The one that it is part of now.
    pub into: Option<Uuid>,
}

/// Applies what people decided about a comment's campaign to what policy concluded: a later member of a rejected one is held at least, and
/// rejected for as long as a person said. Pure.
#[must_use]
pub fn pronounce(
    mut verdict: Verdict,
    past: &Known<Option<Box<CampaignPast>>>,
    rejected: Later,
    now: Timestamp,
) -> Verdict {
    let Some(past) = past.get().and_then(Option::as_ref) else { return verdict };
    if past.action != Some(Action::Reject) {
        return verdict;
    }
    let campaign = past.campaign;
    let (floor, id, text) = match (past.rule_until.filter(|until| now < *until), rejected) {
        (Some(until), _) => {
            let text = format!("Until {until} whatever joins the campaign {campaign} is rejected, people said.");
            (Action::Reject, "campaign:rule", text)
        }
        (None, rejected) => {
            let floor = if rejected == Later::Reject { Action::Reject } else { Action::Hold };
            (floor, "campaign:rejected", format!("People rejected the campaign {campaign} that this belongs to."))
        }
    };
    verdict.causes.push(Cause { id: id.to_owned(), text });
    if verdict.action < floor {
        verdict.action = floor;
        verdict.category = None;
    }
    verdict
}
