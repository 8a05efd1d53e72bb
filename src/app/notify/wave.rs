//! Waves: said once when one begins, with its rate, the usual one and an example, and once when it is over.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::{Config, Notifier, Told, words};
use crate::domain::notices::{Alert, AlertKind};
use crate::domain::service::Levels;
use crate::domain::store::{ListError, PageRequest, QueueFilter, QueueSort, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::waves::{HOUR_MS, PAST_H, Pressure, SitePressure, is_over, is_wave, usual};

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

/// The first hour that lies wholly after that moment.
fn whole_hour(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(HOUR_MS) + i64::from(at.as_millis().rem_euclid(HOUR_MS) != 0)
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
            past.known = Some((hour, self.store.pressure(moment(until - PAST_H), moment(until)).await?));
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
        let window = self.store.pressure(now.plus_millis(-waves.window_ms()), now.plus_millis(1)).await?;
        let alerts = self.store.alerts().await?;
        let standing = |site: &str| {
            alerts.iter().find(|alert| alert.kind == AlertKind::Wave && alert.about == site && alert.stands())
        };
        let none = BTreeMap::new();
        let usual_of = |site: &str| {
            let hours = before.sites.get(site).map_or(&none, |of_site| &of_site.hours);
            // What was before a site is not quiet; of one that brought comments along, more is known.
            let created = created.get(site).copied().unwrap_or(until);
            let first = hours.keys().next().map_or(created, |first| created.min(*first));
            usual(hours, from.max(first), until, hour)
        };
        for (site, found) in window.sites.iter().filter(|_| waves.enabled) {
            let Some(usual) = usual_of(site) else { continue };
            if standing(site).is_none() && is_wave(waves, found.total(), usual) {
                self.raise_wave(settings, levels, (site, found, usual), now).await?;
            }
        }
        for alert in alerts.iter().filter(|alert| alert.kind == AlertKind::Wave && alert.stands()) {
            let count = window.sites.get(&alert.about).map_or(0, SitePressure::total);
            if !waves.enabled || usual_of(&alert.about).is_none_or(|usual| is_over(waves, count, usual)) {
                self.clear_wave(settings, alert, count, now).await?;
            }
        }
        Ok(())
    }

    async fn raise_wave(
        &self,
        settings: &Config,
        levels: &Levels,
        (site, found, usual): (&str, &SitePressure, f64),
        now: Timestamp,
    ) -> Result<()> {
        let filter = QueueFilter { sites: vec![site.to_owned()], ..QueueFilter::default() };
        let first = PageRequest { limit: 1, cursor: None };
        let waiting = self.store.queue(&filter, QueueSort::Newest, &first, now).await.map_err(|error| match error {
            ListError::Store(error) => error,
            ListError::BadCursor => StoreError::Corrupt("a first page of the queue was refused".to_owned()),
        })?;
        let most = waiting.by_signal.into_iter().max_by_key(|(_, count)| *count);
        let wave = Wave {
            site,
            count: found.total(),
            usual,
            example: found.latest,
            signal: most,
            campaign: waiting.by_campaign.into_iter().max_by_key(|(_, count)| *count),
        };
        let told = self.wave_told(&wave, settings, levels, now);
        let messages = told.by(&settings.channels(), now);
        if self.store.alert_raise(AlertKind::Wave, site, &told.data.to_string(), true, now, &messages).await? {
            let (count, minutes) = (wave.count, settings.waves.window_min);
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

    async fn clear_wave(&self, settings: &Config, alert: &Alert, count: u64, now: Timestamp) -> Result<()> {
        let (site, minutes) = (&alert.about, settings.waves.window_min);
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
        let messages = told.by(&settings.channels(), now);
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
        text += "\nYou will be told when it is over.\n";
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
