//! Redis goes and comes back: nothing that a node saw is lost, and nobody has to be started again.

use doorward::domain::history::History;

use crate::made::{Made, at};
use crate::server::{Server, until};
use crate::town::{Town, comment, links, texts};

fn posted(name: &str) -> doorward::domain::comment::Comment {
    comment(
        name,
        &format!("x-{name}"),
        &format!("u-{name}"),
        "Come to http://pills.example/now and buy the very best of it",
    )
}

#[tokio::test]
async fn what_either_node_saw_before_and_during_an_outage_both_know_after_it() {
    let Some(mut server) = Server::start().await else { return };
    let town = Town::new().await;
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    one.post(&posted("a-1"), 1).await;
    other.post(&posted("b-1"), 2).await;
    server.kill();
    until("both notice", async || !one.is_up() && !other.is_up()).await;
    let (past, _) = one.post(&posted("a-2"), 3).await;
    assert_eq!(links(&past), 2, "it goes on with what it knows");
    let (past, _) = other.post(&posted("b-2"), 4).await;
    assert_eq!(links(&past), 2);
    assert!(one.history.untold() > 0);
    server.start_again().await;
    one.follows().await;
    other.follows().await;
    // Everything that was told has its turn before these.
    let (past, first) = one.post(&posted("a-3"), 5).await;
    assert_eq!((links(&past), texts(&past)), (4, 4));
    let (past, second) = other.post(&posted("b-3"), 6).await;
    assert_eq!((links(&past), texts(&past)), (5, 5));
    assert!(first.is_some() && second.is_some());
}

#[tokio::test]
async fn a_campaign_that_one_node_recognises_in_an_outage_has_that_name_everywhere_after_it() {
    let Some(mut server) = Server::start().await else { return };
    let town = Town::new().await;
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    server.kill();
    until("both notice", async || !one.is_up() && !other.is_up()).await;
    let mut name = None;
    for (second, comment) in ["a-1", "a-2", "a-3", "a-4"].into_iter().enumerate() {
        name = one.post(&posted(comment), i64::try_from(second).unwrap()).await.1;
    }
    assert!(name.is_some());
    server.start_again().await;
    one.follows().await;
    other.follows().await;
    let (_, its) = other.post(&posted("b-1"), 9).await;
    assert_eq!(its, name);
    assert_eq!(one.post(&posted("a-5"), 10).await.1, name);
}

#[tokio::test]
async fn what_the_stream_lost_is_read_from_the_store() {
    let Some(mut server) = Server::start().await else { return };
    let town = Town::new().await;
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    one.post(&posted("a-1"), 1).await;
    other.post(&posted("b-1"), 1).await;
    // A node that is gone before the others could hear of it; the store knows.
    let mut silent = Made::new(&town.news, "c-1").at(2);
    silent.0.trace = posted("c-1").trace;
    silent.store(&*town.store).await;
    server.kill();
    until("both notice", async || !one.is_up() && !other.is_up()).await;
    server.start_again().await;
    one.follows().await;
    other.follows().await;
    // What one of them tells again the other one hears some moments later.
    for (node, name) in [(&one, "a-2"), (&other, "b-2")] {
        until("it knows all three", async || links(&node.history.about(&posted(name).trace, at(50)).await) == 3).await;
    }
}

#[tokio::test]
async fn a_node_that_starts_without_redis_knows_everything_when_it_is_there() {
    let Some(mut server) = Server::start().await else { return };
    let town = Town::new().await;
    let one = town.node(&server).await;
    server.kill();
    until("it is noticed", async || !one.is_up()).await; // or what it tells would wait for its turn
    let other = town.starting(&server).await;
    let (past, _) = other.post(&posted("b-1"), 1).await;
    assert_eq!(links(&past), 0);
    one.post(&posted("a-1"), 2).await;
    server.start_again().await;
    one.follows().await;
    other.follows().await;
    one.post(&posted("a-2"), 3).await;
    let (past, _) = other.post(&posted("b-2"), 4).await;
    assert_eq!(links(&past), 3);
}

#[tokio::test]
async fn a_redis_that_hangs_is_done_without_and_told_later() {
    let Some(server) = Server::start().await.map(Server::noticed_soon) else { return };
    let town = Town::new().await;
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    server.freeze(true);
    let (past, _) = one.post(&posted("a-1"), 1).await;
    assert_eq!(links(&past), 0);
    let (past, _) = one.post(&posted("a-2"), 2).await;
    assert_eq!(links(&past), 1, "it knows its own");
    assert!(!one.is_up());
    server.freeze(false);
    one.follows().await;
    other.follows().await;
    let (past, _) = one.sight(&posted("a-3"), 3).await;
    assert_eq!(links(&past), 2, "told twice is known once");
    let (past, _) = other.sight(&posted("b-1"), 4).await;
    assert_eq!(links(&past), 3);
}

#[tokio::test]
async fn a_node_that_was_cut_off_for_longer_than_is_kept_reads_the_store() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let one = town.node(&server).await;
    one.post(&posted("a-1"), 1).await;
    let mut silent = Made::new(&town.news, "c-1").at(2);
    silent.0.trace = posted("c-1").trace;
    silent.store(&*town.store).await;
    let mut connection = server.connection().await;
    // What it read last is not kept any more, and its connections are gone.
    redis::cmd("XTRIM").arg("doorward:order").arg("MAXLEN").arg(0).query_async::<()>(&mut connection).await.unwrap();
    redis::cmd("CLIENT").arg("KILL").arg("SKIPME").arg("yes").query_async::<()>(&mut connection).await.unwrap();
    until("it has read the store", async || {
        one.is_up() && links(&one.history.about(&posted("a-2").trace, at(50)).await) == 2
    })
    .await;
}
