//! Names to addresses, through the guard: whoever connects gets no other address than one that was judged.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::{Forbidden, Guard};

/// Asks for a name's addresses.
#[async_trait]
pub(super) trait Lookup: Send + Sync {
    /// All addresses of a name.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// As the operating system resolves.
pub(super) struct System;

#[async_trait]
impl Lookup for System {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// See the module.
#[derive(Clone)]
pub(super) struct Guarded {
    guard: Arc<Guard>,
    lookup: Arc<dyn Lookup>,
}

impl Guarded {
    pub(super) fn new(guard: Arc<Guard>, lookup: Arc<dyn Lookup>) -> Self {
        Self { guard, lookup }
    }

    /// The addresses of a name that may be connected to.
    async fn addresses(&self, name: &str) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let all = self.lookup.lookup(name).await?;
        let mut refused: Option<Forbidden> = None;
        let mut addresses = Vec::new();
        for address in all {
            match self.guard.check_address(name, address) {
                Ok(()) => addresses.push(SocketAddr::new(address, 0)), // whoever connects puts in the port
                Err(forbidden) => refused = refused.or(Some(forbidden)),
            }
        }
        match refused {
            Some(forbidden) if addresses.is_empty() => Err(Box::new(forbidden)),
            _ if addresses.is_empty() => Err("the name has no address".into()),
            _ => Ok(addresses),
        }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guarded = self.clone();
        Box::pin(async move {
            let addresses = guarded.addresses(name.as_str()).await?;
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Answers one list of addresses after the other, and the last one for ever.
    pub(in super::super) struct Script {
        answers: Vec<Vec<IpAddr>>,
        pub asked: AtomicUsize,
    }

    impl Script {
        pub(in super::super) fn new(answers: &[&[&str]]) -> Arc<Self> {
            let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
            Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: AtomicUsize::new(0) })
        }
    }

    #[async_trait]
    impl Lookup for Script {
        async fn lookup(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
            let at = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
            Ok(self.answers[at].clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Script;
    use super::*;

    async fn resolve(answers: &[&[&str]], times: usize) -> Vec<Result<Vec<String>, String>> {
        let guarded = Guarded::new(Arc::new(Guard::new(&[]).unwrap()), Script::new(answers));
        let mut all = Vec::new();
        for _ in 0..times {
            let found = guarded.resolve("hooks.example".parse().unwrap()).await;
            let found = found.map(|found| found.map(|address| address.ip().to_string()).collect());
            all.push(found.map_err(|error| error.to_string()));
        }
        all
    }

    #[tokio::test]
    async fn a_name_that_resolves_differently_the_second_time_gets_nowhere() {
        let found = resolve(&[&["93.184.215.14"], &["169.254.169.254"], &["::ffff:127.0.0.1"]], 3).await;
        assert_eq!(found[0], Ok(vec!["93.184.215.14".to_owned()]));
        for found in &found[1..] {
            assert!(found.as_ref().unwrap_err().contains("webhooks.allow_hosts"), "{found:?}");
        }
    }

    #[tokio::test]
    async fn of_several_addresses_only_public_ones_are_connected_to() {
        let found = resolve(&[&["10.0.0.1", "93.184.215.14", "fe80::1", "64:ff9b::7f00:1"]], 1).await;
        assert_eq!(found[0], Ok(vec!["93.184.215.14".to_owned()]));
        assert!(resolve(&[&[]], 1).await[0].is_err());
    }
}
