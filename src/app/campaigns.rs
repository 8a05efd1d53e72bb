//! Campaigns, as people work on them: look, decide once, close, merge.

use std::sync::Arc;

use tracing::Instrument as _;
use uuid::Uuid;

use crate::app::events::{CampaignChange, Events};
use crate::app::in_flight::to_its_end;
use crate::app::live::Live;
use crate::app::outbox;
use crate::app::standing::Listeners;
use crate::app::way::{self, step};
use crate::domain::campaign::{
    Campaign, CampaignError, CampaignFilter, CampaignRuled, CampaignRuling, Member, MemberFilter, Membership, RULE_MS,
    RULE_MS_MAX, Sample, Turn,
};
use crate::domain::decision::{Action, Actor, Record, Status};
use crate::domain::normalise::Body;
use crate::domain::people::{Person, Reach};
use crate::domain::store::{ListError, Page, PageRequest, RulingCategory, Store};
use crate::domain::time::Timestamp;

/// What a person asks for when deciding about a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Its size when it was seen.
    pub seen_size: u32,
    /// Whether who joined since is decided about too.
    pub future: bool,
    /// With a rejection and `future`: until when whoever joins is rejected unseen; for a day when left out.
    pub future_until: Option<Timestamp>,
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
}

impl Ask {
    /// Until when whoever joins is rejected unseen: such a rule always ends.
    fn rule(&self, now: Timestamp) -> Result<Option<Timestamp>, CampaignError> {
        match (self.future_until, self.action) {
            (None, Action::Reject) if self.future => Ok(Some(now.plus_millis(RULE_MS))),
            (None, _) => Ok(None),
            (Some(_), _) if !self.future => Err(CampaignError::Until("goes with `future`")),
            (Some(_), Action::Approve | Action::Hold) => Err(CampaignError::Until(
                "goes with `reject`: what an approved campaign shares is excused, and everything else in a comment is judged as ever",
            )),
            (Some(until), Action::Reject) => in_time(until, now).map(|()| Some(until)),
        }
    }
}

fn in_time(until: Timestamp, now: Timestamp) -> Result<(), CampaignError> {
    if now < until && until <= now.plus_millis(RULE_MS_MAX) {
        Ok(())
    } else {
        Err(CampaignError::Until("must lie within the next 30 days"))
    }
}

/// A campaign with what it shows of itself within somebody's reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The campaign.
    pub campaign: Campaign,
    /// Taken from members within reach.
    pub sample: Sample,
}

/// See the module.
#[derive(Clone)]
pub struct Campaigns {
    store: Arc<dyn Store>,
    listeners: Listeners,
    webhooks: Live<outbox::Config>,
}

impl Campaigns {
    /// Joins the ports.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, listeners: Listeners, webhooks: impl Into<Live<outbox::Config>>) -> Self {
        Self { store, listeners, webhooks: webhooks.into() }
    }

    /// Campaigns within a person's reach, latest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn list(
        &self,
        filter: CampaignFilter,
        page: &PageRequest,
        by: &Person,
    ) -> Result<Page<Shown>, ListError> {
        let filter = CampaignFilter { reach: by.reach.clone(), ..filter };
        let page = self.store.campaign_list(&filter, page).await?;
        Ok(Page { items: page.items.into_iter().map(shown).collect(), next_cursor: page.next_cursor })
    }

    /// A campaign within a person's reach.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn find(&self, uid: Uuid, by: &Person) -> Result<Shown, CampaignError> {
        self.store.campaign_find(uid, &by.reach).await?.map(shown).ok_or(CampaignError::NotFound)
    }

    /// Its members within a person's reach, as they joined.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn members(
        &self,
        uid: Uuid,
        filter: MemberFilter,
        page: &PageRequest,
        by: &Person,
    ) -> Result<Page<Member>, ListError> {
        let filter = MemberFilter { reach: by.reach.clone(), ..filter };
        self.store.campaign_members(uid, &filter, page).await
    }

    /// Decides about every member within reach that was there when the campaign was seen, as one decision.
    ///
    /// # Errors
    /// `NoRuling`, `Until`, `NotFound`, `Over`, `Store`.
    pub async fn decide(
        &self,
        campaign: Uuid,
        ask: Ask,
        by: &Person,
        now: Timestamp,
    ) -> Result<CampaignRuled, CampaignError> {
        if ask.action == Action::Hold {
            return Err(CampaignError::NoRuling);
        }
        let rule_until = ask.rule(now)?;
        let Ask { seen_size, future, except, action, category, reason, note, .. } = ask;
        let (reach, tell_at) = (by.reach.clone(), self.webhooks.get().tell_at(now));
        let actor = Actor::Person(by.email.clone());
        let ruling = CampaignRuling {
            campaign,
            seen_size,
            future,
            rule_until,
            except,
            action,
            category,
            reason,
            note,
            by: actor,
            at: now,
            reach,
            tell_at,
        };
        let way = way::decision("decide-campaign", &ruling.by);
        let (this, email) = (self.clone(), by.email.clone());
        to_its_end(async move {
            let ruled = this.store.campaign_rule(ruling).instrument(step!("record")).await?;
            this.listeners.tell_all(&ruled.ruled, &email, now).await;
            this.turned(&ruled.turn, ruled.ruled.applied.first().map(|(record, _)| record), now).await;
            way::decided(&ruled.ruled);
            Ok(ruled)
        })
        .instrument(way)
        .await
    }

    /// Says until when whoever joins a rejected campaign is rejected unseen; `None` ends that.
    ///
    /// # Errors
    /// `Until`, `NotRejected`, `NotFound`, `Outside`, `Store`.
    pub async fn rule_until(
        &self,
        uid: Uuid,
        until: Option<Timestamp>,
        by: &Person,
        now: Timestamp,
    ) -> Result<Turn, CampaignError> {
        if let Some(until) = until {
            in_time(until, now)?;
        }
        let (this, by) = (self.clone(), by.clone());
        to_its_end(async move {
            let actor = Actor::Person(by.email);
            let turn = this.store.campaign_rule_until(uid, until, actor, &by.reach, now).await?;
            this.changed(&turn, &by.reach, now).await;
            Ok(turn)
        })
        .await
    }

    /// When its members within a person's reach arrived, oldest first, and how each stands.
    ///
    /// # Errors
    /// `Store`.
    pub async fn arrivals(&self, uid: Uuid, by: &Person) -> Result<Vec<(Timestamp, Status)>, CampaignError> {
        Ok(self.store.campaign_arrivals(uid, &by.reach).await?)
    }

    /// Closes a campaign that is none.
    ///
    /// # Errors
    /// `NotFound`, `Over`, `Outside`, `Store`.
    pub async fn close(&self, uid: Uuid, by: &Person, now: Timestamp) -> Result<Turn, CampaignError> {
        let (this, by) = (self.clone(), by.clone());
        to_its_end(async move {
            let turn = this.store.campaign_close(uid, Actor::Person(by.email), &by.reach, now).await?;
            this.changed(&turn, &by.reach, now).await;
            Ok(turn)
        })
        .await
    }

    /// Makes one campaign part of another.
    ///
    /// # Errors
    /// `NotFound`, `Over`, `Outside`, `Store`.
    pub async fn merge(&self, uid: Uuid, into: Uuid, by: &Person, now: Timestamp) -> Result<Turn, CampaignError> {
        let (this, by) = (self.clone(), by.clone());
        to_its_end(async move {
            let turn = this.store.campaign_merge(uid, into, Actor::Person(by.email), &by.reach, now).await?;
            this.changed(&turn, &by.reach, now).await;
            Ok(turn)
        })
        .await
    }

    async fn changed(&self, turn: &Turn, reach: &Reach, now: Timestamp) {
        let known = self.store.campaign_find(turn.into.unwrap_or(turn.uid), reach).await.ok().flatten();
        let first = known.as_ref().and_then(|campaign| campaign.earliest.first());
        self.turned(turn, first, now).await;
    }

    async fn turned(&self, turn: &Turn, first: Option<&Record>, now: Timestamp) {
        self.listeners.history.turned(turn.clone()).await;
        if let Some(first) = first {
            let change = CampaignChange::Changed { campaign: turn.uid, state: turn.state, action: turn.action };
            self.listeners.events.campaign(first.uid, change, now).await;
        }
    }
}

/// A comment was stored with its campaign: whoever watches hears when one is recognised, and whenever it has doubled.
pub async fn announce(store: &dyn Store, events: &Events, record: &Record, membership: &Membership, now: Timestamp) {
    let is_new = membership.news.as_ref().is_some_and(|news| news.first);
    if !events.anybody() || !is_new && !membership.joined.is_power_of_two() {
        return;
    }
    let campaign = match store.campaign_find(membership.campaign, &Reach::ALL).await {
        Ok(Some(campaign)) => campaign,
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a campaign was not announced");
            return;
        }
    };
    let (id, size, counts) = (campaign.uid, campaign.size, campaign.counts);
    if is_new {
        let change = CampaignChange::Recognised { campaign: id, size, rechecks: counts.rechecks };
        // Wherever its members stand, people should hear of it: once for each place.
        let mut places = Vec::new();
        for member in std::iter::once(record).chain(&campaign.earliest) {
            if let Ok(Some(place)) = store.comment_place(member.uid).await
                && !places.contains(&place)
            {
                events.campaign(member.uid, change.clone(), now).await;
                places.push(place);
            }
        }
    } else {
        let change = CampaignChange::Grew { campaign: id, size, rechecks: counts.rechecks };
        events.campaign(record.uid, change, now).await;
    }
}

fn shown(campaign: Campaign) -> Shown {
    let mut sample = Sample::default();
    for record in &campaign.earliest {
        sample.add(&Body::read(&record.comment.body, record.comment.format), &campaign.keys);
    }
    Shown { campaign, sample }
}
