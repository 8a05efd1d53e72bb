//! What the engines share about sanctions: what those in force say of a comment that is there.

use std::collections::HashMap;

use crate::domain::comment::NewComment;
use crate::domain::decision::Actor;
use crate::domain::normalise::normalise;
use crate::domain::sanction::{Sanction, Sentence, Target, TargetHash};
use crate::domain::site::SiteId;

/// The sanctions in force besides one that has just been lifted.
pub(super) struct Others(HashMap<TargetHash, Vec<Sanction>>);

impl Others {
    pub(super) fn new(active: Vec<Sanction>) -> Self {
        let mut by_hash: HashMap<TargetHash, Vec<Sanction>> = HashMap::new();
        for sanction in active {
            by_hash.entry(sanction.hash).or_default().push(sanction);
        }
        Self(by_hash)
    }

    /// What they say about a comment; `key` is what targets are hashed with.
    pub(super) fn sentence(&self, key: &[u8; 32], site: SiteId, comment: &NewComment) -> Option<Sentence> {
        if self.0.is_empty() {
            return None; // reading a comment for its links costs more than all the rest
        }
        let targets = Target::of(&normalise(site, comment.clone(), false), site);
        let met = targets.iter().filter_map(|target| self.0.get(&target.hash(key))).flatten();
        Sentence::of(met.filter(|sanction| sanction.site.is_none_or(|of| of == site)))
    }
}

/// How whoever did it is named in a sanction.
pub(super) fn name(by: &Actor) -> &str {
    match by {
        Actor::Site(name) | Actor::Person(name) => name,
        Actor::Console => "console",
    }
}
