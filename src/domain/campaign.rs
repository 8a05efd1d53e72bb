//! Campaigns: comments that share near-duplicate text, a headline or a link target, as one thing that people decide about once.
//!
//! A campaign is recognised when enough comments, by enough authors or under enough articles, share one [`Key`]. What later comes with one of
//! its keys joins it. A comment belongs to at most one campaign. What stands on the page, what quotes what readers see there, replies of a site's own people,
//! links to the page's own site, and what people approved form none ([`Stances`], [`super::history`]).
//!
//! Deciding lies elsewhere: the check `campaign` weighs membership, [`pronounce`] holds what people have rejected once.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::comment::Comment;
use super::decision::{Action, Actor, Cause, Record, Status, Verdict};
use super::headline::{self, is_common};
use super::known::Known;
use super::normalise::{Body, registrable};
use super::people::Reach;
use super::relevance::Page;
use super::site::SiteId;
use super::store::{self, ListError, PageRequest, Result, Ruled, RulingCategory, StoreError};
use super::time::Timestamp;
use super::trace::{LinkTrace, TextTrace, Trace, text_is_quoted};

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
}

impl Key {
    /// What sharing it means.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
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
            Self::Text(_) | Self::Headline(_) => false,
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

/// How a comment carries something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// In the author's own words.
    Says,
    /// Quoted (`>`, `<blockquote>`): no mark of a campaign where it stands approved under the same article.
    Quotes,
    /// It stands on the page itself, or leads there: never a mark of a campaign.
    OnPage,
}

/// How a comment carries what its trace says, in the trace's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stances {
    /// The text; as the author's own words where nothing is said.
    pub text: Option<Stance>,
    /// The links.
    pub links: Vec<Stance>,
    /// The headlines.
    pub headlines: Vec<Stance>,
}

impl Stances {
    /// Looks at a comment and the page that it stands under, as far as that is known.
    #[must_use]
    pub fn of(comment: &Comment, page: Option<&Page>) -> Self {
        let (body, trace) = (&comment.body, &comment.trace);
        let own = page.and_then(|page| page.host.as_deref()).map(|host| LinkTrace::of_host(registrable(host)).domain);
        let link = |link: &LinkTrace| {
            if Some(link.domain) == own {
                return Stance::OnPage;
            }
            let mut written = body.links.iter().filter(|written| LinkTrace::of(written) == *link);
            if written.all(|written| body.is_quoted(&written.span)) { Stance::Quotes } else { Stance::Says }
        };
        let headline = |candidate: headline::Candidate| {
            if stands_on(page, candidate.words.iter().map(String::as_str)) {
                Stance::OnPage
            } else if body.is_quoted(&candidate.span) {
                Stance::Quotes
            } else {
                Stance::Says
            }
        };
        let text = if text_is_quoted(body) {
            Stance::Quotes
        } else if trace.text.is_some() && stands_on(page, body.words()) {
            Stance::OnPage
        } else {
            Stance::Says
        };
        let headlines = if trace.headlines.is_empty() { Vec::new() } else { headline::candidates(body) };
        Self {
            text: Some(text),
            links: trace.links.iter().map(link).collect(),
            headlines: headlines.into_iter().take(Trace::MAX_HEADLINES).map(headline).collect(),
        }
    }
}

/// Whether nearly all content words of a text stand on the page: then it was taken from there, or talks of nothing else.
fn stands_on<'a>(page: Option<&Page>, words: impl Iterator<Item = &'a str>) -> bool {
    let Some(page) = page.filter(|page| page.can_compare()) else { return false };
    let (mut all, mut carried) = (0_u32, 0_u32);
    for word in words.filter(|word| !is_common(word)) {
        all += 1;
        carried += u32::from(page.carries(word));
    }
    all >= 3 && carried * 10 >= all * 9
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
    /// What the store does not know of it yet, for all that memory can tell. Recording it twice is harmless.
    pub news: Option<News>,
    /// Members recorded of one campaign at most.
    pub most: u32,
}

/// What is new about a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
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
    /// By what it is known.
    pub keys: Vec<Key>,
    /// Counts what became known.
    pub version: u32,
    /// When it was recognised.
    pub at: Timestamp,
    /// Its latest members.
    pub members: Vec<store::Remembered>,
}

/// A change of a campaign's state, as memory needs to hear of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The campaign.
    pub uid: Uuid,
    /// What it is now.
    pub state: CampaignState,
    /// What people decided, if they did.
    pub action: Option<Action>,
    /// The one that it is part of now.
    pub into: Option<Uuid>,
}

/// A campaign as people see it. Counts are over all sites; what is shown lies within the reach of whoever asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Campaign {
    /// Its name, a UUID v7.
    pub uid: Uuid,
    /// What it is now.
    pub state: CampaignState,
    /// What people decided about all of it.
    pub action: Option<Action>,
    /// The decision.
    pub decision: Option<Uuid>,
    /// The campaign that it is part of now.
    pub into: Option<Uuid>,
    /// When it was recognised.
    pub recognised_at: Timestamp,
    /// By what it is known.
    pub keys: Vec<Key>,
    /// The number of the last that joined; grows only.
    pub size: u32,
    /// Members that are there.
    pub counts: Counts,
    /// When the first member arrived.
    pub first_at: Timestamp,
    /// When the last member arrived.
    pub last_at: Timestamp,
    /// The earliest members within reach, a few.
    pub earliest: Vec<Record>,
}

/// How many members, over all sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Counts {
    /// Comments.
    pub comments: u32,
    /// Those that stand approved.
    pub approved: u32,
    /// Those that wait.
    pub held: u32,
    /// Those that stand rejected.
    pub rejected: u32,
    /// Those that stand approved and that no person has looked at.
    pub rechecks: u32,
    /// Distinct authors.
    pub authors: u32,
    /// Distinct articles.
    pub articles: u32,
    /// Distinct sites.
    pub sites: u32,
}

/// A comment that belongs to a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The comment.
    pub record: Record,
    /// The how-manieth it was to join.
    pub number: u32,
    /// Whether it stands approved, no person has looked at it, and the campaign is open: people should.
    pub recheck: bool,
}

/// Which campaigns to list. All given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CampaignFilter {
    /// In that state.
    pub state: Option<CampaignState>,
    /// With a member on that site.
    pub site: Option<String>,
    /// With members that stand approved and that no person has looked at.
    pub recheck: bool,
    /// With a member within that reach.
    pub reach: Reach,
}

/// Which members to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemberFilter {
    /// Of that status.
    pub status: Option<Status>,
    /// To be looked at again.
    pub recheck: bool,
    /// Within that reach.
    pub reach: Reach,
}

/// A person's ruling on a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignRuling {
    /// Which.
    pub campaign: Uuid,
    /// Its size when it was seen: who joined later is left alone.
    pub seen_size: u32,
    /// Whether who joined later is decided about too.
    pub future: bool,
    /// Members that are left alone.
    pub except: Vec<Uuid>,
    /// Approve or reject.
    pub action: Action,
    /// Why, as a category.
    pub category: Option<RulingCategory>,
    /// A reason that authors may be told.
    pub reason: Option<String>,
    /// A note for colleagues.
    pub note: Option<String>,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// On which comments they work.
    pub reach: Reach,
    /// From when sites may be told.
    pub tell_at: Timestamp,
}

/// What became of a ruling on a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignRuled {
    /// As any ruling; members that a person had ruled otherwise about are its conflicts.
    pub ruled: Ruled,
    /// Members within reach that joined after it was seen, and were left alone.
    pub later: Vec<Uuid>,
    /// Members outside the person's reach.
    pub outside: u32,
    /// What the campaign is now.
    pub turn: Turn,
}

/// Why a campaign was not changed.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// There is none of that id within the person's reach.
    #[error("no campaign of that id")]
    NotFound,
    /// It was closed or merged, or has no members to decide about.
    #[error("this campaign is closed, part of another one, or has nothing left to decide")]
    Over,
    /// Some of its members lie outside the person's reach.
    #[error("some of its comments lie outside of what you work on")]
    Outside,
    /// `hold` is no ruling.
    #[error("action: must be approve or reject")]
    NoRuling,
    /// The store failed. Perhaps done: look again before sending again.
    #[error("the campaign could not be changed")]
    Store(#[from] StoreError),
}

/// The part of the Store port that keeps campaigns. Memberships come and go in the commit of their comment
/// ([`store::NewRecord::membership`]).
#[async_trait]
pub trait Campaigns: Send + Sync {
    /// What is remembered of campaigns: open ones with a member since `since`, others that changed since `decided_since`; the latest
    /// `most` of them, oldest first, each with its latest `members` members. For rebuilding the history.
    async fn campaigns_remembered(
        &self,
        since: Timestamp,
        decided_since: Timestamp,
        most: usize,
        members: u32,
    ) -> Result<Vec<KeptCampaign>>;
    /// Campaigns with a member within reach, latest first.
    async fn campaign_list(
        &self,
        filter: &CampaignFilter,
        page: &PageRequest,
    ) -> std::result::Result<store::Page<Campaign>, ListError>;
    /// A campaign with a member within reach.
    async fn campaign_find(&self, uid: Uuid, reach: &Reach) -> Result<Option<Campaign>>;
    /// Members within reach in the order in which they joined.
    async fn campaign_members(
        &self,
        uid: Uuid,
        filter: &MemberFilter,
        page: &PageRequest,
    ) -> std::result::Result<store::Page<Member>, ListError>;
    /// Rules on the members within reach in one commit, as one ruling that is taken back like any other. The campaign is decided when
    /// nothing of it lies outside the reach; taking the ruling back opens it again.
    async fn campaign_rule(&self, ruling: CampaignRuling) -> std::result::Result<CampaignRuled, CampaignError>;
    /// Closes an open campaign without a decision.
    async fn campaign_close(
        &self,
        uid: Uuid,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Turn, CampaignError>;
    /// Makes one open campaign part of another.
    async fn campaign_merge(
        &self,
        uid: Uuid,
        into: Uuid,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Turn, CampaignError>;
    /// The campaign that a ruling decided, as it is now.
    async fn campaign_of_ruling(&self, decision: Uuid) -> Result<Option<Turn>>;
}

/// Applies what people decided about a comment's campaign to what policy concluded: a later member of a rejected one is held at least. Pure.
#[must_use]
pub fn pronounce(mut verdict: Verdict, past: &Known<Option<CampaignPast>>, rejected: Later) -> Verdict {
    let Some(past) = past.get().and_then(Option::as_ref) else { return verdict };
    if past.action != Some(Action::Reject) {
        return verdict;
    }
    let floor = match rejected {
        Later::Hold => Action::Hold,
        Later::Reject => Action::Reject,
    };
    let text = format!("People rejected the campaign {} that this belongs to.", past.campaign);
    verdict.causes.push(Cause { id: "campaign:rejected".to_owned(), text });
    if verdict.action < floor {
        verdict.action = floor;
        verdict.category = None;
    }
    verdict
}

/// What a campaign shows of itself, taken from a member: the part that it shares, and where its links lead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// The headline or text that its comments share, or all of a comment that only shares a link; at most 300 characters.
    pub text: String,
    /// Where the links that its comments share lead, without scheme, at most ten.
    pub targets: Vec<String>,
}

impl Sample {
    /// Characters shown at most.
    const MAX_TEXT: usize = 300;
    /// Link targets shown at most.
    const MAX_TARGETS: usize = 10;

    /// Adds what one member, read as a body, shows of the campaign's keys.
    pub fn add(&mut self, body: &Body, keys: &[Key]) {
        for link in &body.links {
            let shared = keys.iter().any(|key| key.is_link(LinkTrace::of(link)));
            if shared && self.targets.len() < Self::MAX_TARGETS && !self.targets.contains(&link.url) {
                self.targets.push(link.url.clone());
            }
        }
        if self.text.is_empty() {
            let is_shared = |candidate: &headline::Candidate| {
                let alike = |key: &Key| matches!(key, Key::Headline(of) if of.similarity(&candidate.trace) >= 0.4);
                keys.iter().any(alike)
            };
            let whole = keys.iter().any(|key| matches!(key, Key::Text(_)));
            let part = headline::candidates(body).into_iter().find(is_shared).filter(|_| !whole);
            let text = part.map_or_else(|| body.plain.text().trim().to_owned(), |candidate| candidate.words.join(" "));
            self.text = text.chars().take(Self::MAX_TEXT).collect();
        }
    }
}
