//! Members of campaigns that people are to look at again: the number on the queue page is what the campaigns count of their own members,
//! whatever happens. And what is left in force of several decisions about one campaign.

use doorward::domain::campaign::{CampaignFilter, CampaignRuling, CampaignState};
use doorward::domain::comment::Article;
use doorward::domain::decision::Action;
use doorward::domain::history::History as _;
use doorward::domain::learning::Lot;
use doorward::domain::people::Reach;
use doorward::domain::store::{QueueFilter, QueueSort, Store};

use crate::campaigns::{World, rejecting};
use crate::made::{Made, at, first_page, id, moderator, ruling, site};
use crate::suite::Engine;

/// The number on the queue page of somebody with that reach.
async fn shown(store: &dyn Store, reach: &Reach) -> u64 {
    let filter = QueueFilter { reach: reach.clone(), ..QueueFilter::default() };
    store.queue(&filter, QueueSort::Oldest, &first_page(1), at(9)).await.unwrap().rechecks
}

/// The same, which must be what the campaigns count.
async fn rechecks(store: &dyn Store) -> u64 {
    let campaigns = store.campaign_list(&CampaignFilter::default(), &first_page(100)).await.unwrap().items;
    let counted: u64 = campaigns.iter().map(|campaign| u64::from(campaign.counts.rechecks)).sum();
    let shown = shown(store, &Reach::ALL).await;
    assert_eq!(shown, counted, "the queue page and the campaigns disagree");
    shown
}

fn approving(ruling: CampaignRuling) -> CampaignRuling {
    CampaignRuling { action: Action::Approve, ..ruling }
}

pub(crate) async fn rechecks_follow_joins_decisions_and_their_undo(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let store = &*world.store;
    let mut records = world.paste(0..2).await;
    assert_eq!(rechecks(store).await, 0, "two are no campaign");
    records.extend(world.paste(2..4).await);
    let held = world.post(world.pasted(4).held(None, &[], 0.5)).await;
    world.post(world.pasted(5).rejected()).await;
    assert_eq!(rechecks(store).await, 4, "what is held or rejected is not looked at again");
    let uid = world.only().await;
    // One by itself: a person's word.
    let one = store.rule(ruling(Action::Approve, &[&records[0]], 20)).await.unwrap();
    assert_eq!(rechecks(store).await, 3);
    let other = store.rule(ruling(Action::Approve, &[&held], 21)).await.unwrap();
    assert_eq!(rechecks(store).await, 3);
    for decision in [one.decision, other.decision] {
        store.unrule(decision, moderator(), &Reach::ALL, at(30)).await.unwrap();
    }
    assert_eq!(rechecks(store).await, 4);
    // All of it, but one that somebody saw; one joins later and is approved by policy.
    let mut asked = rejecting(uid, 6, &Reach::ALL);
    asked.except = vec![records[2].uid];
    let rejected = store.campaign_rule(asked).await.unwrap();
    assert_eq!(rechecks(store).await, 0);
    world.paste(6..7).await;
    assert_eq!(rechecks(store).await, 1, "it joined what people rejected");
    store.unrule(rejected.ruled.decision, moderator(), &Reach::ALL, at(110)).await.unwrap();
    assert_eq!(rechecks(store).await, 5, "everything is as it was, and the one that was left out is to be seen, too");
    let approved = store.campaign_rule(approving(rejecting(uid, 7, &Reach::ALL))).await.unwrap();
    assert_eq!(rechecks(store).await, 0);
    world.paste(7..8).await;
    assert_eq!(rechecks(store).await, 0, "it joined what people approved");
    store.unrule(approved.ruled.decision, moderator(), &Reach::ALL, at(120)).await.unwrap();
    assert_eq!(rechecks(store).await, 6);
    assert_eq!(rechecks(&*engine.crashed().await.open().await).await, 6, "in the commits of what they follow");
}

pub(crate) async fn rechecks_follow_edits_erasing_merging_and_closing(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let store = &*world.store;
    let records = world.paste(0..4).await;
    let one = world.only().await;
    let mut edited = world.pasted(1).body("something else").at(20);
    edited.0.trace.text = None;
    edited.0.trace.links.clear();
    assert_eq!(world.sight(&edited).await, None);
    edited.revise(store).await.unwrap();
    assert_eq!(rechecks(store).await, 3);
    for (body, held, left) in [("the same words, once more", false, 4), ("the same words, and again", true, 3)] {
        let mut back = world.pasted(1).body(body).at(21);
        back = if held { back.held(None, &[], 0.5) } else { back };
        back.0.membership = world.sight(&back).await;
        back.revise(store).await.unwrap();
        assert_eq!(rechecks(store).await, left);
    }
    let trace = store.comment_erase(world.news.id, &records[2].comment.id, moderator(), at(22)).await.unwrap();
    world.history.forget(&trace.unwrap()).await;
    assert_eq!(rechecks(store).await, 2);
    for number in 10..13 {
        let mut other = world.pasted(number);
        if let Some(text) = &mut other.0.trace.text {
            (text.exact, text.sketch) = (77, [7; 16]);
        }
        (other.0.trace.links[0].url, other.0.trace.links[0].domain) = (9, 8);
        world.post(other).await;
    }
    assert_eq!(rechecks(store).await, 5);
    let campaigns = world.campaigns().await;
    let other = campaigns.iter().map(|(uid, ..)| *uid).find(|uid| *uid != one).unwrap();
    store.campaign_merge(other, one, moderator(), &Reach::ALL, at(30)).await.unwrap();
    assert_eq!(rechecks(store).await, 5, "they belong elsewhere now");
    store.campaign_close(one, moderator(), &Reach::ALL, at(31)).await.unwrap();
    assert_eq!(rechecks(store).await, 0, "people found that it is none");
    store.site_delete("news", moderator(), at(40)).await.unwrap();
    assert_eq!(rechecks(store).await, 0);
}

pub(crate) async fn rechecks_follow_what_is_drawn_for_a_person(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let store = &*world.store;
    world.paste(0..3).await;
    let mut drawn = world.pasted(3);
    drawn.0.lot = Some(Lot { rate: 1.0, max_per_day: 9 });
    let drawn = world.post(drawn).await;
    assert_eq!(rechecks(store).await, 3, "it waits in the queue already");
    let ruled = store.rule(ruling(Action::Approve, &[&drawn], 20)).await.unwrap();
    assert_eq!(rechecks(store).await, 3, "and then a person has seen it");
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(21)).await.unwrap();
    assert_eq!(rechecks(store).await, 3);
    store.site_delete("news", moderator(), at(40)).await.unwrap();
    assert_eq!(rechecks(store).await, 0, "it went with its site");
}

pub(crate) async fn rechecks_lie_within_the_reach(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let store = &*world.store;
    let blog = site(store, "blog").await;
    world.paste(0..3).await;
    let uid = world.only().await;
    let mut article = Article::named(id("a-9"));
    article.section = Some("sports".to_owned());
    let there = Made::new(&blog, "b-1").author("u-9").with_article(article);
    world.post(there.body("the same words again and again").at(3)).await;
    let on = |names: &[&str]| Reach { sites: Some(names.iter().map(|&name| name.to_owned()).collect()), ..Reach::ALL };
    let section = |name: &str| Reach { sections: Some(vec![name.to_owned()]), ..Reach::ALL };
    let seen = async || {
        let reaches = [on(&["news"]), on(&["blog"]), on(&["blog", "news", "blog"]), on(&["other"]), section("sports")];
        let mut seen = Vec::new();
        for reach in &reaches {
            seen.push(shown(store, reach).await);
        }
        seen.push(rechecks(store).await);
        seen
    };
    assert_eq!(seen().await, [3, 1, 4, 0, 1, 4]);
    assert_eq!(shown(store, &section("politics")).await, 0);
    // Decided where its people work: elsewhere it is still to be looked at.
    store.campaign_rule(approving(rejecting(uid, 9, &on(&["news"])))).await.unwrap();
    assert_eq!(seen().await, [0, 1, 1, 0, 1, 1]);
    store.site_delete("blog", moderator(), at(40)).await.unwrap();
    assert_eq!(rechecks(store).await, 0);
}

pub(crate) async fn undo_of_the_latest_decision_leaves_the_one_before_in_force(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let store = &*world.store;
    world.paste(0..3).await;
    let uid = world.only().await;
    let rule = CampaignRuling { rule_until: Some(at(400)), ..rejecting(uid, 3, &Reach::ALL) };
    let first = store.campaign_rule(rule).await.unwrap().ruled;
    store.campaign_rule_until(uid, Some(at(500)), moderator(), &Reach::ALL, at(101)).await.unwrap();
    world.paste(3..5).await;
    let second = store.campaign_rule(approving(rejecting(uid, 5, &Reach::ALL))).await.unwrap();
    assert_eq!((second.turn.action, second.ruled.applied.len()), (Some(Action::Approve), 2));
    let undone = store.unrule(second.ruled.decision, moderator(), &Reach::ALL, at(110)).await.unwrap();
    assert_eq!(undone.applied.len(), 2);
    let left = store.campaign_find(uid, &Reach::ALL).await.unwrap().unwrap();
    assert_eq!((left.state, left.action), (CampaignState::Decided, Some(Action::Reject)), "the first one stands");
    assert_eq!((left.decision, left.rule_until), (Some(first.decision), Some(at(500))), "with its rule");
    assert_eq!(rechecks(store).await, 2, "who joined since is to be looked at");
    for decision in [first.decision, second.ruled.decision] {
        let turn = store.campaign_of_ruling(decision).await.unwrap().expect("whoever keeps it in memory hears of it");
        assert_eq!((turn.uid, turn.action, turn.rule_until), (uid, Some(Action::Reject), Some(at(500))));
    }
    store.unrule(first.decision, moderator(), &Reach::ALL, at(120)).await.unwrap();
    let left = store.campaign_find(uid, &Reach::ALL).await.unwrap().unwrap();
    assert_eq!((left.state, left.action, left.rule_until), (CampaignState::Open, None, None));
    assert_eq!(rechecks(store).await, 5);
}

pub(crate) async fn undo_of_an_earlier_decision_leaves_the_latest_in_force(engine: &dyn Engine) {
    let world = World::new(engine).await;
    let store = &*world.store;
    world.paste(0..3).await;
    let uid = world.only().await;
    let first = store.campaign_rule(rejecting(uid, 3, &Reach::ALL)).await.unwrap().ruled.decision;
    world.paste(3..5).await;
    let second = store.campaign_rule(approving(rejecting(uid, 5, &Reach::ALL))).await.unwrap().ruled.decision;
    store.unrule(first, moderator(), &Reach::ALL, at(110)).await.unwrap();
    let left = store.campaign_find(uid, &Reach::ALL).await.unwrap().unwrap();
    assert_eq!((left.action, left.decision), (Some(Action::Approve), Some(second)));
    store.unrule(second, moderator(), &Reach::ALL, at(120)).await.unwrap();
    let left = store.campaign_find(uid, &Reach::ALL).await.unwrap().unwrap();
    assert_eq!((left.state, left.action), (CampaignState::Open, None), "nothing is left of either");
    assert_eq!(rechecks(store).await, 5);
}
