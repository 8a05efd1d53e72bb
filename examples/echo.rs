//! The ceiling that `scripts/bench` compares with: the same web server, which reads a body and answers, and does nothing else.
//!
//! `cargo run --release --example echo -- --listen 127.0.0.1:8090`. What it answers in a second is what this machine, its network stack and actix-web
//! allow; what the service answers is a share of that.

use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Parser;

/// Reads what is posted and says how long it was.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address and port to listen on
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: String,
    /// Threads that answer; 0 for one for each core, as the service has by default
    #[arg(long, default_value_t = 0)]
    workers: usize,
}

async fn read(body: web::Bytes) -> HttpResponse {
    HttpResponse::Created().json(serde_json::json!({ "bytes": body.len() }))
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let server = HttpServer::new(|| App::new().default_service(web::post().to(read)));
    let server = if arguments.workers > 0 { server.workers(arguments.workers) } else { server };
    actix_web::rt::System::new().block_on(server.bind(arguments.listen)?.run())
}
