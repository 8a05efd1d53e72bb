//! What could not be told when it happened, or could not be heard, undoes nothing that happened since.

use doorward::domain::campaign::{CampaignState, Turn};
use doorward::domain::decision::{Action, Status};
use doorward::domain::history::{History, Standing};
use uuid::Uuid;

use crate::made::{Made, at};
use crate::server::{Server, until};
use crate::town::{Node, Town, comment, links};

fn posted(name: &str, shop: &str) -> doorward::domain::comment::Comment {
    let body = format!("Come to http://{shop}.example/now and buy the very best of it");
    comment(name, &format!("x-{name}"), &format!("u-{name}"), &body)
}

const SOFA: &str = "I earn four thousand a week from my sofa and my neighbour asked me how, so I wrote it all down";
const TEA: &str =
    "My cousin lost twenty kilos within one month by a tea that no doctor wants us to hear of, ask me where";

/// A campaign of four with that text.
async fn campaign(node: &Node, name: &str, text: &str) -> Uuid {
    let mut uid = None;
    for number in 0..4 {
        let name = format!("{name}-{number}");
        uid = node.post(&comment(&name, &format!("x-{name}"), &format!("u-{name}"), text), number).await.1;
    }
    uid.expect("four are one")
}

/// What people decided about the campaign with that text, as a node sees it.
async fn decided(node: &Node, text: &str) -> Option<Action> {
    let past = node.history.about(&comment("probe", "x-probe", "u-probe", text).trace, at(90)).await;
    past.campaign.get().and_then(Option::as_ref).expect("it belongs").action
}

async fn turned(node: &Node, uid: Uuid, action: Option<Action>) {
    let state = if action.is_some() { CampaignState::Decided } else { CampaignState::Open };
    node.history.turned(Turn { uid, state, action, sites: None, rule_until: None, into: None }).await;
}

/// Something that has its turn after everything that a node had to tell.
async fn all_known(nodes: [&Node; 2]) {
    for node in nodes {
        node.follows().await;
    }
    for node in nodes {
        node.history.forget(&posted("nobody", "none").trace).await;
    }
}

const fn by_person(status: Status) -> Standing {
    Standing { status, by_person: true }
}

#[tokio::test]
async fn of_what_two_nodes_could_not_tell_the_later_holds_whoever_tells_first() {
    let Some(server) = Server::start().await.map(Server::noticed_soon) else { return };
    let town = Town::new().await;
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    let (first, second) = (campaign(&one, "sofa", SOFA).await, campaign(&one, "tea", TEA).await);
    for (name, shop) in [("s-1", "sofas"), ("s-2", "tables")] {
        one.post(&posted(name, shop), 10).await;
    }
    all_known([&one, &other]).await;
    server.freeze(true);
    until("both notice", async || !one.is_up() && !other.is_up()).await;
    // Each of both is once the earlier and once the later one: one of the two comes the wrong way round, whoever tells first.
    for (early, late, uid, shop, settled, erased) in
        [(&one, &other, first, "sofas", "s-1", "e-1"), (&other, &one, second, "tables", "s-2", "e-2")]
    {
        turned(early.at(200), uid, Some(Action::Reject)).await;
        turned(late.at(300), uid, None).await;
        let trace = posted(settled, shop).trace;
        early.at(200).history.settle(&trace, at(10), by_person(Status::Rejected)).await;
        late.at(300).history.settle(&trace, at(10), by_person(Status::Approved)).await;
        let gone = posted(erased, &format!("{shop}-gone"));
        early.at(200).sight(&gone, 20).await;
        late.at(300).history.forget(&gone.trace).await;
    }
    one.at(400);
    other.at(400);
    server.freeze(false);
    all_known([&one, &other]).await;
    for node in [&one, &other] {
        assert_eq!((decided(node, SOFA).await, decided(node, TEA).await), (None, None), "reopened since");
        for shop in ["sofas", "tables"] {
            let probe =
                comment("p", "x-p", "u-p", &format!("http://{shop}.example/now http://{shop}-gone.example/now"));
            let past = node.history.about(&probe.trace, at(90)).await;
            let links = past.links.get().expect("known");
            assert_eq!((links[0].url.rejected, links[0].url.approved_by_person), (0, 1), "{shop}: approved since");
            assert_eq!(links[1].url.comments, 0, "{shop}: erased since");
        }
    }
}

#[tokio::test]
async fn what_was_erased_is_not_brought_back_when_everything_is_told_again() {
    let Some(mut server) = Server::start().await else { return };
    let town = Town::new().await;
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    // Sighted by each, and erased through the other: one of both is told in the wrong order, whoever tells first.
    for (sights, erases, name) in [(&one, &other, "a"), (&other, &one, "b")] {
        let gone = posted(name, name);
        sights.at(101).post(&gone, 1).await;
        erases.at(102).history.forget(&gone.trace).await;
    }
    all_known([&one, &other]).await;
    server.kill();
    until("both notice", async || !one.is_up() && !other.is_up()).await;
    server.start_again().await;
    all_known([&one, &other]).await;
    for node in [&one, &other] {
        for shop in ["a", "b"] {
            let past = node.history.about(&posted("probe", shop).trace, at(90)).await;
            assert_eq!(links(&past), 0, "{shop}");
        }
    }
}

/// A comment that the store knows, and no node heard of.
async fn unheard(town: &Town, name: &str, shop: &str) {
    let mut silent = Made::new(&town.news, name).at(2);
    silent.0.trace = posted(name, shop).trace;
    silent.store(&*town.store).await;
}

async fn knows(node: &Node, shop: &str, count: u32) -> bool {
    node.is_up() && links(&node.history.about(&posted("probe", shop).trace, at(50)).await) == count
}

#[tokio::test]
async fn a_node_notices_what_was_cut_off_while_it_waited() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let one = town.node(&server).await;
    one.post(&posted("a-1", "others"), 1).await;
    unheard(&town, "c-1", "pills").await;
    // In one step, so that whoever waits sees nothing in between: much that it knows comes again, and the place where it stood goes.
    let much = redis::Script::new(
        "local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][2]
         for _ = 1, 1500 do redis.call('XADD', KEYS[1], '*', last[1], last[2]) end
         return redis.call('XTRIM', KEYS[1], 'MAXLEN', 1200)",
    );
    let mut connection = server.connection().await;
    let cut: u32 = much.key("doorward:order").invoke_async(&mut connection).await.unwrap();
    assert!(cut > 300);
    until("it has read the store", async || knows(&one, "pills", 1).await).await;
}

#[tokio::test]
async fn what_another_version_told_is_read_from_the_store_when_it_tells_no_more() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let one = town.node(&server).await;
    one.post(&posted("a-1", "others"), 1).await;
    unheard(&town, "c-1", "pills").await;
    assert!(knows(&one, "pills", 0).await);
    let mut connection = server.connection().await;
    let mut add = redis::cmd("XADD");
    add.arg("doorward:order").arg("*").arg("e").arg(&b"\xffwhat is to come"[..]);
    add.query_async::<String>(&mut connection).await.unwrap();
    until("it has read the store", async || knows(&one, "pills", 1).await).await;
    // That is still there, and is no reason to read it again and again.
    one.post(&posted("a-2", "pills"), 3).await;
    until("it follows", async || knows(&one, "pills", 2).await).await;
}
