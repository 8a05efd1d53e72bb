//! One card: everything that a moderator needs to decide about a comment, as texts and marks. What the template shows is made here, so that it
//! only has to lay it out.

use url::form_urlencoded;
use uuid::Uuid;

use super::super::marks::{Segment, cut, plain};
use super::super::texts::Texts;
use super::wish::Wish;
use crate::app::reads::card::{Context, HostPast};
use crate::domain::category::Category;
use crate::domain::comment::{Author, Format};
use crate::domain::decision::{Record, Verdict};
use crate::domain::model::ModelOutput;
use crate::domain::normalise::{Body, LinkKind, host_of};
use crate::domain::reads::AuthorNumbers;
use crate::domain::rules::{QUEUE, RULE, TAG};
use crate::domain::scores::LogOdds;
use crate::domain::service::Levels;
use crate::domain::signal::{Field, Mode, Outcome, Span};
use crate::domain::store::{AuthorKind, QueueItem};
use crate::domain::time::Timestamp;

/// Of a text that much stands on a card until somebody asks for all of it.
const BODY: (usize, usize) = (2_400, 24);
/// The same of a comment that is answered.
const PARENT: (usize, usize) = (400, 4);
/// Links that are shown.
const LINKS: usize = 8;
/// Words of the model that are shown.
const TERMS: usize = 8;
/// What a reason adds at least to be worth a chip.
const WORTH: f64 = 0.005;

/// Why a comment is where it is: a signal that hit or could not look, the model, or another cause.
#[derive(Debug, Clone)]
pub(super) struct Reason {
    /// Its name for people.
    pub title: String,
    /// What it adds, with its sign; none for what is not counted in log-odds.
    pub weight: Option<String>,
    /// The category that it counts for, as a class.
    pub tone: &'static str,
    /// One sentence.
    pub evidence: String,
    /// Whether it is shown only, and does not count.
    pub is_shadow: bool,
    /// Whether it speaks for holding the comment, or about the category that it is held for: worth a chip.
    pub counts: bool,
    /// Everything else that it hit.
    pub others: Option<String>,
    log_odds: f64,
    spans: Vec<Span>,
}

/// A word of the model.
#[derive(Debug, Clone)]
pub(super) struct Term {
    /// The word or property.
    pub text: Vec<Segment>,
    /// Its share.
    pub weight: String,
    /// The category that it speaks for, as a class; none when it speaks against it.
    pub tone: &'static str,
}

/// A link, to be looked at and not to be followed.
#[derive(Debug, Clone)]
pub(super) struct LinkView {
    /// The host.
    pub host: String,
    /// What follows the host.
    pub path: Vec<Segment>,
    /// The text that carries it, when it is not the address.
    pub text: Option<Vec<Segment>>,
    /// Something wrong with it, in a few words.
    pub warning: Option<String>,
    /// What is remembered of the host.
    pub past: Option<String>,
}

/// Somebody's words around the comment.
#[derive(Debug, Clone)]
pub(super) struct Words {
    /// Who.
    pub who: Vec<Segment>,
    /// What.
    pub text: Vec<Segment>,
}

/// What stands around a comment, where it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Around {
    /// The author's history in numbers.
    pub record: Option<String>,
    /// The comment that is answered.
    pub parent: Option<Words>,
    /// Where links lead, when more is known than the comment itself says.
    pub links: Option<Vec<LinkView>>,
}

/// One card.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub uid: Uuid,
    /// Part of ids in the page.
    pub key: String,
    pub version: u32,
    pub site: String,
    /// The category as a class; empty without one.
    pub tone: &'static str,
    /// The category's name.
    pub category: String,
    pub name: Vec<Segment>,
    pub is_named: bool,
    pub badges: Vec<String>,
    pub author_page: Option<String>,
    /// All that waits of this author.
    pub author_only: Option<String>,
    /// What the author can be sanctioned by, as kinds of targets, between blanks.
    pub aims: String,
    /// Hosts that can be sanctioned, between blanks.
    pub hosts: String,
    /// More that the author sent: what it is called, what it says.
    pub details: Vec<(&'static str, Vec<Segment>)>,
    pub received: String,
    pub received_ago: String,
    pub held: String,
    pub held_ago: String,
    pub place: String,
    /// By when it is to be answered, in words; and whether that is over.
    pub due: Option<(String, bool)>,
    pub is_answer: bool,
    pub lang: Option<String>,
    pub text: Vec<Segment>,
    /// How much of the text is left out.
    pub left_out: Option<String>,
    pub section: Option<String>,
    pub article: Vec<Segment>,
    pub article_page: String,
    pub reasons: Vec<Reason>,
    pub terms: Vec<Term>,
    /// Pages of the campaign: its own, and what of it waits.
    pub campaign: Option<(String, String)>,
    pub reports: Vec<Words>,
    pub votes: Option<String>,
    /// Who works on it.
    pub claim: Option<String>,
    pub is_mine: bool,
    pub around: Around,
}

/// For whom, and when.
#[derive(Clone, Copy)]
pub(super) struct Looking<'a> {
    pub t: &'static Texts,
    pub me: &'a str,
    pub now: Timestamp,
    /// Whether texts are shown to their end.
    pub whole: bool,
    /// Named queues, and how soon what waits there is to be answered.
    pub levels: &'a Levels,
    /// From which score a category holds on a site.
    pub hold: &'a dyn Fn(&str, Category) -> f64,
}

impl Around {
    /// What stands around a comment, in words.
    pub(super) fn of(context: &Context, t: &'static Texts, now: Timestamp) -> Self {
        let parent = context.around.ancestors.first().map(|parent| {
            let who = parent.author_name.as_deref().or(parent.author_id.as_deref());
            let cut = if parent.is_cut { "\u{2026}" } else { "" };
            words(who, &format!("{}{cut}", parent.snippet))
        });
        let links = context.links.iter().take(LINKS).map(|link| {
            let warning = if link.is_disguised {
                Some(t.say("queue.disguised").to_owned())
            } else {
                link.shows.as_ref().map(|shown| t.with("queue.shows", "host", shown))
            };
            link_view(
                &link.url,
                &link.host,
                link.text.as_deref(),
                warning,
                link.past.map(|past| host_past(past, t, now)),
            )
        });
        let links = links.collect();
        Self { record: context.around.author.map(|numbers| record(numbers, t, now)), parent, links: Some(links) }
    }
}

/// An author's history in numbers.
fn record(numbers: AuthorNumbers, t: &'static Texts, now: Timestamp) -> String {
    let all = numbers.all;
    let Some(first) = numbers.first_at.filter(|_| all.total() > 0) else {
        return t.say("queue.first-comment").to_owned();
    };
    let decided = t.with2("queue.record", ("approved", &t.number(all.approved)), ("rejected", &t.number(all.rejected)));
    let waiting = if all.held > 0 { format!(", {}", t.count("queue.record-held", all.held)) } else { String::new() };
    let age = t.span(now.millis_since(first) / 1_000);
    let since = match numbers.goes_further_back {
        true => t.with("queue.record-further", "age", age),
        false => t.with("queue.record-since", "age", age),
    };
    format!("{decided}{waiting}, {since}")
}

/// What is remembered of where a link leads.
fn host_past(past: HostPast, t: &'static Texts, now: Timestamp) -> String {
    let Some(first) = past.first_at.filter(|_| past.uses > 0) else { return t.say("queue.never-seen").to_owned() };
    let uses = t.count("queue.uses", past.uses);
    let rejected =
        if past.rejected > 0 { format!(", {}", t.count("queue.uses-rejected", past.rejected)) } else { String::new() };
    let since = t.with("queue.first-seen", "age", t.span(now.millis_since(first) / 1_000));
    format!("{uses}{rejected}, {since}")
}

impl Card {
    pub(super) fn new(item: &QueueItem, around: Around, looking: Looking<'_>) -> Self {
        let (t, now) = (looking.t, looking.now);
        let record = item.record.as_people_see();
        let comment = &record.comment;
        let author = &comment.author;
        let reasons = reasons(&record.verdict, t);
        let marked = |field: Field, text: &str, (bytes, lines)| cut(text, &spans(&reasons, field), bytes, lines);
        let all = (usize::MAX, usize::MAX);
        let body = marked(Field::Body, &comment.body, if looking.whole { all } else { BODY });
        let links = Body::read(&comment.body, comment.format).links;
        let name = author.name.as_deref().filter(|name| !name.trim().is_empty());
        let author_id = author.id.as_ref().map(ToString::to_string);
        let mut hosts: Vec<&str> = links.iter().map(|link| link.host.as_str()).take(LINKS).collect();
        hosts.dedup();
        let category = record.verdict.category;
        let mut details = Vec::new();
        for (label, field, text) in [
            ("queue.homepage", Field::AuthorUrl, &author.url),
            ("queue.email", Field::AuthorEmail, &author.email),
            ("queue.honeypot", Field::Honeypot, &comment.honeypot),
        ] {
            if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                details.push((label, marked(field, text, (300, 2)).segments));
            }
        }
        let site = record.site.to_string();
        let uid = record.uid.to_string();
        Self {
            uid: record.uid,
            key: uid[uid.len() - 12..].to_owned(),
            version: record.version,
            tone: category.map_or("", Category::name),
            category: t.say(&format!("category.{}", category.map_or("none", Category::name))).to_owned(),
            name: marked(Field::AuthorName, name.unwrap_or_default(), (200, 1)).segments,
            is_named: name.is_some(),
            badges: badges(&record, item.author_kind, t),
            author_page: author_id.as_deref().map(|id| format!("/authors/{}/{}", segment(&site), segment(id))),
            author_only: author_id.map(|id| Wish::of(&[("site", &site), ("author", &id)]).href()),
            aims: aims(author),
            hosts: hosts.join(" "),
            details,
            received: record.received_at.to_string(),
            received_ago: t.ago(&record.received_at, &now),
            held: item.held_at.to_string(),
            held_ago: t.ago(&item.held_at, &now),
            place: place(item, category, looking),
            due: due(item, looking),
            is_answer: comment.parent_id.is_some(),
            lang: comment.article.lang.clone().or_else(|| item.article.lang.clone()),
            text: body.segments,
            left_out: (body.left_out > 0).then(|| t.count("queue.left-out", body.left_out as u64)),
            section: comment.article.section.clone().or_else(|| item.article.section.clone()),
            article: plain(item.article.title.as_deref().unwrap_or_else(|| item.article.id.as_str())),
            article_page: format!("/articles/{}/{}?at={uid}", segment(&site), segment(item.article.id.as_str())),
            terms: terms(&record.verdict, t),
            campaign: item.campaign.map(|campaign| {
                let name = campaign.to_string();
                (format!("/campaigns/{name}"), Wish::of(&[("campaign", &name)]).href())
            }),
            reports: reports(item, t),
            votes: (item.readers.up + item.readers.down > 0)
                .then(|| t.with2("queue.votes", ("up", &item.readers.up), ("down", &item.readers.down))),
            claim: item.claim.as_ref().map(|claim| claim.by.clone()),
            is_mine: item.claim.as_ref().is_some_and(|claim| claim.by == looking.me),
            around: Around { links: Some(around.links.unwrap_or_else(|| seen_links(&links, t))), ..around },
            reasons,
            site,
        }
    }

    /// Its links, as far as they are known.
    pub(super) fn links(&self) -> &[LinkView] {
        self.around.links.as_deref().unwrap_or_default()
    }
}

/// A part of a path, from whatever text.
pub(in super::super) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A signal's name for people, or that of a rule, a tag or a queue.
pub(in super::super) fn signal_title(id: &str, t: &'static Texts) -> String {
    for (prefix, key) in [(RULE, "queue.rule"), (TAG, "queue.tag"), (QUEUE, "queue.routed")] {
        if let Some(name) = id.strip_prefix(prefix) {
            return t.with(key, "name", name);
        }
    }
    let key = format!("signal.{id}");
    if t.knows(&key) { t.say(&key).to_owned() } else { id.to_owned() }
}

fn spans(reasons: &[Reason], field: Field) -> Vec<(std::ops::Range<usize>, usize)> {
    let of = |(number, reason): (usize, &Reason)| {
        let spans = reason.spans.iter().filter(move |span| span.field == field);
        spans.map(move |span| (span.start as usize..span.end as usize, number)).collect::<Vec<_>>()
    };
    reasons.iter().enumerate().flat_map(of).collect()
}

/// All reasons: what is not a score first, then what weighs most.
fn reasons(verdict: &Verdict, t: &'static Texts) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for signal in &verdict.signals {
        let (weight, evidence, spans) = match &signal.outcome {
            Outcome::Hit { weight, evidence, spans } => (Some(*weight), evidence.clone(), spans.clone()),
            Outcome::Unavailable { why } => (None, t.with("queue.unavailable", "why", why), Vec::new()),
            Outcome::Clear | Outcome::NotApplicable => continue,
        };
        reasons.push(Reason {
            title: signal_title(&signal.id, t),
            // A rule that adds nothing has no amount.
            weight: weight.filter(|weight| *weight != LogOdds::ZERO).map(|weight| t.signed(weight.get())),
            tone: signal.category.name(),
            evidence,
            is_shadow: signal.mode == Mode::Shadow,
            counts: false,
            others: Some(Wish::of(&[("signal", &signal.id)]).href()),
            log_odds: weight.unwrap_or(LogOdds::ZERO).get(),
            spans,
        });
    }
    let mut other = |title: String, log_odds: f64, tone, evidence| {
        let weight = Some(t.signed(log_odds));
        reasons.push(Reason {
            title,
            weight,
            tone,
            evidence,
            is_shadow: false,
            counts: true,
            others: None,
            log_odds,
            spans: Vec::new(),
        });
    };
    for category in Category::ALL {
        let model = verdict.model.log_odds(category).get();
        if model.abs() >= WORTH {
            let name = t.say(&format!("category.{}", category.name())).to_owned();
            other(t.say("queue.model").to_owned(), model, category.name(), t.with("queue.model-of", "category", name));
        }
    }
    for one in verdict.adjustments.iter().filter(|one| one.log_odds.get().abs() >= WORTH) {
        let text = if one.text.is_empty() { one.id.clone() } else { one.text.clone() };
        other(adjustment_title(&one.id), one.log_odds.get(), one.category.name(), text);
    }
    for reason in &mut reasons {
        reason.counts =
            reason.log_odds > 0.0 || verdict.category.is_some_and(|category| category.name() == reason.tone);
    }
    // What speaks for it first, most of it first; then what speaks against it.
    reasons.sort_by(|a, b| a.is_shadow.cmp(&b.is_shadow).then(b.log_odds.total_cmp(&a.log_odds)));
    let causes = verdict.causes.iter().map(|cause| Reason {
        title: signal_title(&cause.id, t),
        weight: None,
        tone: "held",
        evidence: cause.text.clone(),
        is_shadow: false,
        counts: true,
        others: None,
        log_odds: 0.0,
        spans: Vec::new(),
    });
    causes.chain(reasons).collect()
}

/// The name that an operator gave a composite rule, in words; the id of anything else.
fn adjustment_title(id: &str) -> String {
    id.strip_prefix("composite:").map_or_else(|| id.to_owned(), |name| name.replace('-', " "))
}

fn terms(verdict: &Verdict, t: &'static Texts) -> Vec<Term> {
    let ModelOutput::Scored { terms, .. } = &verdict.model else { return Vec::new() };
    let term = |term: &crate::domain::model::Term| Term {
        text: plain(&term.text),
        weight: t.signed(term.log_odds.get()),
        tone: if term.log_odds > LogOdds::ZERO { term.category.name() } else { "" },
    };
    terms.iter().take(TERMS).map(term).collect()
}

fn badges(record: &Record, kind: AuthorKind, t: &'static Texts) -> Vec<String> {
    let comment = &record.comment;
    let mut badges: Vec<String> = comment.author.role.iter().cloned().collect();
    badges.push(t.say(if kind == AuthorKind::New { "queue.author-new" } else { "queue.author-known" }).to_owned());
    match comment.format {
        Format::Text => {}
        Format::Html => badges.push("HTML".to_owned()),
        Format::Markdown => badges.push("Markdown".to_owned()),
    }
    if record.revision > 1 {
        badges.push(t.count("queue.edited", record.revision - 1));
    }
    badges
}

fn aims(author: &Author) -> String {
    let parts = [
        author.id.is_some().then_some("author"),
        author.ip.is_some().then_some("network"),
        author.email.is_some().then_some("email-domain"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Why it stands where it stands. Nothing here looks at the scores: what was drawn to check on the machine reads like everything else.
fn place(item: &QueueItem, category: Option<Category>, looking: Looking<'_>) -> String {
    let t = looking.t;
    let score = t.decimal(item.priority, 2);
    if item.readers.reports > 0 && (item.readers.urgency() - item.priority).abs() < 1e-9 {
        return t.with("queue.place-reports", "score", score);
    }
    let Some(category) = category else { return t.with("queue.place-other", "score", score) };
    let name = t.say(&format!("category.{}", category.name())).to_owned();
    let over = item.priority - (looking.hold)(&item.record.site, category);
    let said = t.with2("queue.place-score", ("score", &score), ("category", &name));
    if over > 0.0 { format!("{said}, {}", t.with("queue.place-over", "over", t.decimal(over, 2))) } else { said }
}

/// By when it is to be answered: in working hours, as people count them.
fn due(item: &QueueItem, looking: Looking<'_>) -> Option<(String, bool)> {
    let queue = item.queue.as_deref()?;
    let t = looking.t;
    let Some(due) = looking.levels.due(queue, item.held_at, looking.now) else {
        return Some((queue.to_owned(), false));
    };
    let span = t.span_worked(due.left_ms.unsigned_abs() / 1_000);
    let said = t.with(if due.is_over() { "queue.overdue" } else { "queue.due-in" }, "span", span);
    Some((format!("{queue}: {said}"), due.is_over()))
}

fn reports(item: &QueueItem, t: &'static Texts) -> Vec<Words> {
    let words = |report: &crate::domain::readers::ReportSeen| {
        let category = report.category.map(|category| serde_json::to_value(category).unwrap_or_default());
        let name = category.as_ref().and_then(serde_json::Value::as_str).unwrap_or("none");
        let key = format!("category.{name}");
        let who = plain(t.say(&key));
        Words { who, text: cut(report.text.as_deref().unwrap_or_default(), &[], PARENT.0, PARENT.1).segments }
    };
    item.reports.iter().map(words).collect()
}

fn seen_links(links: &[crate::domain::normalise::Link], t: &'static Texts) -> Vec<LinkView> {
    let mut views: Vec<LinkView> = Vec::new();
    for link in links.iter().take(LINKS) {
        let shown = link.text.as_deref().and_then(host_of);
        let elsewhere = shown.filter(|shown| *shown != link.host);
        let warning = if link.kind == LinkKind::Disguised {
            Some(t.say("queue.disguised").to_owned())
        } else {
            elsewhere.map(|shown| t.with("queue.shows", "host", shown))
        };
        views.push(link_view(&link.url, &link.host, link.text.as_deref(), warning, None));
    }
    views
}

/// A link's parts.
fn link_view(url: &str, host: &str, text: Option<&str>, warning: Option<String>, past: Option<String>) -> LinkView {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.find('/').map_or("", |at| &path[at..]);
    let path = if path == "/" { "" } else { path };
    LinkView {
        host: host.to_owned(),
        path: cut(path, &[], 120, 1).segments,
        text: text.filter(|text| !text.trim().is_empty()).map(|text| cut(text.trim(), &[], 120, 1).segments),
        warning,
        past,
    }
}

/// The comment that is answered.
fn words(who: Option<&str>, text: &str) -> Words {
    Words { who: plain(who.unwrap_or_default()), text: cut(text, &[], PARENT.0, PARENT.1).segments }
}
