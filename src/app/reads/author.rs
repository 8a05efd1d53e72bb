//! What is known of an author, and what colleagues note about them.

use uuid::Uuid;

use super::{Desk, ReadError};
use crate::app::limits::Tier;
use crate::domain::comment::ExternalId;
use crate::domain::decision::Record;
use crate::domain::known::Known;
use crate::domain::people::{Duty, Person, Reach};
use crate::domain::reads::{AuthorNote, AuthorProfile, NoteRemoval, Share};
use crate::domain::site::Site;
use crate::domain::store::{CommentFilter, Page, PageRequest};
use crate::domain::time::Timestamp;

/// How the rejection rate is computed, for whoever reads it.
pub const REJECTION_IN_WORDS: &str = "Of the comments looked at that a person decided, how many a person rejected. What policy decided by itself is counted \
                                      apart, and what waits not at all.";

/// What is known of an author on a site.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthorPage {
    /// The site's name for the author.
    pub author: ExternalId,
    /// What is known.
    pub profile: AuthorProfile,
    /// Of what people decided, how much they rejected: see [`REJECTION_IN_WORDS`].
    pub rejected_by_people: Share,
    /// Of what policy decided by itself, how much it rejected.
    pub rejected_by_policy: Share,
    /// How limits and modes treat the author.
    pub tier: Tier,
    /// Comments within the reach, latest first.
    pub comments: Page<Record>,
}

/// Why a note was not taken away.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// It is a colleague's.
    #[error("this note is a colleague's: whoever wrote it may take it away, or an operator")]
    NotYours,
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Desk {
    /// The site of that name.
    ///
    /// # Errors
    /// `NotFound` when there is none, or none of it lies within the person's reach; the store failed.
    pub async fn site(&self, name: &str, by: &Person) -> Result<Site, ReadError> {
        let sites = self.store.sites().await?;
        let found = sites.into_iter().find(|site| *site.name == *name && by.reach.covers_site(name));
        found.ok_or(ReadError::NotFound("site"))
    }

    /// What is known of an author, with a page of their comments.
    ///
    /// # Errors
    /// `NotFound` when nothing within the person's reach is theirs; [`crate::domain::store::ListError`].
    pub async fn author(
        &self,
        site: &Site,
        author: &ExternalId,
        page: &PageRequest,
        by: &Person,
        now: Timestamp,
    ) -> Result<AuthorPage, ReadError> {
        let comments = self.store.comment_list(site.id, &of_author(author, &by.reach), page).await?;
        let profile = self.find(site, author, by, now).await?;
        let all = &profile.numbers.all;
        let (approved, rejected) = (all.approved - all.approved_by_person, all.rejected - all.rejected_by_person);
        let past = Known::Known(profile.numbers.past());
        let tier = self.settings.current().trust.tier(profile.role.as_deref(), &past, now);
        Ok(AuthorPage {
            author: author.clone(),
            rejected_by_people: Share::new(all.rejected_by_person, all.approved_by_person + all.rejected_by_person),
            rejected_by_policy: Share::new(rejected, approved + rejected),
            tier,
            comments,
            profile,
        })
    }

    /// Notes something about an author within a person's reach.
    ///
    /// # Errors
    /// As [`Self::author`].
    pub async fn note(
        &self,
        site: &Site,
        author: &ExternalId,
        text: &str,
        by: &Person,
        now: Timestamp,
    ) -> Result<AuthorNote, ReadError> {
        self.find(site, author, by, now).await?;
        Ok(self.store.author_note_add(site.id, author, text, &by.email, now).await?)
    }

    /// Takes a note away: one's own, or as an operator anybody's.
    ///
    /// # Errors
    /// `NotYours`; `NotFound`; the store failed.
    pub async fn note_remove(
        &self,
        site: &Site,
        author: &ExternalId,
        note: Uuid,
        by: &Person,
        now: Timestamp,
    ) -> Result<(), NoteError> {
        let profile = self.find(site, author, by, now).await?;
        if !by.reach.has_whole_sites() && !profile.notes.iter().any(|seen| seen.id == note) {
            return Err(ReadError::NotFound("note").into());
        }
        let any = by.role.may(Duty::Operate);
        let removal = self.store.author_note_remove(site.id, author, note, &by.email, any, now).await;
        match removal.map_err(ReadError::from)? {
            NoteRemoval::Removed => Ok(()),
            NoteRemoval::NotYours => Err(NoteError::NotYours),
            NoteRemoval::Missing => Err(ReadError::NotFound("note").into()),
        }
    }

    async fn find(
        &self,
        site: &Site,
        author: &ExternalId,
        by: &Person,
        now: Timestamp,
    ) -> Result<AuthorProfile, ReadError> {
        let mut profile = self.store.author_profile(site.id, author, &by.reach, now).await?;
        self.must_know(site, author, &profile, by).await?;
        if !by.reach.has_whole_sites() && !profile.notes.is_empty() {
            // A note may be about whatever its writer could see: it is shown to who can see all of that.
            let people = self.store.people().await?;
            let sees_all_of = |who: &str| {
                let writer = people.iter().find(|person| person.email.eq_ignore_ascii_case(who));
                writer.is_some_and(|writer| writer.reach.is_as_narrow_as(&by.reach))
            };
            profile.notes.retain(|note| note.by.eq_ignore_ascii_case(&by.email) || sees_all_of(&note.by));
        }
        Ok(profile)
    }

    /// Somebody of whom nothing lies within the reach is not there.
    async fn must_know(
        &self,
        site: &Site,
        author: &ExternalId,
        profile: &AuthorProfile,
        by: &Person,
    ) -> Result<(), ReadError> {
        let is_known = profile.numbers.all.total() > 0
            || profile.reports.given > 0
            || !profile.sanctions.is_empty()
            || !profile.notes.is_empty();
        if by.reach.has_whole_sites() {
            return if is_known { Ok(()) } else { Err(ReadError::NotFound("author")) };
        }
        let one = PageRequest { limit: 1, cursor: None };
        let found = self.store.comment_list(site.id, &of_author(author, &by.reach), &one).await?;
        if found.items.is_empty() { Err(ReadError::NotFound("author")) } else { Ok(()) }
    }
}

fn of_author(author: &ExternalId, reach: &Reach) -> CommentFilter {
    CommentFilter {
        author: Some(author.to_string()),
        reach: reach.clone(),
        as_people_see: true,
        ..CommentFilter::default()
    }
}
