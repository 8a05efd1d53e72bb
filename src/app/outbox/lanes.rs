//! Who may send how much at once: one lane for each site, so that a dead or slow one delays nobody else.

use std::collections::{HashMap, HashSet};

use crate::domain::site::SiteId;
use crate::domain::time::Timestamp;

/// What is on its way, by site.
pub(super) struct Lanes {
    per_site: usize,
    all: usize,
    by_site: HashMap<SiteId, Lane>,
    numbers: HashSet<i64>,
    last: Option<SiteId>,
}

/// One site's.
struct Lane {
    in_flight: usize,
    /// How many may be on their way: one more after each success, one less after each failure. A dead receiver comes down to one at a time,
    /// one that fails now and then keeps its width (halving would take that from it).
    width: usize,
    paused_until: Option<Timestamp>,
}

/// How something came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Landed {
    /// Whether the receiver took it.
    pub good: bool,
    /// Until when the receiver wants to be left alone.
    pub pause: Option<Timestamp>,
}

impl Lanes {
    pub(super) fn new(per_site: u32, all: u32) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        Self {
            per_site: count(per_site),
            all: count(all),
            by_site: HashMap::new(),
            numbers: HashSet::new(),
            last: None,
        }
    }

    /// How much each of `sites` may send now. Whoever came last the last time comes first now, and nobody gets all that is free.
    pub(super) fn shares(&mut self, sites: &[SiteId], now: Timestamp) -> Vec<(SiteId, usize)> {
        let mut order: Vec<SiteId> = sites.to_vec();
        order.sort_unstable();
        if let Some(last) = self.last {
            let start = order.partition_point(|site| *site <= last);
            order.rotate_left(start);
        }
        order.retain(|site| self.room(*site, now) > 0);
        let mut free = self.all.saturating_sub(self.numbers.len());
        let fair = (free / order.len().max(1)).max(1);
        let mut shares = Vec::new();
        for site in order {
            let share = self.room(site, now).min(fair).min(free);
            if share == 0 {
                break;
            }
            free -= share;
            shares.push((site, share));
            self.last = Some(site);
        }
        shares
    }

    fn room(&self, site: SiteId, now: Timestamp) -> usize {
        let Some(lane) = self.by_site.get(&site) else { return self.per_site };
        if lane.paused_until.is_some_and(|until| now < until) {
            return 0;
        }
        lane.width.saturating_sub(lane.in_flight)
    }

    /// Something leaves; `false` when it is on its way already (its lease ran out meanwhile, as when a clock is set).
    pub(super) fn leave(&mut self, site: SiteId, number: i64) -> bool {
        let new = self.numbers.insert(number);
        if new {
            let width = self.per_site;
            self.by_site.entry(site).or_insert(Lane { in_flight: 0, width, paused_until: None }).in_flight += 1;
        }
        new
    }

    /// Something came back.
    pub(super) fn land(&mut self, site: SiteId, number: i64, landed: Landed) {
        self.numbers.remove(&number);
        let Some(lane) = self.by_site.get_mut(&site) else { return };
        lane.in_flight = lane.in_flight.saturating_sub(1);
        lane.width = if landed.good { (lane.width + 1).min(self.per_site) } else { (lane.width - 1).max(1) };
        lane.paused_until = lane.paused_until.max(landed.pause);
        // A lane at rest is as good as none: what was once a site does not stay here for ever.
        if lane.in_flight == 0 && lane.width == self.per_site && lane.paused_until.is_none() {
            self.by_site.remove(&site);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;
    const GOOD: Landed = Landed { good: true, pause: None };
    const BAD: Landed = Landed { good: false, pause: None };

    fn fly(lanes: &mut Lanes, sites: &[SiteId], next: &mut i64) -> Vec<(u32, usize)> {
        let shares = lanes.shares(sites, NOW);
        for (site, share) in &shares {
            for _ in 0..*share {
                *next += 1;
                assert!(lanes.leave(*site, *next));
            }
        }
        shares.into_iter().map(|(site, share)| (site.0, share)).collect()
    }

    #[test]
    fn no_site_takes_more_than_its_own_and_no_round_leaves_anybody_out() {
        let sites: Vec<SiteId> = (1..=3).map(SiteId).collect();
        let (mut lanes, mut next) = (Lanes::new(4, 8), 0);
        assert_eq!(fly(&mut lanes, &sites[..1], &mut next), [(1, 4)], "one alone has no more than its own");
        assert_eq!(fly(&mut lanes, &sites, &mut next), [(2, 2), (3, 2)], "the rest is shared");
        assert!(fly(&mut lanes, &sites, &mut next).is_empty(), "all are on their way");
        lanes.land(SiteId(1), 1, GOOD);
        assert_eq!(fly(&mut lanes, &sites, &mut next), [(1, 1)], "after the last comes the first");
        lanes.land(SiteId(1), 2, GOOD);
        assert_eq!(fly(&mut lanes, &sites, &mut next), [(2, 1)], "and then the next");
    }

    #[test]
    fn a_failing_receiver_is_tried_one_at_a_time_until_it_answers() {
        let (mut lanes, mut next) = (Lanes::new(8, 64), 0);
        let site = [SiteId(1)];
        assert_eq!(fly(&mut lanes, &site, &mut next), [(1, 8)]);
        (1..=8).for_each(|number| lanes.land(SiteId(1), number, BAD));
        assert_eq!(fly(&mut lanes, &site, &mut next), [(1, 1)]);
        lanes.land(SiteId(1), 9, GOOD);
        assert_eq!(fly(&mut lanes, &site, &mut next), [(1, 2)]);
    }

    #[test]
    fn a_receiver_that_asks_for_it_is_left_alone() {
        let (mut lanes, mut next) = (Lanes::new(1, 64), 0);
        fly(&mut lanes, &[SiteId(1)], &mut next);
        let until = Timestamp::from_millis(1_000);
        lanes.land(SiteId(1), 1, Landed { good: false, pause: Some(until) });
        assert!(lanes.shares(&[SiteId(1)], Timestamp::from_millis(999)).is_empty());
        assert_eq!(lanes.shares(&[SiteId(1)], until), [(SiteId(1), 1)]);
    }

    #[test]
    fn what_is_on_its_way_does_not_leave_again() {
        let mut lanes = Lanes::new(8, 64);
        assert!(lanes.leave(SiteId(1), 1));
        assert!(!lanes.leave(SiteId(1), 1));
        lanes.land(SiteId(1), 1, GOOD);
        assert!(lanes.by_site.is_empty() && lanes.leave(SiteId(1), 1));
    }
}
