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

/// How many may be on their way to a receiver of which nothing is known yet: some that never answer must not take everybody's place.
const START: usize = 2;

/// One site's.
struct Lane {
    in_flight: usize,
    /// How many may be on their way: one more after each success, one less after each failure. A dead receiver comes down to one at a time,
    /// one that fails now and then keeps its width (halving would take that from it).
    width: usize,
    /// How often in a row the receiver was down.
    failures: u32,
    /// Until when it is left alone because it was down: a success ends that.
    rests_until: Option<Timestamp>,
    /// Until when it is left alone because it asked for it.
    paused_until: Option<Timestamp>,
}

impl Lane {
    const fn new(width: usize) -> Self {
        Self { in_flight: 0, width, failures: 0, rests_until: None, paused_until: None }
    }
}

/// How something came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Landed {
    /// What that says of the receiver.
    pub end: End,
    /// Until when the receiver wants to be left alone.
    pub pause: Option<Timestamp>,
}

/// What an attempt says of the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It took the message.
    Took,
    /// It is there, and does not want this message.
    Refused,
    /// It is down, for the `failures`th time in a row: it is left alone until then.
    Down { failures: u32, until: Timestamp },
    /// Nothing: it was not asked.
    Nothing,
}

impl Lanes {
    pub(super) fn new(per_site: u32, all: u32) -> Self {
        let mut lanes = Self { per_site: 1, all: 1, by_site: HashMap::new(), numbers: HashSet::new(), last: None };
        lanes.resize(per_site, all);
        lanes
    }

    /// Goes by other settings. What is on its way is, whatever they say.
    pub(super) fn resize(&mut self, per_site: u32, all: u32) {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        (self.per_site, self.all) = (count(per_site), count(all));
        for lane in self.by_site.values_mut() {
            lane.width = lane.width.min(self.per_site);
        }
    }

    /// How much each of `sites` may send now. After the one that came last the last time comes the next, and nobody gets all that is free. All that are named are to
    /// be asked, also after one of them failed.
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
        let Some(lane) = self.by_site.get(&site) else { return self.start() };
        if lane.rests_until.max(lane.paused_until).is_some_and(|until| now < until) {
            return 0;
        }
        lane.width.saturating_sub(lane.in_flight)
    }

    fn start(&self) -> usize {
        START.min(self.per_site)
    }

    /// How often in a row the site's receiver was down.
    pub(super) fn failures(&self, site: SiteId) -> u32 {
        self.by_site.get(&site).map_or(0, |lane| lane.failures)
    }

    /// Something leaves; `false` when it is on its way already (its lease ran out meanwhile, as when a clock is set).
    pub(super) fn leave(&mut self, site: SiteId, number: i64) -> bool {
        let new = self.numbers.insert(number);
        if new {
            let lane = Lane::new(self.start());
            self.by_site.entry(site).or_insert(lane).in_flight += 1;
        }
        new
    }

    /// The site is left alone until then, whatever its receiver does.
    pub(super) fn rest(&mut self, site: SiteId, until: Timestamp) {
        let lane = self.by_site.entry(site).or_insert_with(|| Lane::new(START.min(self.per_site)));
        lane.paused_until = lane.paused_until.max(Some(until));
    }

    /// Something came back.
    pub(super) fn land(&mut self, site: SiteId, number: i64, landed: Landed) {
        self.numbers.remove(&number);
        let Some(lane) = self.by_site.get_mut(&site) else { return };
        lane.in_flight = lane.in_flight.saturating_sub(1);
        match landed.end {
            End::Took => lane.width = (lane.width + 1).min(self.per_site),
            End::Refused | End::Down { .. } => lane.width = (lane.width - 1).max(1),
            End::Nothing => {}
        }
        match landed.end {
            End::Took | End::Refused => (lane.failures, lane.rests_until) = (0, None),
            // Those that left together fail together: that is one failure.
            End::Down { failures, until } => {
                (lane.failures, lane.rests_until) = (lane.failures.max(failures), lane.rests_until.max(Some(until)));
            }
            End::Nothing => {}
        }
        lane.paused_until = lane.paused_until.max(landed.pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;
    const GOOD: Landed = Landed { end: End::Took, pause: None };
    const REFUSED: Landed = Landed { end: End::Refused, pause: None };

    fn down(failures: u32, until_ms: i64) -> Landed {
        Landed { end: End::Down { failures, until: Timestamp::from_millis(until_ms) }, pause: None }
    }

    /// Lanes that have widened as far as they go.
    fn wide(per_site: u32, all: u32, sites: &[SiteId]) -> Lanes {
        let mut lanes = Lanes::new(per_site, all);
        for site in sites {
            for number in 0..i64::from(per_site) {
                lanes.leave(*site, -1 - number);
                lanes.land(*site, -1 - number, GOOD);
            }
        }
        lanes
    }

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
        let (mut lanes, mut next) = (wide(4, 8, &sites), 0);
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
        let site = [SiteId(1)];
        let (mut lanes, mut next) = (wide(8, 64, &site), 0);
        assert_eq!(fly(&mut lanes, &site, &mut next), [(1, 8)]);
        (1..=8).for_each(|number| lanes.land(SiteId(1), number, REFUSED));
        assert_eq!(fly(&mut lanes, &site, &mut next), [(1, 1)]);
        lanes.land(SiteId(1), 9, GOOD);
        assert_eq!(fly(&mut lanes, &site, &mut next), [(1, 2)]);
    }

    #[test]
    fn a_receiver_that_asks_for_it_is_left_alone() {
        let (mut lanes, mut next) = (Lanes::new(1, 64), 0);
        fly(&mut lanes, &[SiteId(1)], &mut next);
        let until = Timestamp::from_millis(1_000);
        lanes.land(SiteId(1), 1, Landed { pause: Some(until), ..down(1, 10) });
        assert!(lanes.shares(&[SiteId(1)], Timestamp::from_millis(999)).is_empty());
        assert_eq!(lanes.shares(&[SiteId(1)], until), [(SiteId(1), 1)]);
    }

    #[test]
    fn of_whoever_is_not_known_little_is_on_its_way() {
        let sites: Vec<SiteId> = (1..=9).map(SiteId).collect();
        let (mut lanes, mut next) = (Lanes::new(8, 64), 0);
        assert_eq!(fly(&mut lanes, &sites[..8], &mut next), (1..=8).map(|site| (site, 2)).collect::<Vec<_>>());
        assert_eq!(fly(&mut lanes, &sites, &mut next), [(9, 2)], "eight that never answer leave room for others");
        lanes.land(SiteId(9), next, GOOD);
        assert_eq!(fly(&mut lanes, &sites, &mut next), [(9, 2)]);
    }

    #[test]
    fn a_receiver_that_is_down_is_left_alone_until_its_rest_is_over_or_something_arrives() {
        let site = [SiteId(1)];
        let at = Timestamp::from_millis;
        let mut lanes = Lanes::new(8, 64);
        (1..=2).for_each(|number| assert!(lanes.leave(SiteId(1), number)));
        lanes.land(SiteId(1), 1, down(1, 1_000));
        lanes.land(SiteId(1), 2, down(1, 900));
        assert_eq!(lanes.failures(SiteId(1)), 1, "they left together");
        assert!(lanes.shares(&site, at(999)).is_empty());
        assert_eq!(lanes.shares(&site, at(1_000)), [(SiteId(1), 1)]);
        (3..=4).for_each(|number| assert!(lanes.leave(SiteId(1), number)));
        lanes.land(SiteId(1), 3, down(2, 3_000));
        assert_eq!((lanes.failures(SiteId(1)), lanes.shares(&site, at(2_999))), (2, Vec::new()));
        lanes.land(SiteId(1), 4, GOOD);
        assert_eq!((lanes.failures(SiteId(1)), lanes.shares(&site, at(1_000))), (0, vec![(SiteId(1), 2)]));
    }

    #[test]
    fn what_is_on_its_way_does_not_leave_again() {
        let mut lanes = Lanes::new(8, 64);
        assert!(lanes.leave(SiteId(1), 1));
        assert!(!lanes.leave(SiteId(1), 1));
        lanes.land(SiteId(1), 1, GOOD);
        assert!(lanes.leave(SiteId(1), 1));
    }
}
