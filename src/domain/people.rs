//! People who work here, as far as moderation needs to know them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, people included.
    Admin,
    /// Sites, settings and models; also works the queue.
    Operator,
    /// Works the queue.
    Moderator,
    /// Reads everything, changes nothing.
    Auditor,
}

/// What a role may be needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Look at comments, the queue, appeals and sanctions.
    Read,
    /// Decide about comments, appeals and sanctions.
    Decide,
    /// See what is on its way to sites, and the record of who did what.
    Oversee,
    /// Send again, and sanction on all sites at once.
    Operate,
}

impl Duty {
    /// All duties.
    pub const ALL: [Self; 4] = [Self::Read, Self::Decide, Self::Oversee, Self::Operate];

    /// What it is, after "may not".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Decide => "decide",
            Self::Oversee => "oversee",
            Self::Operate => "operate",
        }
    }
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Operator, Self::Moderator, Self::Auditor];

    /// Its name in JSON and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Moderator => "moderator",
            Self::Auditor => "auditor",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether this role may do that.
    #[must_use]
    pub const fn may(self, duty: Duty) -> bool {
        match duty {
            Duty::Read => true,
            Duty::Decide => !matches!(self, Self::Auditor),
            Duty::Oversee => !matches!(self, Self::Moderator),
            Duty::Operate => matches!(self, Self::Admin | Self::Operator),
        }
    }
}

/// Which comments a person works on: all that lie within every given list. `None` sets no bound.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reach {
    /// Sites, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sites: Option<Vec<String>>,
    /// Sections of articles. What has no section lies outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sections: Option<Vec<String>>,
    /// Languages, as in `en`. What has no known language lies outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub langs: Option<Vec<String>>,
}

impl Reach {
    /// Everything.
    pub const ALL: Self = Self { sites: None, sections: None, langs: None };

    /// Whether a whole site lies within, whatever its sections and languages.
    #[must_use]
    pub fn covers_site(&self, site: &str) -> bool {
        self.sites.as_ref().is_none_or(|sites| sites.iter().any(|allowed| allowed == site))
    }

    /// Whether of the sites within nothing lies outside.
    #[must_use]
    pub const fn has_whole_sites(&self) -> bool {
        self.sections.is_none() && self.langs.is_none()
    }

    /// Whether nothing lies outside.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::ALL
    }

    /// Whether on a site that both cover whoever has this reach sees nothing that lies outside `other`.
    #[must_use]
    pub fn is_as_narrow_as(&self, other: &Self) -> bool {
        let within = |own: &Option<Vec<String>>, other: &Option<Vec<String>>, covers: &dyn Fn(&str, &str) -> bool| {
            let Some(other) = other else { return true };
            own.as_ref().is_some_and(|own| own.iter().all(|one| other.iter().any(|allowed| covers(allowed, one))))
        };
        let same = |allowed: &str, one: &str| allowed == one;
        within(&self.sections, &other.sections, &same) && within(&self.langs, &other.langs, &covers_lang)
    }

    /// Whether a comment there lies within. Languages match by their first part: `pt` covers `pt-BR`.
    #[must_use]
    pub fn covers(&self, site: &str, section: Option<&str>, lang: Option<&str>) -> bool {
        let of_section =
            |sections: &Vec<String>| section.is_some_and(|it| sections.iter().any(|allowed| allowed == it));
        let of_lang = |langs: &Vec<String>| lang.is_some_and(|it| langs.iter().any(|allowed| covers_lang(allowed, it)));
        self.covers_site(site)
            && self.sections.as_ref().is_none_or(of_section)
            && self.langs.as_ref().is_none_or(of_lang)
    }
}

fn covers_lang(allowed: &str, lang: &str) -> bool {
    let main = lang.split(['-', '_']).next().unwrap_or(lang);
    allowed.eq_ignore_ascii_case(lang) || allowed.eq_ignore_ascii_case(main)
}

/// Someone with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Our number for the account.
    pub id: u32,
    /// The e-mail address that names the account.
    pub email: String,
    /// What this person may do.
    pub role: Role,
    /// On which comments.
    pub reach: Reach,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_as_narrow_as_another_when_it_sees_nothing_more() {
        let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let sport = Reach { sections: list(&["sport"]), ..Reach::ALL };
        let two = Reach { sections: list(&["sport", "city"]), ..Reach::ALL };
        let here = Reach { sites: list(&["news"]), sections: list(&["sport"]), langs: list(&["pt-BR"]) };
        let langs = Reach { langs: list(&["pt"]), ..Reach::ALL };
        for (name, of, other, within) in [
            ("everything within everything", &Reach::ALL, &Reach::ALL, true),
            ("a part within everything", &sport, &Reach::ALL, true),
            ("everything within a part", &Reach::ALL, &sport, false),
            ("one section within two", &sport, &two, true),
            ("two within one", &two, &sport, false),
            ("more lists are less, and a site is no bound on itself", &here, &sport, true),
            ("fewer are more", &sport, &here, false),
            ("a language's country", &here, &langs, true),
            ("a language within its country's", &langs, &here, false),
        ] {
            assert_eq!(of.is_as_narrow_as(other), within, "{name}");
        }
    }

    #[test]
    fn a_reach_covers_what_lies_within_all_of_its_lists() {
        let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let all = Reach::ALL;
        let local = Reach { sites: list(&["news"]), sections: list(&["sport"]), langs: list(&["pt", "en"]) };
        for (name, reach, place, covered) in [
            ("everything", &all, ("blog", None, None), true),
            ("within all", &local, ("news", Some("sport"), Some("pt-BR")), true),
            ("another site", &local, ("blog", Some("sport"), Some("pt")), false),
            ("another section", &local, ("news", Some("city"), Some("pt")), false),
            ("no section", &local, ("news", None, Some("pt")), false),
            ("another language", &local, ("news", Some("sport"), Some("de")), false),
            ("no known language", &local, ("news", Some("sport"), None), false),
        ] {
            assert_eq!(reach.covers(place.0, place.1, place.2), covered, "{name}");
        }
    }

    #[test]
    fn roles_may_what_they_are_for() {
        for (role, may) in [
            (Role::Admin, [true, true, true, true]),
            (Role::Operator, [true, true, true, true]),
            (Role::Moderator, [true, true, false, false]),
            (Role::Auditor, [true, false, true, false]),
        ] {
            let found = Duty::ALL.map(|duty| role.may(duty));
            assert_eq!(found, may, "{}", role.name());
        }
    }
}
