//! Waves: said once when one begins, with its rate, the usual one and an example, and once when it is over. Of a site whose waves come and go operators
//! hear once in a pause; what happens in between is kept, and said in the log.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use uuid::Uuid;

use super::step::{Pace, Step, step};
use super::{Config, Notifier, Told, words};
use crate::domain::notices::{Alert, AlertKind};
use crate::domain::service::Levels;
use crate::domain::store::{ListError, PageRequest, QueueFilter, QueueSort, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::waves::{COUNTED, HOUR_MS, Look, PAST_H, Pressure, SitePressure, look, usual, whole_hour};

/// Between two looks for waves, in milliseconds.
const EVERY_MS: u64 = 60_000;

/// What is remembered between looks.
#[derive(Default)]
pub(super) struct Past {
    looked_at: Option<Timestamp>,
    /// The hour in which the past was read, and the past until the hour before it.
    known: Option<(i64, Pressure)>,
}

/// A wave, as it is told.
struct Wave<'a> {
    site: &'a str,
    count: u64,
    /// Comments an hour that are usual.
    usual: f64,
    example: Option<Uuid>,
    /// The signal that hit most of what waits there, and how many.
    signal: Option<(String, u64)>,
    /// The campaign of which most waits there, and how many.
    campaign: Option<(Uuid, u64)>,
}

impl Notifier {
    /// Raises and clears alerts about waves.
    pub(super) async fn look_for_waves(
        &self,
        settings: &Config,
        levels: &Levels,
        now: Timestamp,
        past: &mut Past,
    ) -> Result<()> {
        let waves = &settings.waves;
        if past.looked_at.is_some_and(|at| now >= at && now.millis_since(at) < EVERY_MS) {
            return Ok(());
        }
        past.looked_at = Some(now);
        let hour = now.as_millis().div_euclid(HOUR_MS);
        let until = hour - 1; // this hour and the one before are what is looked at
        if past.known.as_ref().is_none_or(|(read, _)| *read != hour) {
            let moment = |hour: i64| Timestamp::from_millis(hour.saturating_mul(HOUR_MS));
            let read = self.store.pressure(moment(until - PAST_H), moment(until), COUNTED).await?;
            let read = match past.known.take() {
                Some((hour, earlier)) => read.reaching_back(earlier, hour - 1, until - PAST_H),
                None => read,
            };
            past.known = Some((hour, read));
        }
        let Some((_, before)) = &past.known else { return Ok(()) };
        let from = whole_hour(before.since);
        let created: BTreeMap<String, i64> = self
            .store
            .sites()
            .await?
            .into_iter()
            .map(|site| (site.name.to_string(), whole_hour(site.created_at)))
            .collect();
        let begins = now.plus_millis(-waves.window_ms());
        let window = self.store.pressure(begins, now.plus_millis(1), COUNTED).await?;
        let is_whole = window.since <= begins;
        let alerts = self.store.alerts().await?;
        let alerts: Vec<&Alert> = alerts.iter().filter(|alert| alert.kind == AlertKind::Wave).collect();
        let none = BTreeMap::new();
        let usual_of = |site: &str| {
            let hours = before.sites.get(site).map_or(&none, |of_site| &of_site.hours);
            // What was before a site is not quiet; of one that brought comments along, more is known.
            let created = created.get(site).copied().unwrap_or(until);
            let first = hours.keys().next().map_or(created, |first| created.min(*first));
            usual(hours, from.max(first), until, hour)
        };
        let nothing = SitePressure::default();
        let standing = alerts.iter().filter(|alert| alert.stands()).map(|alert| alert.about.as_str());
        let pace = Pace { pause_ms: waves.pause_ms(), repeats: false };
        for site in window.sites.keys().map(String::as_str).chain(standing).collect::<BTreeSet<_>>() {
            let found = window.sites.get(site).unwrap_or(&nothing);
            let (latest, usual) = (alerts.iter().find(|alert| alert.about == site).copied(), usual_of(site));
            let seen = if waves.enabled { look(waves, found.total(), is_whole, usual) } else { Look::Over };
            let step = match seen {
                Look::Wave => step(latest, true, pace, now),
                Look::Neither => Step::Nothing,
                Look::Over => step(latest, false, pace, now),
            };
            match step {
                Step::Nothing => {}
                Step::Raise { .. } | Step::Tell => {
                    let wave = self.wave(site, found, usual.unwrap_or_default(), now).await?;
                    self.raise_wave(settings, levels, &wave, (step, latest), now).await?;
                }
                Step::Clear { tell } => self.clear_wave(settings, site, found.total(), tell, now).await?,
            }
        }
        Ok(())
    }

    /// A wave, with what else is known of it.
    async fn wave<'a>(&self, site: &'a str, found: &SitePressure, usual: f64, now: Timestamp) -> Result<Wave<'a>> {
        let filter = QueueFilter { sites: vec![site.to_owned()], ..QueueFilter::default() };
        let first = PageRequest { limit: 1, cursor: None };
        let waiting = self.store.queue(&filter, QueueSort::Newest, &first, now).await.map_err(|error| match error {
            ListError::Store(error) => error,
            ListError::BadCursor => StoreError::Corrupt("a first page of the queue was refused".to_owned()),
        })?;
        Ok(Wave {
            site,
            count: found.total(),
            usual,
            example: found.latest,
            signal: waiting.by_signal.into_iter().max_by_key(|(_, count)| *count),
            campaign: waiting.by_campaign.into_iter().max_by_key(|(_, count)| *count),
        })
    }

    /// Raises an alert, or tells of one that stands and that nobody was told of.
    async fn raise_wave(
        &self,
        settings: &Config,
        levels: &Levels,
        wave: &Wave<'_>,
        (step, latest): (Step, Option<&Alert>),
        now: Timestamp,
    ) -> Result<()> {
        let Wave { site, count, usual, .. } = wave;
        let told = self.wave_told(wave, settings, levels, now);
        let (facts, kind) = (told.data.to_string(), AlertKind::Wave);
        let Step::Raise { tell } = step else {
            let before = latest.and_then(|alert| alert.told_at);
            self.store.alert_tell(kind, site, &facts, before, now, &told.by(settings, now)).await?;
            return Ok(());
        };
        let messages = if tell { told.by(settings, now) } else { Vec::new() };
        if self.store.alert_raise(kind, site, &facts, tell, now, &messages).await? {
            let minutes = settings.waves.window_min;
            tracing::warn!(
                site,
                count,
                minutes,
                usual_per_hour = usual,
                "far more comments than usual are held or rejected"
            );
        }
        Ok(())
    }

    async fn clear_wave(&self, settings: &Config, site: &str, count: u64, tell: bool, now: Timestamp) -> Result<()> {
        let minutes = settings.waves.window_min;
        let shown = words::name(site);
        let event = "alert.cleared";
        let told = Told {
            name: format!("wave:{site}:{}:{event}", now.as_millis()),
            event,
            subject: words::subject(&format!("The wave on {shown} is over")),
            text: format!(
                "On {shown} {count} comments were held or rejected in the last {minutes} min: the wave is over.\n"
            ),
            data: json!({"kind": AlertKind::Wave.name(), "about": site, "count": count, "window_min": minutes}),
        };
        let messages = if tell { told.by(settings, now) } else { Vec::new() };
        if self.store.alert_clear(AlertKind::Wave, site, now, &messages).await? {
            tracing::info!(site, count, minutes, "a wave is over");
        }
        Ok(())
    }

    fn wave_told(&self, wave: &Wave<'_>, settings: &Config, levels: &Levels, now: Timestamp) -> Told {
        let Wave { site, count, usual, example, signal, campaign } = wave;
        let (shown, minutes, event) = (words::name(site), settings.waves.window_min, "alert.raised");
        let per_hour = *count * 60 / u64::from(minutes);
        let mut text = format!(
            "On {shown} {count} comments were held or rejected in the {minutes} min before {at} ({zone}): {per_hour} an hour. Usual there at this \
             hour are {usual:.1}.\n",
            at = levels.hours().shown(now),
            zone = levels.hours().zone(),
        );
        if let Some((signal, hits)) = signal {
            text += &format!("Of what waits there most, {hits}, hit {}.\n", words::name(signal));
        }
        if let Some((campaign, members)) = campaign {
            text += &format!("The largest campaign there is {campaign}; {members} of it wait.\n");
        }
        if let Some(example) = example {
            text += &format!("The latest of them is {example}.\n");
        }
        let link = match example {
            Some(example) => self.link(&format!("/comments/{example}")),
            None => self.link(&format!("/queue?site={site}&sort=newest")),
        };
        words::with_link(&mut text, link.as_deref());
        text += &match settings.waves.pause_min {
            0 => "\nYou will be told when it is over.\n".to_owned(),
            minutes => format!(
                "\nYou will be told when it is over, and of another wave there in {minutes} min at the earliest.\n"
            ),
        };
        Told {
            name: format!("wave:{site}:{}:{event}", now.as_millis()),
            event,
            subject: words::subject(&format!(
                "Wave on {shown}: {count} held or rejected in {minutes} min, {per_hour} an hour, usually {usual:.1}"
            )),
            text,
            data: json!({
                "kind": AlertKind::Wave.name(), "about": site, "count": count, "window_min": minutes, "per_hour": per_hour, "usual_per_hour": usual,
                "example": example, "signal": signal.as_ref().map(|(signal, _)| signal), "campaign": campaign.map(|(campaign, _)| campaign),
                "url": link,
            }),
        }
    }
}
