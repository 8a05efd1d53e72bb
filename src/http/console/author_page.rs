//! The page of an author on one site: what became of their comments, what is in force against them, what colleagues noted, who else wrote from
//! there. Numbers are of the whole site; what is named lies within the reach of whoever looks.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::super::State;
use super::super::problem::Problem;
use super::comment::revealed;
use super::comment_page::{Line, author_href};
use super::links::{lasts, link};
use super::texts::Texts;
use super::{Frame, page};
use crate::app::limits::Tier;
use crate::domain::comment::ExternalId;
use crate::domain::people::Duty;
use crate::domain::reads::{AuthorNumbers, Glimpse, Share};
use crate::domain::sanction::{Measure, Sanction};
use crate::domain::store::PageRequest;
use crate::domain::time::Timestamp;

/// Comments on a page.
const COMMENTS: usize = 30;

/// Where to go on.
#[derive(Debug, Deserialize)]
pub struct Query {
    cursor: Option<String>,
}

struct Note {
    id: Uuid,
    text: String,
    by: String,
    at: Timestamp,
    may_remove: bool,
}

struct Linked {
    name: String,
    href: String,
    how: String,
    comments: u32,
    approved: u32,
    rejected: u32,
}

struct InForce {
    measure: &'static str,
    tone: &'static str,
    /// Not for whoever works on some sites only, where it is said of all.
    cause: Option<String>,
    ends: String,
}

#[derive(Template)]
#[template(path = "author_page.html")]
struct AuthorView {
    frame: Frame,
    site: String,
    id: String,
    shown_id: String,
    names: Vec<String>,
    facts: Vec<String>,
    numbers: AuthorNumbers,
    rate: String,
    rate_text: String,
    policy_text: String,
    reports: Option<String>,
    sanctions: Vec<InForce>,
    appeals: usize,
    linked: Vec<Linked>,
    linked_more: u32,
    linked_outside: u32,
    notes: Vec<Note>,
    comments: Vec<Line>,
    more: Option<String>,
    sanction_href: String,
    export_href: String,
    /// Whether all of the author lies within the reach: nothing is shown or erased by halves.
    sees_all: bool,
    may_erase: bool,
}

/// What is known of an author.
///
/// # Errors
/// 404: no such site within reach, or nothing of that author.
pub async fn author(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "search", Duty::Read).await?;
    let (t, now) = (frame.t, frame.now);
    let (site, id) = path.into_inner();
    let site = state.desk.site(&site, &frame.person).await?;
    let id = ExternalId::parse("id", id)?;
    let asked = PageRequest { limit: COMMENTS, cursor: query.into_inner().cursor.filter(|cursor| !cursor.is_empty()) };
    let found = state.desk.author(&site, &id, &asked, &frame.person, now).await?;
    let profile = found.profile;
    let name = site.name.to_string();
    let here = author_href(&name, id.as_str());
    let is_operator = frame.may_operate();
    let notes = profile.notes.into_iter().map(|note| Note {
        may_remove: frame.may_decide() && (is_operator || note.by.eq_ignore_ascii_case(&frame.person.email)),
        id: note.id,
        text: note.text,
        by: note.by,
        at: note.at,
    });
    let linked = profile.linked.accounts.iter().map(|account| Linked {
        name: revealed(&account.author_id),
        href: author_href(&name, &account.author_id),
        how: shared(account.same_network, account.same_email, t),
        comments: account.comments,
        approved: account.numbers.all.approved,
        rejected: account.numbers.all.rejected,
    });
    let mut facts = vec![
        t.say(match found.tier {
            Tier::New => "author.tier-new",
            Tier::Known => "author.tier-known",
            Tier::Staff => "author.tier-staff",
        })
        .to_owned(),
    ];
    facts.extend(profile.role.as_deref().map(|role| t.with("author.role", "role", revealed(role))));
    facts.extend(profile.registered_at.map(|at| t.with("author.registered", "ago", t.ago(&at, &now))));
    let (rate, rate_text) = rate(found.rejected_by_people, t);
    let reports = profile.reports;
    let export = format!("/v1/authors/{}/export", super::queue::segment(id.as_str()));
    let template = AuthorView {
        names: profile.names.iter().map(|used| revealed(&used.name)).take(10).collect(),
        facts,
        numbers: profile.numbers,
        rate,
        rate_text,
        policy_text: {
            let Share { n, of, .. } = found.rejected_by_policy;
            t.with2("author.by-policy", ("n", &t.number(n)), ("of", &t.number(of)))
        },
        reports: (reports.given > 0).then(|| {
            t.with2("author.reports", ("given", &t.number(reports.given)), ("upheld", &t.number(reports.upheld)))
                .replace("{dismissed}", &t.number(reports.dismissed))
        }),
        sanctions: profile.sanctions.iter().map(|sanction| in_force(sanction, &frame)).collect(),
        appeals: profile.open_appeals.len(),
        linked: linked.collect(),
        linked_more: profile.linked.more,
        linked_outside: profile.linked.outside,
        notes: notes.collect(),
        comments: found.comments.items.iter().map(|record| Line::of(&Glimpse::of(record), t)).collect(),
        more: found.comments.next_cursor.map(|cursor| link(&here, &[("cursor", &cursor)])),
        sanction_href: link("/sanctions", &[("site", &name), ("author", id.as_str())]),
        export_href: link(&export, &[("site", &name)]),
        sees_all: frame.person.reach.has_whole_sites(),
        may_erase: frame.may_decide() && frame.person.reach.has_whole_sites(),
        shown_id: revealed(id.as_str()),
        id: id.to_string(),
        site: name,
        frame,
    };
    page(&template)
}

fn rate(share: Share, t: &'static Texts) -> (String, String) {
    let rate = share.rate.map_or_else(|| "–".to_owned(), |rate| t.percent(rate));
    let [from, to] = share.interval;
    let text = t.with2("author.rate-text", ("n", &t.number(share.n)), ("of", &t.number(share.of)));
    (rate, text.replace("{from}", &t.percent(from)).replace("{to}", &t.percent(to)))
}

fn shared(network: bool, email: bool, t: &'static Texts) -> String {
    let parts = [network.then(|| t.say("author.same-network")), email.then(|| t.say("author.same-email"))];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn in_force(sanction: &Sanction, frame: &Frame) -> InForce {
    let t = frame.t;
    let (measure, tone) = match sanction.measure {
        Measure::Ban => (t.say("sanctions.ban"), "rejected"),
        Measure::Premoderate => (t.say("sanctions.premoderate"), "held"),
        Measure::Allow => (t.say("sanctions.allow"), "approved"),
    };
    let tells = sanction.site.is_some() || frame.person.reach.is_all();
    let ends = sanction.expires_at.map(|until| t.with("sanctions.ends-in", "span", lasts(t, until, frame.now)));
    InForce {
        measure,
        tone,
        cause: tells.then(|| revealed(&sanction.cause)),
        ends: ends.unwrap_or_else(|| t.say("sanctions.no-end").to_owned()),
    }
}
