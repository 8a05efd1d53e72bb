//! `[[sources]]`: senders that sign or shape their messages otherwise.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mapping::{EventConfig, FIELDS, Kind, Mapping, OneOrMany, Place, Unmapped};
use super::message::Message;
use super::preset::Preset;
use super::scheme::{Scheme, SignatureConfig, Signing};
use super::{Meaning, NotRead};
use crate::app::secrets::Secret;
use crate::app::signature;
use crate::domain::comment::{Bounds, ExternalId, Invalid};
use crate::domain::site::Site;
use crate::domain::time::Timestamp;

/// `[[sources]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Its name in `?source=`.
    pub name: String,
    /// The site that it sends for.
    pub site: String,
    /// A known sender: what is not said here comes from it.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// What it signs with. Under the scheme `standard` it may be left out: then it is the site's own inbound secret.
    #[serde(default)]
    pub secret: Secret,
    /// The secret before, believed as long as it is here.
    #[serde(default)]
    pub secret_before: Secret,
    /// `[sources.signature]`.
    #[serde(default)]
    pub signature: SignatureConfig,
    /// `[sources.event]`.
    #[serde(default)]
    pub event: EventConfig,
    /// `[sources.map]`: our fields, and where each stands.
    #[serde(default)]
    pub map: BTreeMap<String, OneOrMany>,
}

/// A source that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sources: `{name}`: {problem}")]
pub struct BadSource {
    /// Which.
    name: String,
    /// One clause for the operator.
    problem: String,
}

/// A source, checked.
#[derive(Clone)]
pub struct Source {
    pub(super) site: String,
    /// Empty: the site's own.
    pub(super) secrets: Vec<String>,
    pub(super) signing: Signing,
    mapping: Mapping,
}

impl Source {
    /// Checks all sources; by name.
    ///
    /// # Errors
    /// [`BadSource`], naming the source and what is wrong with it.
    pub fn all(configs: &[SourceConfig]) -> Result<BTreeMap<String, Self>, BadSource> {
        let mut all = BTreeMap::new();
        for config in configs {
            let bad = |problem: String| BadSource { name: config.name.clone(), problem };
            let source = Self::new(config.clone()).map_err(bad)?;
            if all.insert(config.name.clone(), source).is_some() {
                return Err(bad("the name is taken by another source".to_owned()));
            }
        }
        Ok(all)
    }

    fn new(config: SourceConfig) -> Result<Self, String> {
        if !Site::is_valid_name(&config.name) {
            return Err("name must be 1 to 64 of a-z, 0-9, -, _ and .".to_owned());
        }
        if !Site::is_valid_name(&config.site) {
            return Err(format!("site: `{}` names no site", config.site));
        }
        let known = config.preset.map(Preset::known);
        let (preset_signature, preset_event, preset_map) = match known {
            Some(known) => (known.signature, known.event, known.map),
            None => (SignatureConfig::default(), EventConfig::default(), BTreeMap::new()),
        };
        let signature = config.signature.over(preset_signature);
        let event = if config.event == EventConfig::default() { preset_event } else { config.event };
        let mut map = preset_map;
        map.extend(config.map);
        let secrets: Vec<String> =
            [&config.secret, &config.secret_before].into_iter().filter_map(Secret::expose).map(str::to_owned).collect();
        match signature.scheme {
            Some(Scheme::Standard) => {
                signature::sign(&secrets, "id", Timestamp::EPOCH, "").map_err(|error| format!("secret: {error}"))?;
            }
            _ if config.secret.expose().is_none() => return Err("secret is missing".to_owned()),
            _ => {}
        }
        Ok(Self { site: config.site, secrets, signing: Signing::new(&signature)?, mapping: mapping(&event, &map)? })
    }

    /// The site that it sends for.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.site
    }

    /// What a message means, without asking who sent it.
    ///
    /// # Errors
    /// [`NotRead`], with the field and the place where it was looked for.
    pub fn read(&self, message: &Message, bounds: &Bounds) -> Result<Meaning, NotRead> {
        let body: Value =
            serde_json::from_slice(&message.body).map_err(|error| NotRead::Malformed(error.to_string()))?;
        let (headers, mapping) = (&message.headers, &self.mapping);
        let invalid = |Invalid { field, problem }| {
            let place = mapping.place_of(field).map(|place| format!(" (from {place})")).unwrap_or_default();
            NotRead::Field(Unmapped { field: field.to_owned(), problem: format!("{problem}{place}") })
        };
        Ok(match mapping.kind(&body, headers)? {
            Kind::Create => Meaning::Create(Box::new(mapping.draft(&body, headers)?.parse(bounds).map_err(invalid)?)),
            Kind::Update => Meaning::Update(Box::new(mapping.draft(&body, headers)?.parse(bounds).map_err(invalid)?)),
            Kind::Delete => Meaning::Delete(ExternalId::parse("id", mapping.id(&body, headers)?).map_err(invalid)?),
            Kind::Article => {
                Meaning::Article(Box::new(mapping.article(&body, headers)?.parse(bounds).map_err(invalid)?))
            }
            Kind::Ignore => Meaning::Nothing,
        })
    }
}

fn mapping(event: &EventConfig, map: &BTreeMap<String, OneOrMany>) -> Result<Mapping, String> {
    let places = |name: &str, places: &OneOrMany| -> Result<Vec<Place>, String> {
        places.all().iter().map(|text| Place::parse(text).map_err(|problem| format!("{name}: {problem}"))).collect()
    };
    let event_from = places("event.from", &event.from)?;
    let lists = event.listed();
    let has_lists = lists.iter().any(|(_, events)| !events.is_empty());
    if event_from.is_empty() == has_lists {
        return Err("event: say both where it stands (from) and what its values mean (create, update, …)".to_owned());
    }
    for (at, (_, events)) in lists.iter().enumerate() {
        if let Some(twice) = events.iter().find(|name| lists[at + 1..].iter().any(|(_, rest)| rest.contains(name))) {
            return Err(format!("event: `{twice}` cannot mean two things"));
        }
    }
    let mut fields = BTreeMap::new();
    for (name, at) in map {
        let Some(field) = FIELDS.iter().find(|field| *field == name) else {
            return Err(format!("map: `{name}` is no field of a comment; there are {}", FIELDS.join(", ")));
        };
        let at = places(&format!("map.\"{name}\""), at)?;
        if !at.is_empty() {
            fields.insert(*field, at);
        }
    }
    let can = |kind: Kind| lists.iter().any(|(listed, events)| *listed == kind && !events.is_empty());
    let mut required: Vec<&str> = Vec::new();
    if event_from.is_empty() || can(Kind::Create) || can(Kind::Update) {
        required.extend(["id", "article.id", "body"]);
    }
    if can(Kind::Delete) {
        required.push("id");
    }
    if can(Kind::Article) {
        required.push("article.id");
    }
    if let Some(missing) = required.into_iter().find(|field| !fields.contains_key(field)) {
        return Err(format!("map.\"{missing}\" is missing: every comment needs it"));
    }
    Ok(Mapping { event_from, fields, event: event.clone() })
}
