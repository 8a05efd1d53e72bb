//! What of a comment may be the mark of a campaign.

use crate::domain::campaign::{Key, Stance, Stances};
use crate::domain::history::{PastOf, Sightings};
use crate::domain::trace::TextTrace;
use crate::storage::memory::likeness::{TextKind, exact_key};

/// What is known of the past of a comment that may belong to a campaign.
#[derive(Clone, Copy)]
pub(in crate::storage::memory) struct Shown<'a> {
    /// What the checks see, too.
    pub(in crate::storage::memory) past: &'a PastOf,
    /// Earlier comments with the same or nearly the same few words.
    pub(in crate::storage::memory) short: Option<&'a Sightings>,
}

/// Something of a comment by which it might belong.
pub(super) struct Mark<'a> {
    pub(super) key: Key,
    pub(super) past: &'a Sightings,
    /// Its place in its list of the trace.
    pub(super) at: usize,
    pub(super) popular: bool,
    pub(super) front_page: bool,
}

impl Mark<'_> {
    /// Whether it may be a mark of a campaign at all.
    pub(super) fn counts(&self, stances: &Stances) -> bool {
        match self.stance(stances) {
            Stance::Says | Stance::Everyday => true,
            Stance::Quotes => self.past.approved_here == 0,
            Stance::OnPage => false,
        }
    }

    /// Whether a campaign may be recognised by it: thanks and praise of a few words, as a text or as a headline, are everybody's.
    pub(super) fn makes_one(&self, stances: &Stances) -> bool {
        self.stance(stances) != Stance::Everyday
    }

    fn stance(&self, stances: &Stances) -> Stance {
        let stance = match self.key {
            Key::Text(_) => stances.text,
            Key::Short(_) => stances.short,
            Key::Headline(_) => stances.headlines.get(self.at).copied(),
            Key::Url(_) | Key::Domain(_) => stances.links.get(self.at).copied(),
        };
        stance.unwrap_or(Stance::Says)
    }
}

/// The fingerprint of what is a text.
pub(super) fn text_of(key: &Key) -> Option<(TextKind, TextTrace)> {
    match key {
        Key::Text(text) => Some((TextKind::Whole, *text)),
        Key::Headline(text) => Some((TextKind::Headline, *text)),
        Key::Short(text) => Some((TextKind::Short, *text)),
        Key::Url(_) | Key::Domain(_) => None,
    }
}

/// What stands for a fingerprint, its kind included.
pub(super) fn name_of(key: &Key) -> u64 {
    match key {
        Key::Text(text) => exact_key(TextKind::Whole, text),
        Key::Headline(text) => exact_key(TextKind::Headline, text),
        Key::Short(text) => exact_key(TextKind::Short, text),
        Key::Url(url) => url ^ 0x1f83_d9ab_fb41_bd6b,
        Key::Domain(domain) => domain ^ 0x9b05_688c_2b3e_6c1f,
    }
}
