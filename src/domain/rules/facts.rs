//! What rules may name: every fact with its type, what it may be, and where it comes from. `docs/rules.md` has its table from here.
//!
//! A fact is looked up when the first rule asks for it, and once for all rules. What the site did not send, or what could not be had, is
//! [`Missing`]: a rule that hangs on it says so, and never "no".

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use super::lists::{Kind, List, Lists, too_many_places};
use super::types::{Limits, Missing, Text, Type, Value};
use crate::domain::category::{Category, PerCategory};
use crate::domain::comment::{Article, Format};
use crate::domain::history::{AuthorPast, Sightings};
use crate::domain::known::Known;
use crate::domain::listed::TooMany;
use crate::domain::model::ModelOutput;
use crate::domain::normalise::{self, Link, LinkKind, Mapped, fold_plain, host_of};
use crate::domain::policy::{Circumstances, Policy};
use crate::domain::scores::Score;
use crate::domain::signal::{Context, Evaluated, Field, LIST, Outcome};
use crate::domain::time::Timestamp;
use crate::domain::trace::LinkTrace;

/// What became of asking for a fact.
pub(super) type Got<'a> = Result<Value<'a>, Missing>;

/// One comment, as rules see it: after every check and the model, before policy.
#[derive(Debug)]
pub struct Subject<'a> {
    /// What the checks saw.
    pub context: &'a Context<'a>,
    /// The site's name.
    pub site: &'a str,
    /// What the checks found.
    pub signals: &'a [Evaluated],
    /// What the model said.
    pub model: &'a ModelOutput,
    /// What would decide without rules.
    pub policy: &'a Policy,
    /// What that needs to know.
    pub about: &'a Circumstances<'a>,
    scores: OnceCell<PerCategory<Score>>,
}

impl<'a> Subject<'a> {
    /// Of a comment that everything but rules has looked at.
    #[must_use]
    pub fn new(
        context: &'a Context<'a>,
        site: &'a str,
        signals: &'a [Evaluated],
        model: &'a ModelOutput,
        policy: &'a Policy,
        about: &'a Circumstances<'a>,
    ) -> Self {
        Self { context, site, signals, model, policy, about, scores: OnceCell::new() }
    }

    fn score(&self, category: Category) -> f64 {
        self.scores.get_or_init(|| self.policy.scores(self.signals, self.model, self.about))[category].get()
    }

    fn links(&self) -> &'a [Link] {
        &self.context.comment.body.links
    }
}

/// A fact that rules may name.
pub struct Fact {
    /// Its name.
    pub path: &'static str,
    /// What it is.
    pub(super) ty: Type,
    /// What it may be, as far as that is certain.
    pub(super) limits: Limits,
    /// One clause for operators.
    pub about: &'static str,
    /// When it is missing; empty for never.
    pub missing: &'static str,
    get: for<'a> fn(&'a Subject<'a>) -> Got<'a>,
}

impl Fact {
    /// The name of its type.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.ty.name()
    }
}

const fn fact(
    path: &'static str,
    ty: Type,
    limits: Limits,
    about: &'static str,
    missing: &'static str,
    get: for<'a> fn(&'a Subject<'a>) -> Got<'a>,
) -> Fact {
    Fact { path, ty, limits, about, missing, get }
}

const NOT_SENT: &str = "the site did not send it";
const NO_PAGE: &str = "the site never sent it";
const NO_ACCOUNT: &str = "the site did not say who wrote it";
const TEXT: Limits = Limits::Bytes(4_000);
const NAME: Limits = Limits::Bytes(500);

/// All of them but signals and lists, whose names are the operator's and the checks'.
pub const FACTS: &[Fact] = &[
    fact("comment.text", Type::Text, Limits::Bytes(65_536), "the text as readers see it, without markup", "", |s| {
        text(s.context.comment.body.plain.text())
    }),
    fact(
        "comment.folded",
        Type::Text,
        Limits::Bytes(65_536),
        "the same in small letters, with disguises undone",
        "",
        |s| text(s.context.comment.body.folded.text()),
    ),
    fact(
        "comment.format",
        Type::Text,
        Limits::OneOf(&["text", "html", "markdown"]),
        "how it is written: `text`, `html` or `markdown`",
        "",
        |s| {
            text(match s.context.comment.sent.format {
                Format::Text => "text",
                Format::Html => "html",
                Format::Markdown => "markdown",
            })
        },
    ),
    fact("comment.chars", Type::Int, Limits::Count, "characters of the text as readers see it", "", |s| {
        count(s.context.comment.body.plain.text().chars().count())
    }),
    fact("comment.words", Type::Int, Limits::Count, "words; in scripts without blanks, characters", "", |s| {
        count(s.context.comment.body.words.len())
    }),
    fact(
        "comment.links",
        Type::Int,
        Limits::Count,
        "links, those beyond the 500 that are looked at included",
        "",
        |s| count(s.context.comment.body.links_total),
    ),
    fact(
        "comment.lang",
        Type::Text,
        NAME,
        "its language as an ISO 639-1 code, told by its words or said by the site",
        "nobody can tell",
        |s| {
            let comment = s.context.comment;
            normalise::language(&comment.sent, &comment.body).map_or(Err(Missing::NotApplicable), |lang| shared(&lang))
        },
    ),
    fact("comment.quotes", Type::Bool, Limits::None, "whether a part of it is quoted", "", |s| {
        Ok(Value::Bool(!s.context.comment.body.quotes.is_empty()))
    }),
    fact("comment.is_reply", Type::Bool, Limits::None, "whether it answers another comment", "", |s| {
        Ok(Value::Bool(s.context.comment.sent.parent_id.is_some()))
    }),
    fact("comment.honeypot", Type::Text, TEXT, "what stands in the form's hidden field", NOT_SENT, |s| {
        maybe(s.context.comment.sent.honeypot.as_deref())
    }),
    fact(
        "comment.typing_ms",
        Type::Int,
        Limits::Count,
        "milliseconds between opening the form and sending it",
        NOT_SENT,
        |s| {
            let typing = s.context.comment.sent.typing_ms.ok_or(Missing::NotApplicable)?;
            Ok(Value::Int(i64::try_from(typing).unwrap_or(i64::MAX)))
        },
    ),
    fact("comment.referrer", Type::Text, TEXT, "the page that the form was sent from", NOT_SENT, |s| {
        maybe(s.context.comment.sent.referrer.as_deref())
    }),
    fact("comment.created_at", Type::Time, Limits::None, "when it was written, as the site says", NOT_SENT, |s| {
        moment(s.context.comment.sent.created_at)
    }),
    fact("author.id", Type::Text, NAME, "the site's name for the account", NOT_SENT, |s| {
        maybe(s.context.comment.sent.author.id.as_ref().map(crate::domain::comment::ExternalId::as_str))
    }),
    fact("author.name", Type::Text, NAME, "the name shown to readers", NOT_SENT, |s| {
        maybe(s.context.comment.sent.author.name.as_deref())
    }),
    fact("author.email", Type::Text, TEXT, "the e-mail address", NOT_SENT, |s| {
        maybe(s.context.comment.sent.author.email.as_deref())
    }),
    fact("author.email_domain", Type::Text, TEXT, "what follows the `@`, in small letters", NOT_SENT, email_domain),
    fact("author.url", Type::Text, TEXT, "the homepage", NOT_SENT, |s| {
        maybe(s.context.comment.sent.author.url.as_deref())
    }),
    fact("author.host", Type::Text, TEXT, "the homepage's host, without `www.`", NOT_SENT, homepage),
    fact("author.ip", Type::Text, NAME, "the address that it came from", NOT_SENT, |s| {
        s.context.comment.sent.author.ip.map_or(Err(Missing::NotApplicable), |ip| shared(&ip.to_string()))
    }),
    fact("author.user_agent", Type::Text, TEXT, "the browser", NOT_SENT, |s| {
        maybe(s.context.comment.sent.author.user_agent.as_deref())
    }),
    fact("author.role", Type::Text, NAME, "the role, as the site calls it", NOT_SENT, |s| {
        maybe(s.context.comment.sent.author.role.as_deref())
    }),
    fact("author.staff", Type::Bool, Limits::None, "whether the role is one of `trust.staff_roles`", "", |s| {
        Ok(Value::Bool(s.context.comment.trace.staff))
    }),
    fact("author.registered_at", Type::Time, Limits::None, "since when there is the account", NOT_SENT, |s| {
        moment(s.context.comment.sent.author.registered_at)
    }),
    fact("article.id", Type::Text, NAME, "the site's name for the article", "", |s| {
        text(s.context.comment.sent.article.id.as_str())
    }),
    fact("article.url", Type::Text, TEXT, "where it lies", NO_PAGE, |s| {
        of_article(s, |article| article.url.as_deref())
    }),
    fact("article.title", Type::Text, Limits::Bytes(2_000), "its title", NO_PAGE, |s| {
        of_article(s, |article| article.title.as_deref())
    }),
    fact("article.section", Type::Text, NAME, "its section", NO_PAGE, |s| {
        of_article(s, |article| article.section.as_deref())
    }),
    fact("article.lang", Type::Text, NAME, "its language, as the site says", NO_PAGE, |s| {
        of_article(s, |article| article.lang.as_deref())
    }),
    fact("article.tags", Type::Texts, Limits::Items(100), "its tags; none where the site sent none", "", tags),
    fact("site", Type::Text, NAME, "the site's name", "", |s| text(s.site)),
    fact("now", Type::Time, Limits::None, "when the comment is judged", "", |s| {
        Ok(Value::Time(s.context.now.as_millis()))
    }),
    fact(
        "links",
        Type::Links,
        Limits::Items(500),
        "the links; what each of them has is below",
        "there are more than 500, and the first 500 decide nothing",
        |s| {
            let is_cut = s.context.comment.body.links_total > s.links().len();
            if is_cut { Err(Missing::failed("too many links to look at")) } else { Ok(links_kept(s)) }
        },
    ),
    fact(
        "scores.spam",
        Type::Double,
        Limits::Probability,
        "the score for spam by signals and model, before rules",
        "",
        |s| Ok(Value::Double(s.score(Category::Spam))),
    ),
    fact("scores.off_topic", Type::Double, Limits::Probability, "the same for off-topic", "", |s| {
        Ok(Value::Double(s.score(Category::OffTopic)))
    }),
    fact("scores.abuse", Type::Double, Limits::Probability, "the same for abuse", "", |s| {
        Ok(Value::Double(s.score(Category::Abuse)))
    }),
    fact("model.spam", Type::Double, Limits::None, "log-odds that the model adds for spam", "there is no model", |s| {
        model(s, Category::Spam)
    }),
    fact("model.abuse", Type::Double, Limits::None, "the same for abuse", "there is no model", |s| {
        model(s, Category::Abuse)
    }),
    fact(
        "history.author.approved",
        Type::Int,
        Limits::Count,
        "the author's comments that stand approved",
        NO_ACCOUNT,
        |s| author(s, |past| past.approved),
    ),
    fact(
        "history.author.approved_by_person",
        Type::Int,
        Limits::Count,
        "those that a person approved",
        NO_ACCOUNT,
        |s| author(s, |past| past.approved_by_person),
    ),
    fact(
        "history.author.rejected",
        Type::Int,
        Limits::Count,
        "the author's comments that stand rejected",
        NO_ACCOUNT,
        |s| author(s, |past| past.rejected),
    ),
    fact(
        "history.author.rejected_by_person",
        Type::Int,
        Limits::Count,
        "those that a person rejected",
        NO_ACCOUNT,
        |s| author(s, |past| past.rejected_by_person),
    ),
    fact("history.author.held", Type::Int, Limits::Count, "the author's comments that wait", NO_ACCOUNT, |s| {
        author(s, |past| past.held)
    }),
    fact(
        "history.author.first_at",
        Type::Time,
        Limits::None,
        "when the author's first comment came",
        "there is none",
        |s| moment(known(&s.context.past.author)?.first_at),
    ),
    fact(
        "history.author.last_at",
        Type::Time,
        Limits::None,
        "when the author's latest comment came",
        "there is none",
        |s| moment(known(&s.context.past.author)?.last_at),
    ),
    fact(
        "history.text.comments",
        Type::Int,
        Limits::Count,
        "earlier comments that say the same or nearly the same",
        NO_TEXT,
        |s| same_text(s, |seen| seen.comments),
    ),
    fact("history.text.authors", Type::Int, Limits::Count, "how many people wrote them", NO_TEXT, |s| {
        same_text(s, |seen| seen.authors)
    }),
    fact("history.text.articles", Type::Int, Limits::Count, "under how many articles they stand", NO_TEXT, |s| {
        same_text(s, |seen| seen.articles)
    }),
    fact("history.text.sites", Type::Int, Limits::Count, "on how many sites", NO_TEXT, |s| {
        same_text(s, |seen| seen.sites)
    }),
    fact("history.text.rejected", Type::Int, Limits::Count, "how many of them stand rejected", NO_TEXT, |s| {
        same_text(s, |seen| seen.rejected)
    }),
    fact(
        "history.pace.by_author",
        Type::Int,
        Limits::Count,
        "comments by the same author in the last ten minutes",
        NO_PACE,
        |s| whole(known(&s.context.past.pace)?.by_author),
    ),
    fact(
        "history.pace.under_article",
        Type::Int,
        Limits::Count,
        "comments under the same article in the last ten minutes",
        NO_PACE,
        |s| whole(known(&s.context.past.pace)?.under_article),
    ),
    fact(
        "history.pace.by_newcomers",
        Type::Int,
        Limits::Count,
        "of those, by people of whom nothing was approved before",
        NO_PACE,
        |s| whole(known(&s.context.past.pace)?.by_newcomers),
    ),
    fact(
        "history.reports",
        Type::Int,
        Limits::Count,
        "readers' reports of an earlier text of this comment",
        "it is new",
        |s| whole(known(&s.context.past.readers)?.reports),
    ),
    fact(
        "history.campaign",
        Type::Int,
        Limits::Count,
        "other comments of the campaign that it belongs to; 0 for none",
        "",
        |s| whole(known(&s.context.past.campaign)?.as_ref().map_or(0, |campaign| campaign.comments)),
    ),
];

const NO_TEXT: &str = "its text is too short to be recognised";
const NO_PACE: &str = "nobody can tell";

/// What a link has.
pub struct LinkFact {
    /// Its name behind the link.
    pub name: &'static str,
    /// What it is.
    pub(super) ty: Type,
    /// What it may be.
    pub(super) limits: Limits,
    /// One clause for operators.
    pub about: &'static str,
    /// When it is missing; empty for never.
    pub missing: &'static str,
    get: for<'a> fn(&'a Subject<'a>, &'a Link) -> Got<'a>,
}

impl LinkFact {
    /// The name of its type.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.ty.name()
    }
}

/// All links together are no longer than the text that they stand in: a single one of this length is the most there is on average.
const LINK: Limits = Limits::Bytes(256);
/// A link that the past was not asked about.
const NOT_ASKED: &str = "it is not among the first 32";

/// All of them.
pub const LINK_FACTS: &[LinkFact] = &[
    LinkFact {
        name: "url",
        ty: Type::Text,
        limits: LINK,
        about: "the address",
        missing: "",
        get: |_, link| text(&link.url),
    },
    LinkFact {
        name: "host",
        ty: Type::Text,
        limits: LINK,
        about: "the host, without `www.`",
        missing: "",
        get: |_, link| text(&link.host),
    },
    LinkFact {
        name: "domain",
        ty: Type::Text,
        limits: LINK,
        about: "the registrable domain",
        missing: "",
        get: |_, link| text(&link.domain),
    },
    LinkFact {
        name: "text",
        ty: Type::Text,
        limits: LINK,
        about: "the text that carries it",
        missing: "it is the address itself",
        get: |_, link| maybe(link.text.as_deref()),
    },
    LinkFact {
        name: "kind",
        ty: Type::Text,
        limits: Limits::OneOf(&["anchor", "bare", "disguised"]),
        about: "how it is written: `anchor`, `bare` or `disguised`",
        missing: "",
        get: |_, link| {
            text(match link.kind {
                LinkKind::Anchor => "anchor",
                LinkKind::Bare => "bare",
                LinkKind::Disguised => "disguised",
            })
        },
    },
    LinkFact {
        name: "own",
        ty: Type::Bool,
        limits: Limits::None,
        about: "whether it leads to the article's own domain",
        missing: "",
        get: |s, link| Ok(Value::Bool(s.context.is_own(&link.domain))),
    },
    LinkFact {
        name: "quoted",
        ty: Type::Bool,
        limits: Limits::None,
        about: "whether it stands in a quoted part",
        missing: "",
        get: |s, link| Ok(Value::Bool(s.context.comment.body.touches_quote(&link.span))),
    },
    LinkFact {
        name: "seen",
        ty: Type::Int,
        limits: Limits::Count,
        about: "earlier comments with the same address",
        missing: NOT_ASKED,
        get: |s, link| of_link(s, link, |past| past.url.comments),
    },
    LinkFact {
        name: "rejected",
        ty: Type::Int,
        limits: Limits::Count,
        about: "how many of them stand rejected",
        missing: NOT_ASKED,
        get: |s, link| of_link(s, link, |past| past.url.rejected),
    },
    LinkFact {
        name: "domain_seen",
        ty: Type::Int,
        limits: Limits::Count,
        about: "earlier comments with a link to the same domain",
        missing: NOT_ASKED,
        get: |s, link| of_link(s, link, |past| past.domain.comments),
    },
    LinkFact {
        name: "domain_rejected",
        ty: Type::Int,
        limits: Limits::Count,
        about: "how many of them stand rejected",
        missing: NOT_ASKED,
        get: |s, link| of_link(s, link, |past| past.domain.rejected),
    },
];

#[expect(clippy::unnecessary_wraps, reason = "facts are asked in one way, and most may be missing")]
fn text(text: &str) -> Got<'_> {
    Ok(Value::Text(Text::Borrowed(text)))
}

#[expect(clippy::unnecessary_wraps, reason = "facts are asked in one way, and most may be missing")]
fn shared<'a>(text: &str) -> Got<'a> {
    Ok(Value::Text(Text::Shared(Rc::from(text))))
}

/// The links that are looked at.
fn links_kept<'a>(s: &'a Subject<'a>) -> Value<'a> {
    let numbers = 0..u32::try_from(s.links().len()).unwrap_or(u32::MAX);
    Value::List(numbers.map(Value::Link).collect())
}

fn maybe(text: Option<&str>) -> Got<'_> {
    text.map_or(Err(Missing::NotApplicable), self::text)
}

#[expect(clippy::unnecessary_wraps, reason = "facts are asked in one way, and most may be missing")]
fn count<'a>(count: usize) -> Got<'a> {
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

#[expect(clippy::unnecessary_wraps, reason = "facts are asked in one way, and most may be missing")]
fn whole<'a>(count: u32) -> Got<'a> {
    Ok(Value::Int(i64::from(count)))
}

fn moment<'a>(at: Option<Timestamp>) -> Got<'a> {
    at.map_or(Err(Missing::NotApplicable), |at| Ok(Value::Time(at.as_millis())))
}

fn known<T>(known: &Known<T>) -> Result<&T, Missing> {
    match known {
        Known::Known(value) => Ok(value),
        Known::NotApplicable => Err(Missing::NotApplicable),
        Known::Unavailable(why) => Err(Missing::Unavailable(Rc::from(why.as_str()))),
    }
}

fn author<'a>(s: &'a Subject<'a>, of: fn(&AuthorPast) -> u32) -> Got<'a> {
    whole(of(known(&s.context.past.author)?))
}

fn same_text<'a>(s: &'a Subject<'a>, of: fn(&Sightings) -> u32) -> Got<'a> {
    whole(of(known(&s.context.past.text)?))
}

fn email_domain<'a>(s: &'a Subject<'a>) -> Got<'a> {
    let email = s.context.comment.sent.author.email.as_deref();
    let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain.trim().to_lowercase());
    domain.map_or(Err(Missing::NotApplicable), |domain| shared(&domain))
}

fn homepage<'a>(s: &'a Subject<'a>) -> Got<'a> {
    let host = s.context.comment.sent.author.url.as_deref().and_then(host_of);
    host.map_or(Err(Missing::NotApplicable), |host| shared(&host))
}

/// What came with the comment, or else what is known of the article.
fn of_article<'a>(s: &'a Subject<'a>, of: fn(&Article) -> Option<&str>) -> Got<'a> {
    if let Some(sent) = of(&s.context.comment.sent.article) {
        return text(sent);
    }
    let page = match &s.context.page {
        Known::Known(page) => page,
        Known::NotApplicable => return Err(Missing::NotApplicable),
        Known::Unavailable(why) => return Err(Missing::Unavailable(Rc::from(why.as_str()))),
    };
    maybe(of(&page.article))
}

fn tags<'a>(s: &'a Subject<'a>) -> Got<'a> {
    let sent = &s.context.comment.sent.article.tags;
    let all = match &s.context.page {
        _ if !sent.is_empty() => sent,
        Known::Known(page) => &page.article.tags,
        Known::NotApplicable => sent,
        Known::Unavailable(why) => return Err(Missing::Unavailable(Rc::from(why.as_str()))),
    };
    Ok(Value::List(all.iter().map(|tag| Value::Text(Text::Borrowed(tag))).collect()))
}

fn model<'a>(s: &'a Subject<'a>, category: Category) -> Got<'a> {
    match s.model {
        ModelOutput::Scored { .. } => Ok(Value::Double(s.model.log_odds(category).get())),
        ModelOutput::Off => Err(Missing::NotApplicable),
        ModelOutput::Unavailable { why } => Err(Missing::Unavailable(Rc::from(why.as_str()))),
    }
}

fn of_link<'a>(s: &'a Subject<'a>, link: &Link, of: fn(&crate::domain::history::LinkPast) -> u32) -> Got<'a> {
    let past = known(&s.context.past.links)?;
    let trace = LinkTrace::of(link);
    let at = s.context.comment.trace.links.iter().position(|seen| *seen == trace).ok_or(Missing::NotApplicable)?;
    whole(of(past.get(at).ok_or(Missing::NotApplicable)?))
}

/// What a rule named, made once for all rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// One of [`FACTS`].
    Fact(u16),
    /// Whether a signal hit, by its place in the list of signals.
    Hit(u16),
    /// What a signal that hit weighs.
    Weight(u16),
    /// The entries of a list that the comment holds.
    List(u16),
    /// Whether the comment's text holds an entry of a list.
    InText(u16),
}

/// Where an entry of a list was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListHit<'a> {
    /// The entry.
    pub entry: &'a str,
    /// In which field; none for a link or a domain, which is no text.
    pub field: Field,
    /// Where, in bytes of the field as sent; empty where it stands in no text.
    pub range: Range<usize>,
}

/// Entries of one list that are told of one comment, and places that are kept.
const HITS_MAX: usize = 200;

/// What one comment holds of a list.
#[derive(Debug, Default)]
pub(super) struct Hits<'a> {
    /// The first of the places.
    pub places: Vec<ListHit<'a>>,
    /// The entries, each once.
    pub entries: BTreeSet<&'a str>,
    /// Whether one stands in the comment's text.
    in_text: bool,
    /// Whether there may be more than was looked at.
    is_cut: bool,
}

impl<'a> Hits<'a> {
    fn add(&mut self, entry: &'a str, field: Field, range: impl FnOnce() -> Range<usize>) {
        self.in_text |= field == Field::Body;
        if self.places.len() < HITS_MAX {
            self.places.push(ListHit { entry, field, range: range() });
        }
        if self.entries.len() < HITS_MAX {
            self.entries.insert(entry);
        } else {
            self.is_cut |= !self.entries.contains(entry);
        }
    }

    fn words(&mut self, list: &'a List, folded: &Mapped, field: Field) {
        for found in list.words_in(folded.text()) {
            match found {
                Ok((entry, range)) => self.add(entry, field, || folded.original(range)),
                Err(TooMany) => self.is_cut = true,
            }
        }
    }

    fn as_list(&self) -> Value<'a> {
        Value::List(self.entries.iter().map(|entry| Value::Text(Text::Borrowed(entry))).collect())
    }
}

/// What rules asked of one comment so far.
pub(super) struct Facts<'a> {
    pub subject: &'a Subject<'a>,
    pub lists: &'a Lists,
    keys: &'a [Key],
    slots: Vec<OnceCell<Got<'a>>>,
    hits: Vec<OnceCell<Rc<Hits<'a>>>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(subject: &'a Subject<'a>, lists: &'a Lists, keys: &'a [Key]) -> Self {
        let slots = keys.iter().map(|_| OnceCell::new()).collect();
        let hits = lists.all().iter().map(|_| OnceCell::new()).collect();
        Self { subject, lists, keys, slots, hits }
    }

    /// The fact of that number.
    pub(super) fn get(&self, number: u32) -> Got<'a> {
        let at = number as usize;
        match (self.slots.get(at), self.keys.get(at)) {
            (Some(slot), Some(key)) => slot.get_or_init(|| self.ask(*key)).clone(),
            _ => Err(Missing::NotApplicable),
        }
    }

    /// What a link has.
    pub(super) fn of_link(&self, link: u32, fact: u8) -> Got<'a> {
        match (self.subject.links().get(link as usize), LINK_FACTS.get(fact as usize)) {
            (Some(link), Some(fact)) => (fact.get)(self.subject, link),
            _ => Err(Missing::NotApplicable),
        }
    }

    fn ask(&self, key: Key) -> Got<'a> {
        match key {
            Key::Fact(number) => {
                FACTS.get(number as usize).map_or(Err(Missing::NotApplicable), |it| (it.get)(self.subject))
            }
            Key::Hit(number) => Ok(Value::Bool(self.signal(number)?.is_some())),
            Key::Weight(number) => Ok(Value::Double(self.signal(number)?.unwrap_or(0.0))),
            Key::List(number) => {
                let hits = self.hits(number);
                if hits.is_cut { Err(too_many_places()) } else { Ok(hits.as_list()) }
            }
            Key::InText(number) => {
                let hits = self.hits(number);
                if hits.is_cut && !hits.in_text { Err(too_many_places()) } else { Ok(Value::Bool(hits.in_text)) }
            }
        }
    }

    /// What a signal weighs, if it hit.
    fn signal(&self, number: u16) -> Result<Option<f64>, Missing> {
        let id = LIST.get(number as usize).map_or("", |meta| meta.id);
        let found = self.subject.signals.iter().find(|signal| signal.id == id);
        match found.map(|signal| &signal.outcome) {
            Some(Outcome::Hit { weight, .. }) => Ok(Some(weight.get())),
            Some(Outcome::Clear) => Ok(None),
            Some(Outcome::Unavailable { why }) => Err(Missing::Unavailable(Rc::from(why.as_str()))),
            Some(Outcome::NotApplicable) | None => Err(Missing::NotApplicable),
        }
    }

    /// What there is of a list of which not everything was looked at: enough to say that something is on it, never that it is not.
    pub(super) fn so_far(&self, number: u32) -> Option<Value<'a>> {
        match self.keys.get(number as usize)? {
            Key::List(list) => Some(self.hits(*list).as_list()),
            Key::Fact(fact) if FACTS.get(*fact as usize)?.ty == Type::Links => Some(links_kept(self.subject)),
            _ => None,
        }
    }

    /// Where the comment holds entries of a list.
    pub(super) fn hits(&self, number: u16) -> Rc<Hits<'a>> {
        let Some(slot) = self.hits.get(number as usize) else { return Rc::default() };
        Rc::clone(slot.get_or_init(|| Rc::new(self.look_through(number))))
    }

    fn look_through(&self, number: u16) -> Hits<'a> {
        let mut hits = Hits::default();
        let Some(list) = self.lists.all().get(number as usize) else { return hits };
        let comment = self.subject.context.comment;
        let author = &comment.sent.author;
        match list.kind() {
            Kind::Words => {
                hits.words(list, &comment.body.folded, Field::Body);
                if let Some(name) = &author.name {
                    hits.words(list, &fold_plain(name), Field::AuthorName);
                }
            }
            Kind::Hosts => {
                for link in &comment.body.links {
                    if let Some(entry) = list.host(&link.host) {
                        hits.add(entry, Field::Body, || link.span.clone());
                    }
                }
                hits.is_cut |= comment.body.links_total > comment.body.links.len();
                let homepage = author.url.as_deref().and_then(host_of);
                if let Some(entry) = homepage.as_deref().and_then(|host| list.host(host)) {
                    hits.add(entry, Field::AuthorUrl, || 0..author.url.as_ref().map_or(0, String::len));
                }
                let domain = author.email.as_deref().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
                if let Some(entry) = domain.and_then(host_of).as_deref().and_then(|host| list.host(host)) {
                    hits.add(entry, Field::AuthorEmail, || 0..author.email.as_ref().map_or(0, String::len));
                }
            }
        }
        hits
    }
}
