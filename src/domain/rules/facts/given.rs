//! What was sent, is known or was found, as the values that rules work with; and what was not, as missing.

use std::rc::Rc;

use super::super::types::{Missing, Text, Value};
use super::{Got, Subject};
use crate::domain::category::Category;
use crate::domain::comment::Article;
use crate::domain::history::{AuthorPast, Sightings};
use crate::domain::known::Known;
use crate::domain::model::ModelOutput;
use crate::domain::normalise::host_of;
use crate::domain::time::Timestamp;

#[expect(clippy::unnecessary_wraps, reason = "facts are asked in one way, and most may be missing")]
pub(super) fn text(text: &str) -> Got<'_> {
    Ok(Value::Text(Text::Borrowed(text)))
}

#[expect(clippy::unnecessary_wraps, reason = "facts are asked in one way, and most may be missing")]
pub(super) fn shared<'a>(text: &str) -> Got<'a> {
    Ok(Value::Text(Text::Shared(Rc::from(text))))
}

/// The links that are looked at.
pub(super) fn links_kept<'a>(s: &'a Subject<'a>) -> Value<'a> {
    let numbers = 0..u32::try_from(s.links().len()).unwrap_or(u32::MAX);
    Value::List(numbers.map(Value::Link).collect())
}

pub(super) fn maybe(text: Option<&str>) -> Got<'_> {
    text.map_or(Err(Missing::NotApplicable), self::text)
}

#[expect(clippy::unnecessary_wraps, reason = "facts are asked in one way, and most may be missing")]
pub(super) fn count<'a>(count: usize) -> Got<'a> {
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

#[expect(clippy::unnecessary_wraps, reason = "facts are asked in one way, and most may be missing")]
pub(super) fn whole<'a>(count: u32) -> Got<'a> {
    Ok(Value::Int(i64::from(count)))
}

pub(super) fn moment<'a>(at: Option<Timestamp>) -> Got<'a> {
    at.map_or(Err(Missing::NotApplicable), |at| Ok(Value::Time(at.as_millis())))
}

pub(super) fn known<T>(known: &Known<T>) -> Result<&T, Missing> {
    match known {
        Known::Known(value) => Ok(value),
        Known::NotApplicable => Err(Missing::NotApplicable),
        Known::Unavailable(why) => Err(Missing::Unavailable(Rc::from(why.as_str()))),
    }
}

pub(super) fn author<'a>(s: &'a Subject<'a>, of: fn(&AuthorPast) -> u32) -> Got<'a> {
    whole(of(known(&s.context.past.author)?))
}

pub(super) fn same_text<'a>(s: &'a Subject<'a>, of: fn(&Sightings) -> u32) -> Got<'a> {
    whole(of(known(&s.context.past.text)?))
}

pub(super) fn email_domain<'a>(s: &'a Subject<'a>) -> Got<'a> {
    let email = s.context.comment.sent.author.email.as_deref();
    let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain.trim().to_lowercase());
    domain.map_or(Err(Missing::NotApplicable), |domain| shared(&domain))
}

pub(super) fn homepage<'a>(s: &'a Subject<'a>) -> Got<'a> {
    let host = s.context.comment.sent.author.url.as_deref().and_then(host_of);
    host.map_or(Err(Missing::NotApplicable), |host| shared(&host))
}

/// What came with the comment, or else what is known of the article.
pub(super) fn of_article<'a>(s: &'a Subject<'a>, of: fn(&Article) -> Option<&str>) -> Got<'a> {
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

pub(super) fn tags<'a>(s: &'a Subject<'a>) -> Got<'a> {
    let sent = &s.context.comment.sent.article.tags;
    let all = match &s.context.page {
        _ if !sent.is_empty() => sent,
        Known::Known(page) => &page.article.tags,
        Known::NotApplicable => sent,
        Known::Unavailable(why) => return Err(Missing::Unavailable(Rc::from(why.as_str()))),
    };
    Ok(Value::List(all.iter().map(|tag| Value::Text(Text::Borrowed(tag))).collect()))
}

pub(super) fn model<'a>(s: &'a Subject<'a>, category: Category) -> Got<'a> {
    match s.model {
        ModelOutput::Scored { .. } => Ok(Value::Double(s.model.log_odds(category).get())),
        ModelOutput::Off => Err(Missing::NotApplicable),
        ModelOutput::Unavailable { why } => Err(Missing::Unavailable(Rc::from(why.as_str()))),
    }
}
