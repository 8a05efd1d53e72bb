//! Sanctions: in force and past, what each decided, and the form for a new one. Imposing and lifting go through `/v1/sanctions`.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::super::State;
use super::super::problem::Problem;
use super::campaigns::sites_of;
use super::comment::revealed;
use super::links::{Choice, lasts, link};
use super::{Frame, page};
use crate::app::sanctions::may_sanction;
use crate::domain::people::Duty;
use crate::domain::sanction::{Measure, Sanction, TargetKind};
use crate::domain::store::PageRequest;
use crate::domain::time::Timestamp;

/// Sanctions on a page.
const ROWS: usize = 50;

/// A sanction as a row shows it.
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own about a row")]
struct Row {
    uid: Uuid,
    site: Option<String>,
    measure: &'static str,
    /// A class: what a ban does is rejecting, and so on.
    tone: &'static str,
    kind: &'static str,
    /// Enough to recognise it by, where that may be shown at all.
    hint: Option<String>,
    shadow: bool,
    /// Why and by whom; of one on all sites only for whoever works on all.
    cause: Option<String>,
    by: Option<String>,
    at: Timestamp,
    expires_at: Option<Timestamp>,
    /// How long it still holds.
    ends_in: Option<String>,
    lifted: Option<(Timestamp, Option<String>)>,
    is_active: bool,
    decided: u64,
    /// Whether what was there already was rejected with it.
    also: bool,
    may_lift: bool,
}

impl Row {
    fn new(sanction: Sanction, decided: u64, frame: &Frame) -> Self {
        let (t, now) = (frame.t, frame.now);
        // What was said about one site is not for the others.
        let tells = sanction.site.is_some() || frame.person.reach.is_all();
        let may_lift = frame.may_decide()
            && sanction.lifted.is_none()
            && may_sanction(&frame.person, sanction.site_name.as_deref()).is_ok();
        let (measure, tone) = match sanction.measure {
            Measure::Ban => (t.say("sanctions.ban"), "rejected"),
            Measure::Premoderate => (t.say("sanctions.premoderate"), "held"),
            Measure::Allow => (t.say("sanctions.allow"), "approved"),
        };
        let (kind, shows) = match sanction.kind {
            TargetKind::Author => (t.say("sanctions.author"), false),
            TargetKind::EmailDomain => (t.say("sanctions.email-domain"), true),
            TargetKind::Host => (t.say("sanctions.host"), true),
            TargetKind::Network => (t.say("sanctions.network"), false),
        };
        let is_active = sanction.is_active(now);
        let ends = sanction.expires_at.filter(|_| is_active);
        Self {
            uid: sanction.uid,
            measure,
            tone,
            kind,
            hint: shows.then_some(sanction.hint),
            shadow: sanction.shadow,
            cause: tells.then(|| revealed(&sanction.cause)),
            by: tells.then_some(sanction.by),
            at: sanction.at,
            expires_at: sanction.expires_at,
            ends_in: ends.map(|until| lasts(t, until, now)),
            lifted: sanction.lifted.map(|(at, by)| (at, tells.then_some(by))),
            is_active,
            decided,
            also: sanction.ruling.is_some(),
            may_lift,
            site: sanction.site_name,
        }
    }
}

/// Which sanctions to show, and whom a new one is to aim at.
#[derive(Debug, Deserialize)]
pub struct Query {
    /// `active`, `past` or `all`.
    show: Option<String>,
    site: Option<String>,
    cursor: Option<String>,
    /// A comment whose author a new one aims at.
    of: Option<String>,
    /// What kind of thing it aims at.
    kind: Option<String>,
    /// An author (the site's id) at whom a new one aims.
    author: Option<String>,
}

#[derive(Template)]
#[template(path = "sanctions.html")]
struct SanctionsPage {
    frame: Frame,
    choices: Vec<Choice>,
    show: String,
    site: String,
    sites: Vec<String>,
    rows: Vec<Row>,
    more: Option<String>,
    of: Option<Uuid>,
    kind: &'static str,
    author: String,
    /// Sites on which whoever looks may sanction.
    theirs: Vec<String>,
    may_everywhere: bool,
}

/// Sanctions on one's sites and on all.
///
/// # Errors
/// 401, 403, 422, 503.
pub async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "sanctions", Duty::Read).await?;
    let Query { show, site, cursor, of, kind, author } = query.into_inner();
    let of = of.as_deref().and_then(|of| Uuid::parse_str(of).ok());
    let show = show.filter(|show| !show.is_empty()).unwrap_or_else(|| "active".to_owned());
    let in_force = match show.as_str() {
        "active" => Some(true),
        "past" => Some(false),
        "all" => None,
        _ => return Err(Problem::invalid("show", "must be active, past or all")),
    };
    let site = site.filter(|site| !site.is_empty());
    let asked = PageRequest { limit: ROWS, cursor: cursor.filter(|cursor| !cursor.is_empty()) };
    let found = state.sanctions.list(site.clone(), in_force, &asked, &frame.person, frame.now).await?;
    let effects = state.sanctions.effects(&found.items).await?;
    let rows = found.items.into_iter().zip(effects).map(|(sanction, decided)| Row::new(sanction, decided, &frame));
    let rows = rows.collect();
    let (t, site) = (frame.t, site.unwrap_or_default());
    let choices =
        [("active", t.say("sanctions.active")), ("past", t.say("sanctions.past")), ("all", t.say("sanctions.all"))]
            .map(|(name, text)| Choice {
                href: link("/sanctions", &[("show", name), ("site", &site)]),
                text,
                is_current: show == name,
            });
    let more =
        found.next_cursor.map(|cursor| link("/sanctions", &[("show", &show), ("site", &site), ("cursor", &cursor)]));
    let sites = sites_of(&state, &frame.person).await?;
    let may_on = |site: &String| frame.may_decide() && may_sanction(&frame.person, Some(site)).is_ok();
    let theirs = sites.iter().filter(|site| may_on(site)).cloned().collect();
    let may_everywhere = may_sanction(&frame.person, None).is_ok();
    let kind = kind.as_deref().and_then(TargetKind::from_name).unwrap_or(TargetKind::Author).name();
    page(&SanctionsPage {
        frame,
        choices: choices.into(),
        show,
        site,
        sites,
        rows,
        more,
        of,
        kind,
        author: author.unwrap_or_default(),
        theirs,
        may_everywhere,
    })
}
