//! Every fact that all comments have, with its type, what it may be, and where it comes from. `docs/rules.md` has its table from here.

use super::super::types::{Limits, Missing, Type, Value};
use super::given::{
    author, count, email_domain, homepage, known, links_kept, maybe, model, moment, of_article, same_text, shared,
    tags, text, whole,
};
use super::{Got, Subject};
use crate::domain::category::Category;
use crate::domain::comment::Format;
use crate::domain::normalise;

/// A fact that rules may name.
pub struct Fact {
    /// Its name.
    pub path: &'static str,
    /// What it is.
    pub(in crate::domain::rules) ty: Type,
    /// What it may be, as far as that is certain.
    pub(in crate::domain::rules) limits: Limits,
    /// One clause for operators.
    pub about: &'static str,
    /// When it is missing; empty for never.
    pub missing: &'static str,
    pub(super) get: for<'a> fn(&'a Subject<'a>) -> Got<'a>,
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
const NO_TEXT: &str = "its text is too short to be recognised";
const NO_PACE: &str = "nobody can tell";
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
