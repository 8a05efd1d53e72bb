//! `doorward check-config`: everything that `serve` checks before it opens a port, without a database.

use std::path::Path;

use clap::Args;

use super::{Usage, say};
use crate::app::clock::Clock as _;
use crate::config::{Config, Origin, Setting};
use crate::domain::site::Site;
use crate::domain::time::Timestamp;
use crate::startup::{self, SystemClock};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Show every setting in force, secrets left out
    #[arg(long, conflicts_with = "site")]
    show: bool,
    /// Show every setting in force on that site, and where each comes from
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
}

pub(super) fn run(arguments: &Arguments, config: &Config, file: Option<&Path>) -> anyhow::Result<()> {
    let house = startup::house(config)?;
    if arguments.show {
        say(toml::to_string(config)?)?;
    }
    if let Some(site) = &arguments.site {
        anyhow::ensure!(Site::is_valid_name(site), Usage(format!("`{site}` cannot be a site's name")));
        let settings = config.settings_of(file, site)?;
        settings.iter().map(line).try_for_each(say)?;
    }
    for warning in warnings(config, SystemClock.now()) {
        say(format_args!("Warning: {warning}"))?;
    }
    for list in house.rules.lists().all() {
        say(format_args!("The list `{}` has {} entries.", list.name(), list.len()))?;
    }
    say(format_args!("The settings are good. Their hash is {}.", house.hash))
}

/// `policy.spam.hold = 0.4  # sites.news, line 12`.
fn line(setting: &Setting) -> String {
    let origin = match &setting.origin {
        Origin::Default => "default".to_owned(),
        Origin::Line(line) => format!("line {line}"),
        Origin::Site(line) => format!("the site's own, line {line}"),
        Origin::Variable(name) => name.clone(),
    };
    format!("{} = {}  # {origin}", setting.path, setting.value)
}

/// What works and does nothing.
fn warnings(config: &Config, now: Timestamp) -> Vec<String> {
    let expired = config.rules.iter().filter(|rule| rule.expires.is_some_and(|expires| expires <= now));
    let mut warnings: Vec<String> = expired.map(|rule| format!("the rule `{}` has expired.", rule.name)).collect();
    let named = |list: &String| {
        let ways = [format!("lists.{list}"), format!("inList(\"{list}\")"), format!("inList('{list}')")];
        config.rules.iter().any(|rule| ways.iter().any(|way| rule.when.contains(way)))
    };
    let unused = config.lists.keys().filter(|list| !named(list));
    warnings.extend(unused.map(|list| format!("no rule names the list `{list}`.")));
    warnings
}
