//! Campaigns: all of them, and one with its members. Deciding goes through `/v1/campaigns`.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::super::State;
use super::super::problem::Problem;
use super::comment::{CommentView, revealed};
use super::links::{Choice, lasts, link};
use super::texts::Texts;
use super::timeline::{Chart, chart};
use super::{Frame, page};
use crate::app::campaigns::Shown;
use crate::domain::campaign::{CampaignFilter, CampaignState, Counts, Kind, MemberFilter};
use crate::domain::decision::{Action, Status};
use crate::domain::people::{Duty, Person, Reach};
use crate::domain::store::PageRequest;
use crate::domain::time::Timestamp;

/// Campaigns on a page.
const CARDS: usize = 20;
/// Members on a page.
const MEMBERS: usize = 50;
/// Campaigns offered to be merged into.
const OTHERS: usize = 50;

/// A campaign as a card shows it.
struct Card {
    uid: Uuid,
    state: CampaignState,
    state_text: &'static str,
    headline: String,
    targets: Vec<String>,
    kinds: Vec<&'static str>,
    counts: Counts,
    size: u32,
    first_at: Timestamp,
    last_at: Timestamp,
    /// The decision about all of it.
    decision: Option<Uuid>,
    is_rejected: bool,
    /// Until when whoever joins is rejected unseen, while that is so, and how long that is.
    rule: Option<(Timestamp, String)>,
    merged_into: Option<Uuid>,
    chart: Chart,
}

impl Card {
    fn new(shown: Shown, chart: Chart, t: &'static Texts, now: Timestamp) -> Self {
        let Shown { campaign, sample } = shown;
        let mut kinds: Vec<Kind> = campaign.keys.iter().map(crate::domain::campaign::Key::kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let kinds = kinds.into_iter().map(|kind| match kind {
            Kind::Text => t.say("campaigns.by-text"),
            Kind::Headline => t.say("campaigns.by-headline"),
            Kind::Link => t.say("campaigns.by-link"),
        });
        let state_text = match (campaign.state, campaign.action) {
            (CampaignState::Decided, Some(Action::Reject)) => t.say("campaigns.rejected"),
            (CampaignState::Decided, _) => t.say("campaigns.approved"),
            (state, _) => word_of_state(t, state),
        };
        let rule = campaign.rule_until.filter(|until| now < *until);
        Self {
            uid: campaign.uid,
            state: campaign.state,
            state_text,
            headline: revealed(&sample.text),
            targets: sample.targets.iter().map(|target| revealed(target)).collect(),
            kinds: kinds.collect(),
            counts: campaign.counts,
            size: campaign.size,
            first_at: campaign.first_at,
            last_at: campaign.last_at,
            decision: campaign.decision,
            is_rejected: campaign.action == Some(Action::Reject),
            rule: rule.map(|until| (until, lasts(t, until, now))),
            merged_into: campaign.into,
            chart,
        }
    }

    /// What the picture shows, for whoever does not see it.
    fn chart_text(&self, t: &Texts) -> String {
        let comments = t.count("campaigns.chart", self.chart.total);
        let step = t.span(self.chart.step_s);
        t.with2("campaigns.chart-text", ("comments", &comments), ("step", &step))
            .replace("{most}", &t.number(self.chart.most))
    }
}

fn word_of_state(t: &'static Texts, state: CampaignState) -> &'static str {
    t.say(match state {
        CampaignState::Open => "campaigns.open",
        CampaignState::Decided => "campaigns.decided",
        CampaignState::Closed => "campaigns.closed",
        CampaignState::Merged => "campaigns.merged",
    })
}

/// Which campaigns to show.
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    /// `open`, `decided`, `closed`, `merged`, `all`, or `recheck`.
    state: Option<String>,
    /// With a member on that site.
    site: Option<String>,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "campaigns.html")]
struct ListPage {
    frame: Frame,
    choices: Vec<Choice>,
    wanted: String,
    site: String,
    sites: Vec<String>,
    cards: Vec<Card>,
    more: Option<String>,
}

/// Campaigns within reach: those to be looked at again first.
///
/// # Errors
/// 401, 403, 422, 503.
pub async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "campaigns", Duty::Read).await?;
    let ListQuery { state: wanted, site, cursor } = query.into_inner();
    let wanted = wanted.filter(|wanted| !wanted.is_empty()).unwrap_or_else(|| "open".to_owned());
    let site = site.filter(|site| !site.is_empty());
    let recheck = wanted == "recheck";
    let in_state = match wanted.as_str() {
        "all" | "recheck" => None,
        name => Some(
            CampaignState::from_name(name)
                .ok_or_else(|| Problem::invalid("state", "must be open, decided, closed, merged, all or recheck"))?,
        ),
    };
    let filter = CampaignFilter { state: in_state, site: site.clone(), recheck, reach: Reach::ALL };
    let asked = PageRequest { limit: CARDS, cursor: cursor.filter(|cursor| !cursor.is_empty()) };
    let found = state.campaigns.list(filter, &asked, &frame.person).await?;
    let mut cards = Vec::new();
    for shown in found.items {
        let arrivals = state.campaigns.arrivals(shown.campaign.uid, &frame.person).await?;
        cards.push(Card::new(shown, chart(&arrivals, 30, (300, 60)), frame.t, frame.now));
    }
    cards.sort_by_key(|card| card.counts.rechecks == 0); // stable: the latest of each first
    let t = frame.t;
    let site = site.unwrap_or_default();
    let to = |name: &str| link("/campaigns", &[("state", name), ("site", &site)]);
    let choices = [
        ("recheck", t.say("campaigns.recheck")),
        ("open", t.say("campaigns.open")),
        ("decided", t.say("campaigns.decided")),
        ("closed", t.say("campaigns.closed")),
        ("merged", t.say("campaigns.merged")),
        ("all", t.say("campaigns.all")),
    ]
    .map(|(name, text)| Choice { href: to(name), text, is_current: wanted == name });
    let more =
        found.next_cursor.map(|cursor| link("/campaigns", &[("state", &wanted), ("site", &site), ("cursor", &cursor)]));
    let sites = sites_of(&state, &frame.person).await?;
    page(&ListPage { frame, choices: choices.into(), wanted, site, sites, cards, more })
}

/// The sites on which somebody works, by name.
pub(super) async fn sites_of(state: &State, person: &Person) -> Result<Vec<String>, Problem> {
    let sites = state.store.sites().await?;
    let theirs = sites.iter().map(|site| site.name.to_string()).filter(|name| person.reach.covers_site(name));
    Ok(theirs.collect())
}

/// Which members to show.
#[derive(Debug, Deserialize)]
pub struct MemberQuery {
    /// `approved`, `held`, `rejected`, or `recheck`.
    show: Option<String>,
    cursor: Option<String>,
}

/// A member as the page shows it.
struct MemberView {
    number: u32,
    recheck: bool,
    comment: CommentView,
}

#[derive(Template)]
#[template(path = "campaign.html")]
struct CampaignPage {
    frame: Frame,
    card: Card,
    choices: Vec<Choice>,
    members: Vec<MemberView>,
    more: Option<String>,
    /// Open ones that it may be merged into: name and what they say.
    others: Vec<(Uuid, String)>,
}

impl CampaignPage {
    /// Whether something may be decided about it here.
    fn is_open_to_decide(&self) -> bool {
        self.frame.may_decide() && matches!(self.card.state, CampaignState::Open | CampaignState::Decided)
    }
}

/// One campaign.
///
/// # Errors
/// 401, 403, 404, 422, 503.
pub async fn one(
    state: web::Data<State>,
    request: HttpRequest,
    uid: web::Path<Uuid>,
    query: web::Query<MemberQuery>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "campaigns", Duty::Read).await?;
    let uid = uid.into_inner();
    let MemberQuery { show, cursor } = query.into_inner();
    let show = show.unwrap_or_default();
    let status = match show.as_str() {
        "" | "recheck" => None,
        "approved" => Some(Status::Approved),
        "held" => Some(Status::Held),
        "rejected" => Some(Status::Rejected),
        _ => return Err(Problem::invalid("show", "must be approved, held, rejected or recheck")),
    };
    let shown = state.campaigns.find(uid, &frame.person).await?;
    let filter = MemberFilter { status, recheck: show == "recheck", reach: Reach::ALL };
    let asked = PageRequest { limit: MEMBERS, cursor: cursor.filter(|cursor| !cursor.is_empty()) };
    let found = state.campaigns.members(uid, filter, &asked, &frame.person).await?;
    let arrivals = state.campaigns.arrivals(uid, &frame.person).await?;
    let card = Card::new(shown, chart(&arrivals, 72, (7_200, 900)), frame.t, frame.now);
    let members = found.items.iter().map(|member| {
        let comment = CommentView::of(&member.record, None, &member.record.verdict, frame.t);
        MemberView { number: member.number, recheck: member.recheck, comment }
    });
    let members = members.collect();
    let others = if frame.may_decide() && card.state == CampaignState::Open {
        others(&state, uid, &frame).await?
    } else {
        Vec::new()
    };
    let path = format!("/campaigns/{uid}");
    let t = frame.t;
    let choices = [
        ("", t.say("campaigns.all")),
        ("recheck", t.say("campaigns.recheck")),
        ("approved", t.say("status.approved")),
        ("held", t.say("status.held")),
        ("rejected", t.say("status.rejected")),
    ]
    .map(|(name, text)| Choice { href: link(&path, &[("show", name)]), text, is_current: show == name });
    let more = found.next_cursor.map(|cursor| link(&path, &[("show", &show), ("cursor", &cursor)]));
    page(&CampaignPage { frame, card, choices: choices.into(), members, more, others })
}

async fn others(state: &State, uid: Uuid, frame: &Frame) -> Result<Vec<(Uuid, String)>, Problem> {
    let filter = CampaignFilter { state: Some(CampaignState::Open), ..CampaignFilter::default() };
    let asked = PageRequest { limit: OTHERS, cursor: None };
    let open = state.campaigns.list(filter, &asked, &frame.person).await?.items.into_iter();
    let label = |shown: Shown| {
        let words: String = shown.sample.text.chars().take(60).collect();
        let words = revealed(&words);
        (shown.campaign.uid, format!("{words} ({})", frame.t.number(shown.campaign.counts.comments)))
    };
    Ok(open.filter(|shown| shown.campaign.uid != uid).map(label).collect())
}
