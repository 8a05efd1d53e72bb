//! campaigns: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::campaign::*;
use crate::domain::comment::*;
use crate::domain::decision::*;
use crate::domain::people::*;
use crate::domain::site::*;
use crate::domain::store::{self, *};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};
use crate::storage::told::Stored;
use async_trait::async_trait;
use std::collections::HashSet;
use uuid::Uuid;

pub(super) async fn record(work: &Work, row: &Row, name: &str, membership: Option<&Membership>) -> Result<()> {
    let _ = (work, row, name, membership);
    Err(not_built("campaigns::record"))
}

pub(super) async fn forget(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    let _ = (work, site, comment);
    Err(not_built("campaigns::forget"))
}

pub(super) async fn of_comment(db: &Db, site: SiteId, comment: Uuid) -> Result<Option<Uuid>> {
    let _ = (db, site, comment);
    Err(not_built("campaigns::of_comment"))
}

pub(super) async fn number_of(db: &Db, uid: Uuid) -> Result<i64> {
    let _ = (db, uid);
    Err(not_built("campaigns::number_of"))
}

pub(super) async fn uid_of(db: &Db, number: i64) -> Result<Option<Uuid>> {
    let _ = (db, number);
    Err(not_built("campaigns::uid_of"))
}

pub(super) async fn rechecks(db: &Db, reach: &Reach) -> Result<u64> {
    let _ = (db, reach);
    Err(not_built("campaigns::rechecks"))
}

pub(super) async fn reopen(work: &Work, decision: Uuid) -> Result<()> {
    let _ = (work, decision);
    Err(not_built("campaigns::reopen"))
}

#[async_trait]
impl Campaigns for PostgresStore {
    async fn campaigns_remembered(
        &self,
        since: Timestamp,
        decided_since: Timestamp,
        most: usize,
        members: u32,
    ) -> Result<Vec<KeptCampaign>> {
        let _ = (since, decided_since, most, members);
        Err(not_built("campaigns_remembered"))?
    }
    async fn campaign_list(
        &self,
        filter: &CampaignFilter,
        page: &PageRequest,
    ) -> std::result::Result<store::Page<Campaign>, ListError> {
        let _ = (filter, page);
        Err(not_built("campaign_list"))?
    }
    async fn campaign_find(&self, uid: Uuid, reach: &Reach) -> Result<Option<Campaign>> {
        let _ = (uid, reach);
        Err(not_built("campaign_find"))?
    }
    async fn campaign_members(
        &self,
        uid: Uuid,
        filter: &MemberFilter,
        page: &PageRequest,
    ) -> std::result::Result<store::Page<Member>, ListError> {
        let _ = (uid, filter, page);
        Err(not_built("campaign_members"))?
    }
    async fn campaign_rule(&self, ruling: CampaignRuling) -> std::result::Result<CampaignRuled, CampaignError> {
        let _ = (ruling,);
        Err(not_built("campaign_rule"))?
    }
    async fn campaign_close(
        &self,
        uid: Uuid,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Turn, CampaignError> {
        let _ = (uid, by, reach, at);
        Err(not_built("campaign_close"))?
    }
    async fn campaign_merge(
        &self,
        uid: Uuid,
        into: Uuid,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Turn, CampaignError> {
        let _ = (uid, into, by, reach, at);
        Err(not_built("campaign_merge"))?
    }
    async fn campaign_rule_until(
        &self,
        uid: Uuid,
        until: Option<Timestamp>,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Turn, CampaignError> {
        let _ = (uid, until, by, reach, at);
        Err(not_built("campaign_rule_until"))?
    }
    async fn campaign_arrivals(&self, uid: Uuid, reach: &Reach) -> Result<Vec<(Timestamp, Status)>> {
        let _ = (uid, reach);
        Err(not_built("campaign_arrivals"))?
    }
    async fn campaign_of_ruling(&self, decision: Uuid) -> Result<Option<Turn>> {
        let _ = (decision,);
        Err(not_built("campaign_of_ruling"))?
    }
}
