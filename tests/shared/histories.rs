//! Histories of several nodes: one order, one past, one name for each campaign.

use std::collections::BTreeSet;

use doorward::domain::campaign::{CampaignState, Turn};
use doorward::domain::decision::{Action, Status};
use doorward::domain::history::{AuthorPast, History, PastOf, Standing};
use doorward::domain::known::Known;

use crate::made::{Made, at};
use crate::server::{Server, until};
use crate::town::{HELD, Node, Town, comment, links, texts};

const TEXT: &str = "I earn four thousand a week from my sofa and my neighbour asked me how, so I wrote it all down";

#[tokio::test]
async fn of_two_that_come_at_once_on_two_nodes_exactly_one_is_first() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    for round in 0..40 {
        let words: Vec<String> = (0..12).map(|word| format!("word{round}x{word}")).collect();
        let body = format!("{} http://shop{round}.example/offer", words.join(" "));
        let here = comment(&format!("a-{round}"), "x", "anna", &body);
        let there = comment(&format!("b-{round}"), "y", "bert", &body);
        let ((first, _), (second, _)) = tokio::join!(one.sight(&here, 1), other.sight(&there, 1));
        assert_eq!(links(&first) + links(&second), 1, "round {round}: one of both saw the other");
        assert_eq!((texts(&first), texts(&second)), (links(&first), links(&second)), "in the same order");
    }
}

#[tokio::test]
async fn what_was_seen_on_one_node_is_known_on_the_other_at_once() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let nodes = [town.node(&server).await, town.node(&server).await, town.node(&server).await];
    for at in 0..9_u32 {
        let posted = comment(
            &format!("c-{at}"),
            "x",
            &format!("u-{at}"),
            "Buy your pills at http://pills.example/now, all of you who need them",
        );
        let (past, _) = nodes[at as usize % 3].post(&posted, i64::from(at)).await;
        assert_eq!((links(&past), texts(&past)), (at, at));
    }
    nodes[0].history.forget(&comment("c-3", "x", "u-3", "gone").trace).await;
    let (past, _) = nodes[1].sight(&comment("c-9", "x", "u-9", "And http://pills.example/now"), 20).await;
    assert_eq!(links(&past), 8, "what is erased on one node is erased on all");
}

#[tokio::test]
async fn a_campaign_is_recognised_once_and_has_one_name_everywhere() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    let mut names = BTreeSet::new();
    for round in 0..5_i64 {
        let posted = |node: char| {
            let name = format!("{node}-{round}");
            comment(&name, &format!("x-{name}"), &format!("u-{name}"), TEXT)
        };
        let (here, there) = (posted('a'), posted('b'));
        let ((_, first), (_, second)) = tokio::join!(one.post(&here, round), other.post(&there, round));
        if round >= 1 {
            names.extend([first, second]);
        }
    }
    // Of four that came by the second round, the third made it; the fourth may have been any of both nodes'.
    names.remove(&None);
    assert_eq!(names.len(), 1, "{names:?}");
    let latest = comment("c", "x-c", "u-c", TEXT);
    let told = [&one, &other].map(|node| async { campaign_of(&node.history.about(&latest.trace, at(50)).await) });
    let [here, there] = told;
    let (here, there) = (here.await, there.await);
    assert_eq!(here, there);
    assert_eq!(here.map(|(uid, count)| (Some(uid), count)), names.first().map(|uid| (*uid, 10)));
}

fn campaign_of(past: &PastOf) -> Option<(uuid::Uuid, u32)> {
    past.campaign.get().and_then(Option::as_ref).map(|campaign| (campaign.campaign, campaign.comments))
}

#[tokio::test]
async fn what_people_decide_about_a_campaign_on_one_node_holds_on_the_other() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    let mut uid = None;
    for at in 0..4 {
        uid = one.post(&comment(&format!("c-{at}"), &format!("x-{at}"), &format!("u-{at}"), TEXT), at).await.1;
    }
    let turn = Turn {
        uid: uid.expect("three are one"),
        state: CampaignState::Decided,
        action: Some(Action::Reject),
        sites: None,
        rule_until: Some(at(900)),
        into: None,
    };
    one.history.turned(turn).await;
    let (past, campaign) = other.post(&comment("c-9", "x-9", "u-9", TEXT), 9).await;
    let known = past.campaign.get().and_then(Option::as_ref).expect("it belongs");
    assert_eq!((known.action, known.rule_until, campaign), (Some(Action::Reject), Some(at(900)), uid));
}

#[tokio::test]
async fn what_becomes_of_a_comment_on_one_node_changes_its_authors_record_on_the_other() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    let made = |name: &str, second| Made::new(&town.news, name).author("u-1").at(second);
    let known = |past: Known<AuthorPast>| past.get().map(|past| (past.approved, past.rejected));
    let asked = made("new", 90).0.trace;
    for (count, name) in (1..=3).zip(["c-1", "c-2", "c-3"]) {
        assert_eq!(known(other.history.author(&asked, at(80)).await), Some((count - 1, 0)));
        let posted = made(name, i64::from(count));
        let trace = posted.0.trace.clone();
        one.history.sight(&trace, at(i64::from(count))).await;
        posted.store(&*town.store).await;
        let approved = Standing { status: Status::Approved, by_person: false };
        one.history.settle(&trace, at(i64::from(count)), approved).await;
        assert_eq!(known(one.history.author(&asked, at(80)).await), Some((count, 0)), "at once where it was posted");
        until("the other node knows, too", async || {
            known(other.history.author(&asked, at(80)).await) == Some((count, 0))
        })
        .await;
    }
}

#[tokio::test]
async fn a_node_that_starts_later_knows_what_the_others_know() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let one = town.node(&server).await;
    for at in 0..3 {
        one.post(&comment(&format!("c-{at}"), &format!("x-{at}"), &format!("u-{at}"), TEXT), at).await;
    }
    let other = town.node(&server).await;
    let (past, campaign) = other.post(&comment("c-3", "x-3", "u-3", TEXT), 9).await;
    assert_eq!(texts(&past), 3, "though the store knows none of them");
    let (_, its) = one.post(&comment("c-4", "x-4", "u-4", TEXT), 10).await;
    assert!(campaign.is_some() && campaign == its);
}

/// Numbers that look random and are the same each time.
fn roll(state: &mut u64, sides: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % sides
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_at_once_on_three_nodes_all_know_the_same() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let nodes = [town.node(&server).await, town.node(&server).await, town.node(&server).await];
    let texts: Vec<String> = (0..6).map(|at| format!("{TEXT}, number {at}, see http://h{at}.example/{at}")).collect();
    let of = |node: usize, at: u64, state: &mut u64| {
        let body = &texts[usize::try_from(roll(state, 6)).unwrap()];
        let (article, author) = (format!("x-{}", roll(state, 5)), format!("u-{}", roll(state, 20)));
        comment(&format!("c-{node}-{at}"), &article, &author, body)
    };
    let course = async |index: usize, node: &Node| {
        let mut state = 77 + index as u64;
        for at in 0..120_u64 {
            let posted = of(index, at, &mut state);
            node.sight(&posted, i64::try_from(at).unwrap()).await;
            match roll(&mut state, 5) {
                0 => node.history.forget(&posted.trace).await,
                1 => {
                    let rejected = Standing { status: Status::Rejected, by_person: roll(&mut state, 2) == 0 };
                    node.history.settle(&posted.trace, crate::made::at(1), rejected).await;
                }
                _ => node.history.settle(&posted.trace, crate::made::at(1), HELD).await,
            }
        }
    };
    let [a, b, c] = &nodes;
    tokio::join!(course(0, a), course(1, b), course(2, c));
    let mut compared = 0;
    for text in &texts {
        let probe = comment("probe", "x-new", "u-new", text);
        for node in &nodes {
            node.history.forget(&probe.trace).await; // has its turn: everything before it is known
        }
        let mut pasts = Vec::new();
        for node in &nodes {
            pasts.push(node.history.about(&probe.trace, at(99)).await);
        }
        assert!(pasts.iter().all(|past| *past == pasts[0]), "{pasts:#?}");
        compared += u32::from(campaign_of(&pasts[0]).is_some_and(|(_, count)| count > 3));
    }
    assert!(compared > 0, "no campaign: the course is no test");
}
