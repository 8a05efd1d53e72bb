//! What a link of a comment has, as [`super::table`] says it of comments.

use super::super::types::{Limits, Missing, Type, Value};
use super::given::{known, maybe, text, whole};
use super::{Got, Subject};
use crate::domain::history::LinkPast;
use crate::domain::normalise::{Link, LinkKind};
use crate::domain::trace::LinkTrace;

/// What a link has.
pub struct LinkFact {
    /// Its name behind the link.
    pub name: &'static str,
    /// What it is.
    pub(in crate::domain::rules) ty: Type,
    /// What it may be.
    pub(in crate::domain::rules) limits: Limits,
    /// One clause for operators.
    pub about: &'static str,
    /// When it is missing; empty for never.
    pub missing: &'static str,
    pub(super) get: for<'a> fn(&'a Subject<'a>, &'a Link) -> Got<'a>,
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

fn of_link<'a>(s: &'a Subject<'a>, link: &Link, of: fn(&LinkPast) -> u32) -> Got<'a> {
    let past = known(&s.context.past.links)?;
    let trace = LinkTrace::of(link);
    let at = s.context.comment.trace.links.iter().position(|seen| *seen == trace).ok_or(Missing::NotApplicable)?;
    whole(of(past.get(at).ok_or(Missing::NotApplicable)?))
}
