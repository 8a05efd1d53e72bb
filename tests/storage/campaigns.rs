//! Campaigns: recognised by the history, kept by the store, in the commits of their comments.

use std::sync::Arc;

use doorward::domain::campaign::{
    CampaignError, CampaignFilter, CampaignRuled, CampaignRuling, CampaignState, Config, Counts, MemberFilter,
    Membership, News, Stances, Turn,
};
use doorward::domain::decision::{Action, Record, Status};
use doorward::domain::history::{History, Standing};
use doorward::domain::people::Reach;
use doorward::domain::site::Site;
use doorward::domain::store::{QueueFilter, QueueSort, Recording, Store};
use doorward::storage::memory::history::{self, MemoryHistory};
use uuid::Uuid;

use crate::made::{Made, at, first_page, id, moderator, ruling, site};
use crate::suite::Engine;

/// A history over an engine's store.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) history: Arc<MemoryHistory>,
    pub(crate) news: Arc<Site>,
}

impl World {
    pub(crate) async fn new(engine: &dyn Engine) -> Self {
        let store = engine.open().await;
        let news = site(&*store, "news").await;
        let history = Arc::new(MemoryHistory::new(history::Config::default(), Arc::clone(&store)));
        Self { store, history, news }
    }

    /// A comment of its own author under its own article. All of these share a text.
    pub(crate) fn pasted(&self, number: i64) -> Made {
        let made = Made::new(&self.news, &format!("c-{number}")).author(&format!("u-{number}"));
        made.under(&format!("a-{number}")).body("the same words again and again").at(number)
    }

    pub(crate) async fn sight(&self, made: &Made) -> Option<Membership> {
        let (trace, now) = (&made.0.trace, made.0.received_at);
        self.history.sight_in(trace, &Stances::default, now).await;
        self.history.membership(trace, now).await
    }

    pub(crate) async fn record(&self, mut made: Made, membership: Option<Membership>) -> Record {
        made.0.membership = membership;
        let (trace, new) = (made.0.trace.clone(), made.0);
        let Recording::New(record) = self.store.comment_record(new).await.unwrap() else { panic!("it is new") };
        self.history.settle(&trace, record.received_at, Standing { status: record.status, by_person: false }).await;
        record
    }

    pub(crate) async fn post(&self, made: Made) -> Record {
        let membership = self.sight(&made).await;
        self.record(made, membership).await
    }

    pub(crate) async fn paste(&self, numbers: std::ops::Range<i64>) -> Vec<Record> {
        let mut records = Vec::new();
        for number in numbers {
            records.push(self.post(self.pasted(number)).await);
        }
        records
    }

    /// The names of all campaigns, latest first, with what they count.
    pub(crate) async fn campaigns(&self) -> Vec<(Uuid, CampaignState, u32, Counts)> {
        let page = self.store.campaign_list(&CampaignFilter::default(), &first_page(100)).await.unwrap();
        page.items.into_iter().map(|it| (it.uid, it.state, it.size, it.counts)).collect()
    }

    pub(crate) async fn only(&self) -> Uuid {
        let campaigns = self.campaigns().await;
        assert_eq!(campaigns.len(), 1, "{campaigns:?}");
        campaigns[0].0
    }

    /// Two campaigns that have nothing in common: of `c-0` to `c-2`, and of `c-10` to `c-12`.
    pub(crate) async fn two(&self) -> (Uuid, Uuid) {
        self.two_of(0..3).await
    }

    /// The same, with these as the members of the first.
    async fn two_of(&self, numbers: std::ops::Range<i64>) -> (Uuid, Uuid) {
        self.paste(numbers).await;
        let one = self.only().await;
        for number in 10..13 {
            let mut other = self.pasted(number);
            if let Some(text) = &mut other.0.trace.text {
                (text.exact, text.sketch) = (77, [7; 16]);
            }
            (other.0.trace.links[0].url, other.0.trace.links[0].domain) = (9, 8);
            self.post(other).await;
        }
        let campaigns = self.campaigns().await;
        assert_eq!((campaigns.len(), campaigns[1].0), (2, one));
        (one, campaigns[0].0)
    }

    pub(crate) async fn members(&self, uid: Uuid, filter: &MemberFilter) -> Vec<String> {
        let (mut names, mut page) = (Vec::new(), first_page(2));
        loop {
            let found = self.store.campaign_members(uid, filter, &page).await.unwrap();
            names.extend(found.items.into_iter().map(|member| member.record.comment.id.to_string()));
            page.cursor = found.next_cursor;
            if page.cursor.is_none() {
                return names;
            }
        }
    }

    pub(crate) async fn reject(
        &self,
        uid: Uuid,
        seen_size: u32,
        reach: &Reach,
    ) -> Result<CampaignRuled, CampaignError> {
        let ruled = self.store.campaign_rule(rejecting(uid, seen_size, reach)).await;
        if let Ok(ruled) = &ruled {
            self.history.turned(ruled.turn.clone()).await;
        }
        ruled
    }
}

pub(crate) fn rejecting(campaign: Uuid, seen_size: u32, reach: &Reach) -> CampaignRuling {
    CampaignRuling {
        campaign,
        seen_size,
        future: false,
        rule_until: None,
        except: Vec::new(),
        action: Action::Reject,
        category: None,
        reason: Some("because".to_owned()),
        note: None,
        by: moderator(),
        at: at(100),
        reach: reach.clone(),
        tell_at: at(100),
    }
}

fn all() -> MemberFilter {
    MemberFilter::default()
}

pub(crate) async fn campaign_is_recorded_with_the_comment_that_makes_it(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..2).await;
    assert_eq!(world.campaigns().await, []);
    world.paste(2..4).await;
    let uid = world.only().await;
    let (_, state, size, counts) = world.campaigns().await[0];
    assert_eq!((state, size), (CampaignState::Open, 4));
    assert_eq!((counts.comments, counts.authors, counts.articles, counts.sites), (4, 4, 4, 1));
    assert_eq!((counts.approved, counts.rechecks), (4, 4), "the earlier ones are brought to people's attention");
    assert_eq!(world.members(uid, &all()).await, ["c-0", "c-1", "c-2", "c-3"]);
    // In the comments' own commits: a machine that stops now has lost nothing of it.
    let store = engine.crashed().await.open().await;
    let found = store.campaign_find(uid, &Reach::ALL).await.unwrap().unwrap();
    assert_eq!((found.size, found.counts), (4, counts));
}

pub(crate) async fn comment_on_its_way_joins_in_its_own_commit(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..1).await;
    let slow = world.pasted(1);
    assert_eq!(world.sight(&slow).await, None, "two are none yet");
    world.paste(2..3).await;
    let uid = world.only().await;
    assert_eq!(world.members(uid, &all()).await, ["c-0", "c-2"]);
    world.record(slow, None).await;
    assert_eq!(world.members(uid, &all()).await, ["c-0", "c-2", "c-1"]);
}

pub(crate) async fn comment_on_its_way_joins_what_its_campaign_became_part_of(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..1).await;
    let slow = world.pasted(1);
    assert_eq!(world.sight(&slow).await, None, "two are none yet");
    let (one, other) = world.two_of(2..4).await;
    world.store.campaign_merge(one, other, moderator(), &Reach::ALL, at(20)).await.unwrap();
    world.record(slow, None).await;
    assert_eq!(world.members(other, &all()).await, ["c-10", "c-11", "c-12", "c-0", "c-2", "c-3", "c-1"]);
}

pub(crate) async fn campaign_that_became_part_of_another_says_so_though_its_last_member_left(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let (one, other) = world.two().await;
    for name in ["c-0", "c-1"] {
        world.store.comment_erase(world.news.id, &id(name), moderator(), at(20)).await.unwrap();
    }
    // The edit of the last one shows that both are one.
    let mut edited = world.pasted(2).body("the same words, once more").at(30);
    let news = News {
        first: false,
        version: 9,
        at: at(30),
        keys: Vec::new(),
        members: Vec::new(),
        absorbs: vec![one],
        quiet_before: at(0),
    };
    edited.0.membership = Some(Membership { campaign: other, joined: 4, news: Some(news), most: 100 });
    edited.revise(&*world.store).await.unwrap();
    assert_eq!(world.members(other, &all()).await, ["c-10", "c-11", "c-12", "c-2"]);
    let gone = world.store.campaign_find(one, &Reach::ALL).await.unwrap().expect("whoever has its name is led on");
    assert_eq!((gone.state, gone.into), (CampaignState::Merged, Some(other)));
}

pub(crate) async fn campaign_that_people_merged_absorbs_for_the_one_that_it_is_part_of(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let (one, other) = world.two().await;
    world.store.campaign_merge(one, other, moderator(), &Reach::ALL, at(20)).await.unwrap();
    // A comment that was on its way when they did takes along that the first had absorbed the second.
    let news = News {
        first: false,
        version: 9,
        at: at(30),
        keys: Vec::new(),
        members: Vec::new(),
        absorbs: vec![other],
        quiet_before: at(0),
    };
    let membership = Membership { campaign: one, joined: 4, news: Some(news), most: 100 };
    world.record(world.pasted(4), Some(membership)).await;
    assert_eq!(world.members(other, &all()).await, ["c-10", "c-11", "c-12", "c-0", "c-1", "c-2", "c-4"]);
    let states: Vec<_> = world.campaigns().await.iter().map(|(_, state, size, _)| (*state, *size)).collect();
    assert_eq!(states, [(CampaignState::Open, 7)], "there is one, and people find it");
}

pub(crate) async fn two_at_once_make_one_campaign(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..1).await;
    let (one, other, third) = (world.pasted(1), world.pasted(2), world.pasted(3));
    // Both are sighted before either is stored, and stored in the other order.
    let memberships = [world.sight(&one).await, world.sight(&other).await, world.sight(&third).await];
    let [first, second, last] = memberships;
    world.record(third, last).await;
    world.record(other, second).await;
    world.record(one, first).await;
    let uid = world.only().await;
    let mut names = world.members(uid, &all()).await;
    names.sort();
    assert_eq!(names, ["c-0", "c-1", "c-2", "c-3"]);
}

pub(crate) async fn campaign_that_was_not_stored_is_stored_with_the_next_comment(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..2).await;
    let lost = world.pasted(2);
    assert!(world.sight(&lost).await.is_some());
    world.history.forget(&lost.0.trace).await; // its commit failed
    assert_eq!(world.campaigns().await, []);
    world.paste(3..4).await;
    let uid = world.only().await;
    assert_eq!(world.members(uid, &all()).await, ["c-0", "c-1", "c-3"]);
}

pub(crate) async fn campaigns_are_there_after_a_restart(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..3).await;
    let uid = world.only().await;
    world.store.close().await;
    let store = engine.open().await;
    let config = history::Config::default();
    let history = MemoryHistory::rebuild_with(config, Config::default(), Arc::clone(&store), at(5)).await.unwrap();
    let world = World { store, history, news: Arc::clone(&world.news) };
    let next = world.pasted(9);
    let membership = world.sight(&next).await.unwrap();
    assert_eq!((membership.campaign, &membership.news), (uid, &None), "everything is known");
    world.record(next, Some(membership)).await;
    assert_eq!(world.members(uid, &all()).await, ["c-0", "c-1", "c-2", "c-9"]);
    assert!(world.reject(uid, 4, &Reach::ALL).await.is_ok());
    world.store.close().await;
    let store = engine.open().await;
    let config = history::Config::default();
    let history = MemoryHistory::rebuild_with(config, Config::default(), Arc::clone(&store), at(200)).await.unwrap();
    let past = history.about(&world.pasted(300).0.trace, at(300)).await;
    let known = past.campaign.get().unwrap().as_ref().unwrap();
    assert_eq!((known.campaign, known.action, known.comments, known.rejected), (uid, Some(Action::Reject), 4, 4));
}

pub(crate) async fn campaign_that_goes_on_beyond_its_recorded_members_is_there_after_a_restart(engine: &dyn Engine) {
    const DAY: i64 = 86_400;
    let world = World::new(engine).await;
    world.paste(0..3).await;
    let uid = world.only().await;
    world.reject(uid, 3, &Reach::ALL).await.unwrap();
    // As many as are recorded are there; it goes on all the same, for half a year and longer.
    for day in [100, 200] {
        let next = world.pasted(day * DAY);
        let membership = world.sight(&next).await.map(|membership| Membership { most: 3, ..membership });
        assert_eq!(membership.as_ref().map(|membership| membership.campaign), Some(uid));
        world.record(next, membership).await;
    }
    assert_eq!(world.members(uid, &all()).await.len(), 3);
    world.store.close().await;
    let store = engine.open().await;
    let (config, now) = (history::Config::default(), at(210 * DAY));
    let history = MemoryHistory::rebuild_with(config, Config::default(), Arc::clone(&store), now).await.unwrap();
    let past = history.about(&world.pasted(210 * DAY).0.trace, now).await;
    let known = past.campaign.get().unwrap().as_ref().expect("what people rejected is not forgotten while it comes");
    assert_eq!((known.campaign, known.action), (uid, Some(Action::Reject)));
}

pub(crate) async fn erased_member_leaves_and_the_last_takes_the_campaign_along(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let records = world.paste(0..3).await;
    let uid = world.only().await;
    for (at_second, record) in (10..).zip(&records) {
        let trace =
            world.store.comment_erase(world.news.id, &record.comment.id, moderator(), at(at_second)).await.unwrap();
        world.history.forget(&trace.unwrap()).await;
    }
    assert_eq!(world.campaigns().await, []);
    assert!(world.store.campaign_find(uid, &Reach::ALL).await.unwrap().is_none());
    assert_eq!(world.sight(&world.pasted(20)).await, None, "nobody joins what is gone");
}

pub(crate) async fn last_member_may_be_edited_and_still_belong(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let records = world.paste(0..3).await;
    let uid = world.only().await;
    world.reject(uid, 3, &Reach::ALL).await.unwrap();
    for record in &records[..2] {
        let erased = world.store.comment_erase(world.news.id, &record.comment.id, moderator(), at(110)).await.unwrap();
        world.history.forget(&erased.unwrap()).await;
    }
    let mut edited = world.pasted(2).body("the same words, once more").at(120);
    edited.0.membership = world.sight(&edited).await;
    edited.revise(&*world.store).await.unwrap();
    assert_eq!(world.members(uid, &all()).await, ["c-2"]);
    let found = world.store.campaign_find(uid, &Reach::ALL).await.unwrap().unwrap();
    assert_eq!(found.action, Some(Action::Reject), "an edit takes no decision back");
    let next = world.sight(&world.pasted(130)).await.unwrap();
    assert_eq!(next.campaign, uid);
}

pub(crate) async fn edit_takes_a_comment_out_of_its_campaign(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..4).await;
    let uid = world.only().await;
    let mut edited = world.pasted(1).body("something else").at(20);
    edited.0.trace.text = None;
    edited.0.trace.links.clear();
    let membership = world.sight(&edited).await;
    assert_eq!(membership, None);
    edited.revise(&*world.store).await.unwrap();
    assert_eq!(world.members(uid, &all()).await, ["c-0", "c-2", "c-3"]);
    let mut back = world.pasted(1).body("the same words, once more").at(21);
    back.0.membership = world.sight(&back).await;
    back.revise(&*world.store).await.unwrap();
    assert_eq!(world.members(uid, &all()).await, ["c-0", "c-2", "c-3", "c-1"], "the last to join");
}

pub(crate) async fn ruling_on_a_campaign_is_one_decision_and_is_taken_back_as_one(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let mut records = world.paste(0..3).await;
    records.push(world.post(world.pasted(3).held(None, &[], 0.5)).await);
    let uid = world.only().await;
    // A person has approved one of them, by itself.
    world.store.rule(ruling(Action::Approve, &[&records[1]], 50)).await.unwrap();
    let mut asked = rejecting(uid, 4, &Reach::ALL);
    asked.except = vec![records[2].uid];
    let done = world.store.campaign_rule(asked).await.unwrap();
    let names = |records: Vec<&Record>| records.iter().map(|it| it.comment.id.to_string()).collect::<Vec<_>>();
    assert_eq!(names(done.ruled.applied.iter().map(|(record, _)| record).collect()), ["c-0", "c-3"]);
    assert_eq!(names(done.ruled.conflicts.iter().collect()), ["c-1"], "a person has said otherwise");
    assert_eq!(
        done.turn,
        Turn {
            uid,
            state: CampaignState::Decided,
            action: Some(Action::Reject),
            sites: None,
            rule_until: None,
            into: None
        }
    );
    let counts = world.campaigns().await[0].3;
    assert_eq!((counts.approved, counts.rejected, counts.rechecks), (2, 2, 0), "what was left out was looked at");
    let undone = world.store.unrule(done.ruled.decision, moderator(), &Reach::ALL, at(110)).await.unwrap();
    assert_eq!(undone.applied.len(), 2);
    let turn = world.store.campaign_of_ruling(done.ruled.decision).await.unwrap().unwrap();
    assert_eq!((turn.state, turn.action), (CampaignState::Open, None));
    let counts = world.campaigns().await[0].3;
    assert_eq!((counts.approved, counts.held, counts.rechecks), (3, 1, 2));
}

pub(crate) async fn campaign_stays_decided_while_a_part_of_its_ruling_stands(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let blog = site(&*world.store, "blog").await;
    world.paste(0..2).await;
    let there = Made::new(&blog, "b-1").author("u-9").under("a-9").body("the same words again and again").at(3);
    world.post(there).await;
    let uid = world.only().await;
    let decision = world.reject(uid, 3, &Reach::ALL).await.unwrap().ruled.decision;
    for (name, expected) in [("blog", CampaignState::Decided), ("news", CampaignState::Open)] {
        let reach = Reach { sites: Some(vec![name.to_owned()]), ..Reach::ALL };
        world.store.unrule(decision, moderator(), &reach, at(110)).await.unwrap();
        assert_eq!(world.campaigns().await[0].1, expected, "{name}");
    }
}

pub(crate) async fn campaign_that_keeps_no_more_members_goes_on(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..3).await;
    let uid = world.only().await;
    let day = 86_400;
    for (number, days) in [(3, 20), (4, 40)] {
        let made = world.pasted(number).at(days * day);
        let mut membership = world.sight(&made).await.unwrap();
        membership.most = 3;
        world.record(made, Some(membership)).await;
    }
    let kept = world.store.campaigns_remembered(at(39 * day), at(39 * day), 9, 9).await.unwrap();
    assert_eq!(kept.iter().map(|kept| (kept.uid, kept.members.len())).collect::<Vec<_>>(), [(uid, 3)]);
}

pub(crate) async fn ruling_on_a_campaign_leaves_alone_who_joined_since(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..3).await;
    let uid = world.only().await;
    let late = world.paste(3..4).await.remove(0);
    let done = world.reject(uid, 3, &Reach::ALL).await.unwrap();
    assert_eq!((done.ruled.applied.len(), done.later), (3, vec![late.uid]));
    assert_eq!(world.store.comment_by_uid(late.uid).await.unwrap().unwrap().status, Status::Approved);
    let mut again = rejecting(uid, 3, &Reach::ALL);
    again.future = true;
    let done = world.store.campaign_rule(again).await.unwrap();
    assert_eq!((done.ruled.applied.len(), done.later.len()), (1, 0));
}

pub(crate) async fn ruling_on_a_campaign_keeps_within_reach(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let blog = site(&*world.store, "blog").await;
    world.paste(0..2).await;
    let mut there = Made::new(&blog, "b-1").author("u-9").under("a-9").body("the same words again and again").at(3);
    there.0.membership = world.sight(&there).await;
    there.store(&*world.store).await;
    let uid = world.only().await;
    let reach = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let nowhere = Reach { sites: Some(vec!["other".to_owned()]), ..Reach::ALL };
    let seen = world.store.campaign_find(uid, &reach).await.unwrap().unwrap();
    assert_eq!((seen.counts.comments, seen.earliest.len()), (3, 1), "others' are counted, never shown");
    let filter = MemberFilter { reach: reach.clone(), ..all() };
    assert_eq!(world.members(uid, &filter).await, ["b-1"]);
    assert!(world.store.campaign_find(uid, &nowhere).await.unwrap().is_none());
    assert!(matches!(world.reject(uid, 9, &nowhere).await, Err(CampaignError::NotFound)));
    let close = world.store.campaign_close(uid, moderator(), &reach, at(9)).await;
    assert!(matches!(close, Err(CampaignError::Outside)));
    let done = world.reject(uid, 9, &reach).await.unwrap();
    assert_eq!((done.ruled.applied.len(), done.outside, done.turn.state), (1, 2, CampaignState::Open));
}

pub(crate) async fn decision_about_a_campaign_holds_where_its_people_work(engine: &dyn Engine) {
    for close in [false, true] {
        let world = World::new(engine).await;
        let blog = site(&*world.store, "blog").await;
        world.paste(0..3).await;
        let uid = world.only().await;
        let reach = Reach { sites: Some(vec!["news".to_owned()]), ..Reach::ALL };
        let section = Reach { sections: Some(vec!["sports".to_owned()]), ..reach.clone() };
        assert!(world.store.campaign_close(uid, moderator(), &section, at(9)).await.is_err());
        let turn = if close {
            world.store.campaign_close(uid, moderator(), &reach, at(9)).await.unwrap()
        } else {
            world.store.campaign_rule(rejecting(uid, 9, &reach)).await.unwrap().turn
        };
        assert_eq!(turn.sites, Some(vec![world.news.id]));
        world.history.turned(turn).await;
        let there = Made::new(&blog, "b-1").author("u-9").under("a-9").body("the same words again and again").at(200);
        let here = world.pasted(201);
        let config = history::Config::default();
        let rebuilt = MemoryHistory::rebuild_with(config, Config::default(), Arc::clone(&world.store), at(199));
        for history in [Arc::clone(&world.history), rebuilt.await.unwrap()] {
            let past = async |made: &Made| history.about(&made.0.trace, at(202)).await.campaign;
            let elsewhere = past(&there).await.get().unwrap().clone().unwrap();
            assert_eq!((elsewhere.state, elsewhere.action), (CampaignState::Open, None), "nobody there has decided");
            let decided = past(&here).await.get().unwrap().as_ref().map(|it| it.action);
            assert_eq!(decided, if close { None } else { Some(Some(Action::Reject)) });
        }
        let all = world.reject(uid, 9, &Reach::ALL).await.unwrap().turn;
        assert_eq!((all.state, all.sites), (CampaignState::Decided, None), "who works on all sites decides for all");
        let past = world.history.about(&there.0.trace, at(203)).await.campaign;
        assert_eq!(past.get().unwrap().as_ref().unwrap().action, Some(Action::Reject));
        let narrow = world.reject(uid, 9, &reach).await.unwrap().turn;
        assert_eq!(narrow.sites, None, "and who works on one takes nothing of that back");
        world.store.site_delete("news", moderator(), at(300)).await.unwrap();
        world.store.site_delete("blog", moderator(), at(300)).await.unwrap();
    }
}

pub(crate) async fn rule_for_who_joins_a_campaign_is_kept_ended_and_taken_back(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..3).await;
    let uid = world.only().await;
    let set =
        async |until, reach: &Reach| world.store.campaign_rule_until(uid, until, moderator(), reach, at(101)).await;
    assert!(matches!(set(Some(at(500)), &Reach::ALL).await, Err(CampaignError::NotRejected)), "nobody has decided");
    let ruling = CampaignRuling { future: true, rule_until: Some(at(400)), ..rejecting(uid, 3, &Reach::ALL) };
    let approving = CampaignRuling { action: Action::Approve, ..ruling.clone() };
    let approved = world.store.campaign_rule(approving).await.unwrap();
    assert_eq!(approved.turn.rule_until, None, "what joins is never approved unseen");
    world.store.unrule(approved.ruled.decision, moderator(), &Reach::ALL, at(100)).await.unwrap();
    let done = world.store.campaign_rule(ruling).await.unwrap();
    assert_eq!(done.turn.rule_until, Some(at(400)));
    let news = Reach { sites: Some(vec!["news".to_owned()]), ..Reach::ALL };
    assert!(matches!(set(None, &news).await, Err(CampaignError::Outside)), "it holds on all sites");
    assert_eq!(set(Some(at(500)), &Reach::ALL).await.unwrap().rule_until, Some(at(500)));
    world.store.close().await;
    let store = engine.open().await;
    let config = history::Config::default();
    let rebuilt = MemoryHistory::rebuild_with(config, Config::default(), Arc::clone(&store), at(200)).await.unwrap();
    let past = rebuilt.about(&world.pasted(300).0.trace, at(300)).await;
    let until = past.campaign.get().unwrap().as_ref().unwrap().rule_until;
    assert_eq!(until, Some(at(500)), "it is there after a restart");
    assert_eq!(store.campaign_find(uid, &Reach::ALL).await.unwrap().unwrap().rule_until, until);
    let turn = store.campaign_rule_until(uid, None, moderator(), &Reach::ALL, at(301)).await.unwrap();
    assert_eq!((turn.state, turn.rule_until), (CampaignState::Decided, None), "the decision stays");
    store.campaign_rule_until(uid, Some(at(600)), moderator(), &Reach::ALL, at(302)).await.unwrap();
    store.unrule(done.ruled.decision, moderator(), &Reach::ALL, at(303)).await.unwrap();
    let open = store.campaign_find(uid, &Reach::ALL).await.unwrap().unwrap();
    assert_eq!((open.state, open.rule_until), (CampaignState::Open, None), "undo takes the rule along");
}

pub(crate) async fn members_arrive_within_reach_and_in_order(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let blog = site(&*world.store, "blog").await;
    let two = world.paste(0..2).await;
    let mut there = Made::new(&blog, "b-1")
        .author("u-9")
        .under("a-9")
        .body("the same words again and again")
        .at(3)
        .held(None, &[], 0.5);
    there.0.membership = world.sight(&there).await;
    there.store(&*world.store).await;
    let uid = world.only().await;
    let arrived = async |site: &str| {
        let reach = Reach { sites: Some(vec![site.to_owned()]), ..Reach::ALL };
        world.store.campaign_arrivals(uid, &reach).await.unwrap()
    };
    assert_eq!(arrived("news").await, two.iter().map(|it| (it.received_at, Status::Approved)).collect::<Vec<_>>());
    assert_eq!(arrived("blog").await, [(at(3), Status::Held)]);
    assert!(arrived("nowhere").await.is_empty());
    assert_eq!(world.store.campaign_arrivals(uid, &Reach::ALL).await.unwrap().len(), 3);
}

pub(crate) async fn campaigns_merge_and_close(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let (one, other) = world.two().await;
    let turn = world.store.campaign_merge(other, one, moderator(), &Reach::ALL, at(20)).await.unwrap();
    world.history.turned(turn).await;
    assert_eq!(world.members(one, &all()).await, ["c-0", "c-1", "c-2", "c-10", "c-11", "c-12"]);
    let gone = world.store.campaign_find(other, &Reach::ALL).await.unwrap().unwrap();
    assert_eq!((gone.state, gone.into), (CampaignState::Merged, Some(one)));
    let next = world.pasted(13);
    assert_eq!(world.sight(&next).await.unwrap().campaign, one);
    world.history.forget(&next.0.trace).await;
    let again = world.store.campaign_merge(other, one, moderator(), &Reach::ALL, at(21)).await;
    assert!(matches!(again, Err(CampaignError::NotFound | CampaignError::Over)));
    let turn = world.store.campaign_close(one, moderator(), &Reach::ALL, at(22)).await.unwrap();
    world.history.turned(turn).await;
    assert_eq!(world.sight(&world.pasted(14)).await, None, "people found that it is none");
    assert!(matches!(world.reject(one, 9, &Reach::ALL).await, Err(CampaignError::Over)));
}

pub(crate) async fn rule_of_one_site_is_ended_from_there_when_the_campaign_has_spread(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let blog = site(&*world.store, "blog").await;
    world.paste(0..3).await;
    let uid = world.only().await;
    let news = Reach { sites: Some(vec!["news".to_owned()]), ..Reach::ALL };
    let ruling = CampaignRuling { future: true, rule_until: Some(at(400)), ..rejecting(uid, 3, &news) };
    let turn = world.store.campaign_rule(ruling).await.unwrap().turn;
    assert_eq!(turn.rule_until, Some(at(400)));
    world.history.turned(turn).await;
    world.post(Made::new(&blog, "b-1").author("u-9").under("a-9").body("the same words again and again").at(200)).await;
    let set = async |until| world.store.campaign_rule_until(uid, until, moderator(), &news, at(201)).await;
    assert!(matches!(set(Some(at(500))).await, Err(CampaignError::Outside)), "it is theirs no more to lengthen");
    assert_eq!(set(None).await.unwrap().rule_until, None);
}

pub(crate) async fn queue_shows_and_filters_by_campaign(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..3).await;
    let held = world.post(world.pasted(3).held(None, &[], 0.5)).await;
    Made::new(&world.news, "alone").held(None, &[], 0.5).store(&*world.store).await;
    let uid = world.only().await;
    let of = async |campaign| {
        let filter = QueueFilter { campaign, ..QueueFilter::default() };
        let page = world.store.queue(&filter, QueueSort::Oldest, &first_page(9), at(9)).await.unwrap();
        (page.held, page.items.into_iter().map(|item| (item.record.uid, item.campaign)).collect::<Vec<_>>())
    };
    assert_eq!(of(Some(uid)).await, (1, vec![(held.uid, Some(uid))]));
    assert_eq!(of(Some(Uuid::nil())).await.0, 0);
    let (count, items) = of(None).await;
    assert!(count == 2 && items.iter().any(|(_, campaign)| campaign.is_none()));
}

pub(crate) async fn deleted_site_leaves_its_campaigns(engine: &dyn Engine) {
    let world = World::new(engine).await;
    world.paste(0..3).await;
    world.store.site_delete("news", moderator(), at(9)).await.unwrap();
    assert_eq!(world.campaigns().await, []);
}
