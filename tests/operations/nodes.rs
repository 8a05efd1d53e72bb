//! One node among others on a PostgreSQL database.

use super::world::{Host, Postgres};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_start_failed_is_nobody_that_others_reckon_with() {
    let Some(postgres) = Postgres::start() else { return };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let host = Host::with(&format!("[server]\nlisten = \"{address}\"\n[database]\nurl = \"{}\"\n", postgres.url));
    tokio::task::block_in_place(|| {
        let told = host.refused(&["serve"], 1);
        assert!(told.contains("cannot be opened"), "{told}");
        let told = host.done(&["nodes"]);
        assert!(told.contains("Nobody is known to serve"), "{told}");
    });
}
