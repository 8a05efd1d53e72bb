//! The page of one comment: what was decided and why, term by term, what would have let it through and what else that would let through, and
//! everything that happened to it. It is told from the frozen verdict; deciding goes through `/v1/decisions`.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use uuid::Uuid;

use super::super::State;
use super::super::problem::Problem;
use super::appeals::word_of as word_of_ruling;
use super::comment::{CommentView, Segment, revealed, segments, word_of_category};
use super::queue::{segment, signal_title};
use super::sums::{SumView, sums};
use super::texts::Texts;
use super::{Frame, page};
use crate::app::reads::card::{Context, LinkChip};
use crate::domain::category::Category;
use crate::domain::decision::{Action, Actor, Cause, DecidedBy, Record, Status, Verdict};
use crate::domain::explain::{ChangeKind, smallest_change};
use crate::domain::model::ModelOutput;
use crate::domain::people::Duty;
use crate::domain::policy::Config as PolicyConfig;
use crate::domain::reads::{AlsoLetsThrough, Glimpse};
use crate::domain::rules::{RULE, is_label};
use crate::domain::signal::{Mode, Outcome};
use crate::domain::store::{Happening, HappeningKind};
use crate::domain::time::Timestamp;

/// Somebody's comment, in a line.
pub(super) struct Line {
    /// Our name for it.
    pub uid: Uuid,
    /// Who wrote it.
    pub who: Option<String>,
    /// How it begins.
    pub text: String,
    /// What it is now, as a class and in words.
    pub status: &'static str,
    pub status_text: &'static str,
    /// When it arrived.
    pub at: Timestamp,
}

impl Line {
    pub(super) fn of(glimpse: &Glimpse, t: &'static Texts) -> Self {
        let cut = if glimpse.is_cut { "…" } else { "" };
        Self {
            uid: glimpse.uid,
            who: glimpse.author_name.as_deref().or(glimpse.author_id.as_deref()).map(revealed),
            text: format!("{}{cut}", revealed(&glimpse.snippet)),
            status: glimpse.status.name(),
            status_text: word_of_status(t, glimpse.status),
            at: glimpse.received_at,
        }
    }
}

/// A status in words.
pub(super) fn word_of_status(t: &'static Texts, status: Status) -> &'static str {
    t.say(match status {
        Status::Approved => "status.approved",
        Status::Held => "status.held",
        Status::Rejected => "status.rejected",
    })
}

/// The page of an author on a site.
pub(super) fn author_href(site: &str, author: &str) -> String {
    format!("/authors/{}/{}", segment(site), segment(author))
}

/// The page of an article on a site.
pub(super) fn article_href(site: &str, article: &str) -> String {
    format!("/articles/{}/{}", segment(site), segment(article))
}

/// A check that added nothing, and why.
struct Other {
    name: String,
    id: String,
    what: String,
}

struct Step {
    what: &'static str,
    status: &'static str,
    status_text: &'static str,
    by: String,
    at: Timestamp,
    category: Option<&'static str>,
    reason: Option<String>,
    note: Option<String>,
}

struct Earlier {
    revision: u32,
    segments: Vec<Segment>,
}

struct LinkLine {
    address: String,
    warning: Option<String>,
    past: String,
}

struct Also {
    sentence: String,
    examples: Vec<Line>,
    more: u32,
}

#[derive(Template)]
#[template(path = "comment_page.html")]
struct CommentPage {
    frame: Frame,
    comment: CommentView,
    revision: u32,
    updated_at: Timestamp,
    decided_by: &'static str,
    sentence: String,
    causes: Vec<String>,
    author: Option<String>,
    article: String,
    campaign: Option<Uuid>,
    above: Vec<Line>,
    links: Vec<LinkLine>,
    sums: Vec<SumView>,
    others: Vec<Other>,
    quiet: String,
    change: Option<String>,
    also: Option<Also>,
    history: Vec<Step>,
    earlier: Vec<Earlier>,
    policy: String,
    model: Option<String>,
}

/// One comment, and why it is where it is.
///
/// # Errors
/// 404: no such comment within reach.
pub async fn comment(
    state: web::Data<State>,
    request: HttpRequest,
    uid: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "search", Duty::Read).await?;
    let t = frame.t;
    let uid = uid.into_inner();
    let explained = state.review.explain(uid, &frame.person).await?.as_people_see();
    let behind = state.desk.behind(uid, &frame.person).await?;
    let context = state.desk.context(uid, &frame.person, frame.now).await?;
    let also = state.desk.also_lets_through(&explained.record, &frame.person).await?;
    let record = &explained.record;
    let site = state.desk.site(&record.site, &frame.person).await?;
    let known = state.store.article_find(site.id, &record.comment.article.id).await?;
    let house = state.settings.current();
    let policy = house.policy_of(&record.site).config();
    let verdict = &record.verdict;
    let comment = CommentView::of(record, known.as_ref(), verdict, t);
    let template = CommentPage {
        revision: record.revision,
        updated_at: record.updated_at,
        decided_by: t.say(match record.decided_by {
            DecidedBy::Policy => "file.by-policy",
            DecidedBy::Person => "file.by-person",
            DecidedBy::Rule => "file.by-rule",
        }),
        sentence: sentence(verdict, policy, t),
        causes: verdict.causes.iter().map(|cause| caused(cause, t)).collect(),
        author: record.comment.author.id.as_ref().map(|id| author_href(&record.site, id.as_str())),
        article: format!("{}?at={uid}", article_href(&record.site, record.comment.article.id.as_str())),
        campaign: behind.campaign,
        above: context.around.ancestors.iter().map(|one| Line::of(one, t)).collect(),
        links: links(&context, &frame),
        sums: sums(verdict, policy, t),
        others: others(verdict, t),
        quiet: quiet(verdict, t),
        change: change(record, policy, t),
        also: also.map(|also| also_view(&also, t)),
        history: explained.history.iter().map(|one| step(one, t)).collect(),
        earlier: behind
            .earlier
            .iter()
            .map(|one| Earlier { revision: one.revision, segments: segments(&one.body, &[]) })
            .collect(),
        policy: verdict.policy.clone(),
        model: match &verdict.model {
            ModelOutput::Scored { version, .. } => Some(version.clone()),
            ModelOutput::Off | ModelOutput::Unavailable { .. } => None,
        },
        comment,
        frame,
    };
    page(&template)
}

fn sentence(verdict: &Verdict, policy: &PolicyConfig, t: &'static Texts) -> String {
    let action = t.say(match verdict.action {
        Action::Approve => "file.said-approve",
        Action::Hold => "file.said-hold",
        Action::Reject => "file.said-reject",
    });
    let highest = Category::ALL.into_iter().max_by_key(|category| verdict.scores[*category]);
    let text = match (verdict.category, highest) {
        (Some(category), _) => {
            let thresholds = policy.category(category);
            let score = t.percent(verdict.scores[category].get());
            t.with2("file.because", ("category", &word_of_category(t, category)), ("score", &score))
                .replace("{hold}", &t.percent(thresholds.hold.get()))
                .replace("{reject}", &t.percent(thresholds.reject.get()))
        }
        (None, _) if !verdict.causes.is_empty() => t.say("file.because-cause").to_owned(),
        (None, Some(category)) => {
            let score = t.percent(verdict.scores[category].get());
            t.with2("file.because-low", ("category", &word_of_category(t, category)), ("score", &score))
        }
        (None, None) => String::new(),
    };
    format!("{action} {text}")
}

fn change(record: &Record, policy: &PolicyConfig, t: &'static Texts) -> Option<String> {
    let verdict = &record.verdict;
    let change = smallest_change(verdict, |category| policy.category(category).hold.get())?;
    let category = Category::from_name(&change.id);
    let name = category.map_or_else(String::new, |category| word_of_category(t, category).to_owned());
    let score = category.map_or_else(String::new, |category| t.percent(verdict.scores[category].get()));
    Some(match change.kind {
        ChangeKind::Signal => t.with("file.without-signal", "name", signal_title(&change.id, t)),
        ChangeKind::Model => t.with("file.without-model", "category", name),
        ChangeKind::Threshold => t.with2("file.with-threshold", ("category", &name), ("score", &score)),
        ChangeKind::Cause => {
            let cause = verdict.causes.iter().find(|cause| cause.id == change.id);
            t.with("file.without-cause", "cause", revealed(cause.map_or(&change.id, |cause| &cause.text)))
        }
    })
}

/// Why it was so decided, apart from scores: of a rule, a tag and a queue with its name.
fn caused(cause: &Cause, t: &'static Texts) -> String {
    let text = revealed(&cause.text);
    if cause.id.starts_with(RULE) || is_label(cause) {
        return t.with2("file.cause", ("name", &signal_title(&cause.id, t)), ("text", &text));
    }
    text
}

fn also_view(also: &AlsoLetsThrough, t: &'static Texts) -> Also {
    let of = t.number(also.looked_at);
    let text = t.count("file.also", also.comments).replace("{of}", &of);
    let wrong = t.count("file.also-rejected", also.rejected_by_people);
    let shown = u32::try_from(also.examples.len()).unwrap_or(u32::MAX);
    Also {
        sentence: if also.comments == 0 { text } else { format!("{text} {wrong}") },
        examples: also.examples.iter().map(|one| Line::of(one, t)).collect(),
        more: also.comments.saturating_sub(shown),
    }
}

/// Checks that say something and did not count: on trial, or unable to look.
fn others(verdict: &Verdict, t: &'static Texts) -> Vec<Other> {
    let said = verdict.signals.iter().filter_map(|signal| {
        let what = match (&signal.outcome, signal.mode) {
            (Outcome::Hit { evidence, .. }, Mode::Shadow) => t.with("file.on-trial", "text", revealed(evidence)),
            (Outcome::Unavailable { why }, _) => t.with("file.could-not-look", "why", revealed(why)),
            _ => return None,
        };
        Some(Other { name: signal_title(&signal.id, t), id: signal.id.to_string(), what })
    });
    said.collect()
}

/// How many checks found nothing, and how many had nothing to look at.
fn quiet(verdict: &Verdict, t: &'static Texts) -> String {
    let count = |wanted: &Outcome| verdict.signals.iter().filter(|signal| signal.outcome == *wanted).count();
    let clear = t.count("file.clear", count(&Outcome::Clear));
    format!("{clear} {}", t.count("file.not-applicable", count(&Outcome::NotApplicable)))
}

fn links(context: &Context, frame: &Frame) -> Vec<LinkLine> {
    let t = frame.t;
    let line = |link: &LinkChip| {
        let warning = match &link.shows {
            Some(shows) => Some(t.with("queue.shows", "host", revealed(shows))),
            None if link.is_disguised => Some(t.say("queue.disguised").to_owned()),
            None => None,
        };
        let past = link.past.map_or_else(
            || t.say("file.past-unknown").to_owned(),
            |past| {
                if past.uses == 0 {
                    return t.say("queue.never-seen").to_owned();
                }
                let rejected = t.count("queue.uses-rejected", past.rejected);
                format!("{}, {rejected}", t.count("queue.uses", past.uses))
            },
        );
        LinkLine { address: revealed(&link.url.chars().take(300).collect::<String>()), warning, past }
    };
    context.links.iter().map(line).collect()
}

fn step(one: &Happening, t: &'static Texts) -> Step {
    Step {
        what: t.say(match one.kind {
            HappeningKind::Received => "queue.arrived",
            HappeningKind::Edited => "queue.was-edited",
            HappeningKind::Decided => "queue.decided",
            HappeningKind::Undone => "queue.undone",
            HappeningKind::Reported => "queue.reported",
            HappeningKind::Lifted => "queue.lifted",
        }),
        status: one.status.name(),
        status_text: word_of_status(t, one.status),
        by: match &one.by {
            Actor::Site(name) | Actor::Person(name) => name.clone(),
            Actor::Console => t.say("queue.console").to_owned(),
        },
        at: one.at,
        category: one.category.map(|category| word_of_ruling(t, category)),
        reason: one.reason.as_deref().map(revealed),
        note: one.note.as_deref().map(revealed),
    }
}
