//! What the port promises, written once. An engine runs it with [`run_on_each!`], giving a way to open an empty store, and to
//! open it again: after a clean end, and as a crash would have left it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use doorward::domain::category::Category;
use doorward::domain::comment::Article;
use doorward::domain::decision::{Action, Actor, DecidedBy, Record, Status};
use doorward::domain::people::{Reach, Role};
use doorward::domain::site::Scope;
use doorward::domain::store::{
    AuditFilter, CommentFilter, CreateError, HappeningKind, ListError, PageRequest, QueueFilter, QueueItem, QueueSort,
    Recording, Remembered, Seen, Store, StoreError, UndoError,
};
use doorward::domain::time::Timestamp;
use uuid::Uuid;

use crate::made::{Made, at, first_page, id, moderator, ruling, secrets, site, worker};

/// A place where one store lives.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    /// Opens the store that lives here; empty the first time.
    async fn open(&self) -> Arc<dyn Store>;
    /// A place with exactly what would be there had the machine stopped now.
    async fn crashed(&self) -> Box<dyn Engine>;
}

/// Runs the whole suite on an engine: one test for each promise. `$run` is a macro that is given the name of an engine, and a test to run on
/// it.
#[macro_export]
macro_rules! run_on_each {
    ($engine:ident => $run:ident) => {
        $crate::run_on_each!($engine => $run;
            repeated_id_returns_first_decision,
            same_id_with_other_content_is_a_conflict,
            same_id_on_another_site_is_another_comment,
            of_two_writers_of_one_id_one_stores_and_the_other_finds_it,
            unknown_id_is_not_found,
            what_is_found_is_what_was_stored,
            uid_names_its_comment_and_no_forged_one_does,
            edit_makes_a_new_revision_with_its_own_verdict,
            edit_keeps_a_persons_word_while_the_text_is_unchanged,
            edit_that_comes_twice_counts_once,
            edit_of_an_unknown_comment_changes_nothing,
            edit_can_move_a_comment_to_another_article_and_author,
            erased_comment_is_gone_and_its_id_is_free,
            erasing_keeps_the_rest_of_every_chain,
            article_keeps_what_is_not_sent_again,
            note_goes_with_its_author_and_is_taken_away_by_whoever_may,
            surroundings_lie_within_the_reach_or_are_none,
            what_lies_behind_a_comment_lies_within_the_reach,
            article_is_counted_within_the_reach,
            author_is_told_with_everything_that_is_known_on_the_site,
            sanctions_of_an_author_are_told_while_they_are_in_force,
            what_a_change_lets_through_is_told_of_the_latest_within_the_reach,
            figures_tell_how_moderation_goes_on_the_sites_asked_about,
            figures_say_when_more_was_decided_than_is_looked_at,
            last_decision_is_the_latest_that_stands_within_the_reach,
            queue_finds_what_is_named_wherever_it_stands,
            queue_counts_under_every_filter,
            search_finds_words_wherever_the_index_has_got,
            search_stays_within_reach_and_conditions,
            what_waits_is_found_by_the_title_that_its_article_has_now,
            search_pages_without_gap_or_repeat,
            every_filter_counts_what_a_simple_model_counts, every_filter_counts_what_a_simple_model_counts_in_a_wave,
            queue_sorts_and_pages_without_gap_or_repeat,
            queue_shows_the_article_as_known_now,
            queue_refuses_foreign_cursors,
            claims_hold_until_they_run_out_or_are_given_back,
            ruling_applies_to_what_is_as_it_was_seen,
            ruling_outside_the_persons_sites_finds_nothing,
            ruling_on_an_approved_comment_makes_it_a_persons_word,
            undo_restores_status_and_place_in_the_queue,
            undo_leaves_alone_what_changed_since,
            undo_works_once_and_only_on_what_is_there,
            undo_of_a_part_leaves_the_rest_to_whoever_reaches_it,
            history_tells_everything_in_order,
            list_is_newest_first_and_pages_without_gap_or_repeat,
            list_filters_by_status_author_and_article,
            list_since_finds_old_comments_that_changed,
            author_past_counts_what_became_of_earlier_comments,
            remembered_gives_the_latest_oldest_first,
            record_of_who_did_what_is_newest_first,
            site_keys_open_their_site_until_rotated,
            names_and_addresses_are_taken_once,
            disabled_person_has_no_token,
            deleted_site_takes_its_comments_along,
            everything_is_there_after_opening_again,
            everything_acknowledged_is_there_after_a_crash,
            ids_are_found_across_the_edge_of_a_run_after_opening_again,
            closed_store_says_so,
            any_course_of_events_agrees_with_a_simple_model,
            of_all_who_ask_at_once_one_has_the_lease,
            lease_is_its_holders_until_it_runs_out_or_is_given_back,
            work_for_all_is_done_by_one_and_then_by_the_next,
            work_goes_no_step_further_once_its_lease_has_run_out,
            what_was_concluded_over_another_model_is_not_kept,
            nodes_are_known_until_they_are_gone_or_not_seen,
            an_alert_stands_once_and_its_messages_go_with_it,
            messages_are_put_once_and_taken_by_one,
            what_became_of_a_message_is_there_after_a_crash,
            decided_since_counts_what_stands_and_what_the_machine_had_said,
            pressure_counts_by_site_and_hour_what_was_not_simply_approved,
            of_more_than_can_be_counted_it_is_said_from_when_on_they_were,
            sessions_end_by_age_and_by_idleness,
            sessions_are_listed_and_ended_by_whose_they_are,
            sessions_end_with_what_opened_them,
            a_code_opens_once,
            list_keeps_within_reach,
            tokens_are_listed_without_themselves_and_revoked_by_name,
            changed_person_has_the_new_role_and_reach,
            record_of_who_did_what_is_filtered_and_walked,
            record_of_a_time_is_found_and_walked,
            record_holds_every_end_that_it_ever_had,
            author_is_exported_with_everything_and_erased_with_everything,
            addresses_are_replaced_in_bounded_steps_once_they_are_old,
            secrets_are_resealed_where_they_are_as_they_were,
            what_coral_signs_with_is_set_replaced_and_resealed,
            words_about_an_erased_comment_are_gone_from_rulings,
            sanction_is_in_force_until_it_expires_or_is_lifted,
            sanctions_are_listed_newest_first_under_every_filter,
            lifting_with_undo_restores_what_the_sanction_decided,
            lifting_leaves_alone_what_changed_since,
            lifting_without_undo_changes_no_comment,
            sanction_rejects_what_is_there_in_its_own_commit,
            reports_that_weigh_enough_hold_a_comment,
            reports_do_not_outweigh_a_persons_approval,
            reports_weigh_by_the_readers_record,
            strangers_alone_hold_nothing_where_they_may_not,
            being_agreed_with_counts_for_the_first_who_reported_what_was_approved,
            undo_opens_reports_again,
            edit_is_no_way_out_of_reports,
            votes_count_once_for_each_reader,
            appeal_opens_against_a_rejection_and_once,
            upheld_appeal_is_the_last_word_until_the_comment_changes,
            overturned_appeal_approves_in_the_same_commit,
            undoing_an_overturned_appeal_opens_it_again,
            appeal_closes_when_the_comment_changes,
            closing_an_appeal_is_told_after_the_grace_and_taken_back_within_it,
            lifting_tells_of_closed_appeals_after_the_grace,
            news_of_an_appeal_says_the_same_at_every_attempt,
            a_dead_answer_to_an_appeal_outlives_what_is_told_later_of_its_comment,
            appeals_are_listed_oldest_first_within_reach,
            // Outbox.
            a_site_without_webhook_is_told_nothing,
            notices_of_one_comment_are_given_out_one_at_a_time,
            what_an_old_address_says_is_not_meant_of_the_new_one,
            refusals_are_counted_from_the_first_until_anything_else_happens,
            a_dead_letter_sent_again_within_the_grace_waits_for_its_end,
            what_waits_for_an_older_notice_is_not_due_before_it,
            a_notice_says_what_the_comment_was_then_and_who_ruled_why,
            a_ruling_is_told_when_its_grace_is_over,
            a_ruling_taken_back_too_late_is_told_with_its_undoing,
            a_lease_that_runs_out_frees_what_was_taken,
            what_was_on_its_way_in_a_crash_is_taken_again,
            a_dead_letter_stops_nothing_and_is_sent_again_on_demand,
            what_is_past_is_not_sent_after_what_came_later,
            a_gone_receiver_gets_nothing_until_somebody_says_that_it_is_back,
            erasing_by_another_is_told_after_what_is_on_its_way,
            a_site_that_erases_itself_is_not_told,
            old_dead_letters_are_dropped,
            whoever_comes_back_late_says_nothing_of_an_attempt_after_theirs,
            a_rotated_secret_is_there_beside_the_new_one_for_a_time,
            whoever_delivers_is_woken_by_a_commit_that_tells,
            // webhooks_in.rs
            message_is_new_once_and_never_another,
            of_messages_at_once_under_one_id_one_is_new,
            messages_are_remembered_across_a_crash_until_pruned,
            deleted_site_takes_its_messages_along,
            // campaigns.rs
            campaign_is_recorded_with_the_comment_that_makes_it,
            comment_on_its_way_joins_in_its_own_commit,
            comment_on_its_way_joins_what_its_campaign_became_part_of,
            campaign_that_became_part_of_another_says_so_though_its_last_member_left,
            campaign_that_people_merged_absorbs_for_the_one_that_it_is_part_of,
            two_at_once_make_one_campaign,
            campaign_that_was_not_stored_is_stored_with_the_next_comment,
            campaigns_are_there_after_a_restart,
            campaign_that_goes_on_beyond_its_recorded_members_is_there_after_a_restart,
            erased_member_leaves_and_the_last_takes_the_campaign_along,
            edit_takes_a_comment_out_of_its_campaign,
            last_member_may_be_edited_and_still_belong,
            decision_about_a_campaign_holds_where_its_people_work,
            rule_for_who_joins_a_campaign_is_kept_ended_and_taken_back,
            rule_of_one_site_is_ended_from_there_when_the_campaign_has_spread,
            members_arrive_within_reach_and_in_order,
            campaign_stays_decided_while_a_part_of_its_ruling_stands,
            campaign_that_keeps_no_more_members_goes_on,
            ruling_on_a_campaign_is_one_decision_and_is_taken_back_as_one,
            ruling_on_a_campaign_leaves_alone_who_joined_since,
            ruling_on_a_campaign_keeps_within_reach,
            campaigns_merge_and_close,
            queue_shows_and_filters_by_campaign,
            deleted_site_leaves_its_campaigns,
            // versions.rs
            configurations_are_kept_in_the_order_in_which_they_were_taken,
            configurations_of_long_ago_go_with_their_lists,
            which_rules_there_were_is_kept_longer_than_their_settings,
            // rechecks.rs
            rechecks_follow_joins_decisions_and_their_undo,
            rechecks_follow_edits_erasing_merging_and_closing,
            rechecks_follow_what_is_drawn_for_a_person,
            rechecks_lie_within_the_reach,
            undo_of_the_latest_decision_leaves_the_one_before_in_force,
            undo_of_an_earlier_decision_leaves_the_latest_in_force,
            // recordings.rs
            recordings_come_in_order_and_page_by_page_from_all_sites,
            recordings_tell_every_revision_and_everything_that_happened,
            // verdicts.rs
            verdicts_are_read_latest_first_on_the_sites_and_in_the_time_asked_about,
            verdicts_tell_what_people_decided_while_that_stands,
            // learning.rs
            decisions_leave_labels_and_taking_them_back_takes_those_along,
            what_was_said_last_of_a_comment_counts_and_of_the_text_it_was_said_of,
            erased_comment_takes_its_labels_along_and_leaves_a_count,
            what_was_concluded_is_kept_whole_or_not_at_all,
            what_a_site_taught_is_there_after_a_crash,
            rolled_back_model_is_the_one_before_and_the_rest_is_set_aside,
            what_another_node_learned_answers_here_once_it_is_read,
            what_was_drawn_waits_and_stays_what_it_was,
            drawn_verdicts_are_counted_with_what_people_said,
            no_more_are_drawn_in_a_day_than_allowed,
            what_was_out_of_force_before_does_not_come_back,
            where_nothing_is_learned_what_was_taken_back_is_not_kept_for_later,
            what_a_campaign_rejected_is_drawn_and_where_comments_are_closed_nothing,
            deleted_site_takes_what_it_taught_along,
            // imports.rs
            a_part_of_a_file_is_stored_with_how_far_that_has_got_and_once,
            what_is_there_already_is_left_alone_and_counted,
            what_is_brought_in_tells_nobody_and_waits_only_where_it_waited,
            what_people_say_here_outranks_what_was_said_elsewhere,
            what_was_said_of_a_comment_elsewhere_goes_with_it,
            everything_of_a_site_is_written_out_in_its_order,
            addresses_that_were_brought_in_go_when_their_time_has_come,
            imported_comments_are_not_gone_through_again_for_each_part_of_what_people_wrote,
            what_another_file_says_of_a_comment_is_learned_from_when_that_is_asked_for,
            a_file_fills_what_is_missing_of_an_article_and_overwrites_nothing,
            // akismet.rs
            whoever_asked_is_called_back_and_nobody_else,
            webhooks_and_callbacks_of_a_comment_do_not_wait_for_one_another,
            a_webhook_that_is_gone_takes_no_callback_along,
            a_ruling_that_is_taken_back_in_time_calls_nobody,
            an_erased_comment_calls_nobody,
            akismet_keys_are_rehashed_where_they_are_what_they_were,
            callbacks_are_there_after_a_crash,
            akismet_keys_open_their_site_and_a_blog_is_pinned,
            checks_are_counted_by_what_they_were_at_first,
            // privacy.rs
            addresses_go_from_what_was_written_of_a_comment_when_they_go,
            what_people_write_is_looked_through_once_and_in_bounded_steps,
            comments_go_by_what_became_of_them_when_they_are_old,
            comment_that_somebody_has_to_do_with_is_kept_however_old_it_is,
            comment_that_grew_too_old_takes_its_labels_along_and_leaves_a_count,
            equal_addresses_are_told_to_be_equal_under_one_key_only,
            hashing_goes_on_after_a_crash_and_tells_how_far_it_is,
            addresses_in_what_people_wrote_are_told_of_until_they_are_gone,
            of_two_who_replace_the_key_of_addresses_one_is_first,
            deleted_site_takes_its_list_of_the_erased_along,
        );
    };
    ($engine:ident => $run:ident; $($test:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $run!($engine, $crate::suite::$test(&$engine));
            }
        )*
    };
}

async fn started(engine: &dyn Engine) -> (Arc<dyn Store>, Arc<doorward::domain::site::Site>) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    (store, news)
}

async fn find(store: &dyn Store, of: &Made) -> Option<Record> {
    store.comment_find(of.0.site.id, &of.0.comment.id).await.unwrap().map(|(record, _)| record)
}

pub(crate) use crate::webhooks_in::{
    deleted_site_takes_its_messages_along, message_is_new_once_and_never_another,
    messages_are_remembered_across_a_crash_until_pruned, of_messages_at_once_under_one_id_one_is_new,
};

pub(crate) use crate::akismet::*;
pub(crate) use crate::campaigns::*;
pub(crate) use crate::imports::*;
pub(crate) use crate::learning::*;
pub(crate) use crate::model::any_course_of_events_agrees_with_a_simple_model;
pub(crate) use crate::nodes::*;
pub(crate) use crate::notices::*;
pub(crate) use crate::outbox::*;
pub(crate) use crate::people::*;
pub(crate) use crate::privacy::*;
pub(crate) use crate::reads::*;
pub(crate) use crate::rechecks::*;
pub(crate) use crate::recordings::*;
pub(crate) use crate::sanctions_reports_appeals::*;
pub(crate) use crate::search::{
    every_filter_counts_what_a_simple_model_counts, every_filter_counts_what_a_simple_model_counts_in_a_wave,
    queue_finds_what_is_named_wherever_it_stands, search_finds_words_wherever_the_index_has_got,
    search_pages_without_gap_or_repeat, search_stays_within_reach_and_conditions,
    what_waits_is_found_by_the_title_that_its_article_has_now,
};
pub(crate) use crate::sessions::*;
pub(crate) use crate::verdicts::*;
pub(crate) use crate::versions::*;

// Recording.

pub(crate) async fn repeated_id_returns_first_decision(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let made = Made::new(&news, "c-1");
    let first = made.clone().store(&*store).await;
    let again = made.clone().at(60).rejected(); // judged anew, it would be another verdict
    let Recording::Repeat(repeat) = again.send(&*store).await else { panic!("not a repeat") };
    assert_eq!(repeat, first);
    assert_eq!(find(&*store, &made).await, Some(first));
}

pub(crate) async fn same_id_with_other_content_is_a_conflict(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let first = Made::new(&news, "c-1").store(&*store).await;
    let other = Made::new(&news, "c-1").body("something else");
    assert!(matches!(other.clone().send(&*store).await, Recording::Conflict));
    assert_eq!(find(&*store, &other).await, Some(first));
}

pub(crate) async fn same_id_on_another_site_is_another_comment(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let blog = site(&*store, "blog").await;
    let one = Made::new(&news, "c-1").store(&*store).await;
    let other = Made::new(&blog, "c-1").store(&*store).await;
    assert_ne!(one.uid, other.uid);
    assert_eq!((&*one.site, &*other.site), ("news", "blog"));
}

pub(crate) async fn of_two_writers_of_one_id_one_stores_and_the_other_finds_it(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    for round in 0..50 {
        let name = format!("c-{round}");
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let (store, made) = (Arc::clone(&store), Made::new(&news, &name));
                tokio::spawn(async move { made.send(&*store).await })
            })
            .collect();
        let (mut new, mut uids) = (0, Vec::new());
        for writer in writers {
            match writer.await.unwrap() {
                Recording::New(record) => {
                    new += 1;
                    uids.push(record.uid);
                }
                Recording::Repeat(record) => uids.push(record.uid),
                Recording::Conflict => panic!("the content is the same"),
            }
        }
        uids.dedup();
        assert_eq!((new, uids.len()), (1, 1));
    }
}

pub(crate) async fn unknown_id_is_not_found(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    Made::new(&news, "c-1").store(&*store).await;
    assert_eq!(find(&*store, &Made::new(&news, "c-2")).await, None);
}

pub(crate) async fn what_is_found_is_what_was_stored(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let mut article = Article::named(id("a-7"));
    article.title = Some("Bees".to_owned());
    article.section = Some("nature".to_owned());
    article.url = Some("https://news.example/bees".to_owned());
    let made =
        Made::new(&news, "c 1").author("u-1").with_article(article).held(Some(Category::Abuse), &["shouting"], 0.7);
    let record = made.clone().store(&*store).await;
    let (found, content) = store.comment_find(news.id, &id("c 1")).await.unwrap().unwrap();
    assert_eq!(found, record);
    assert_eq!(content, made.0.content);
    assert_eq!(found.verdict, made.0.verdict);
    assert_eq!((found.revision, found.version), (1, 1));
    assert_eq!((found.status, found.decided_by), (Status::Held, DecidedBy::Policy));
    assert_eq!((found.received_at, found.updated_at), (at(0), at(0)));
    let mut sent = made.0.comment;
    sent.article.title = None; // the article's long parts live in its own row
    assert_eq!(found.comment, sent);
}

pub(crate) async fn uid_names_its_comment_and_no_forged_one_does(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").store(&*store).await;
    assert_eq!(record.uid.get_version_num(), 7);
    assert_eq!(store.comment_by_uid(record.uid).await.unwrap(), Some(record.clone()));
    for forged in [Uuid::nil(), Uuid::max(), Uuid::from_u128(record.uid.as_u128() ^ 1)] {
        assert_eq!(store.comment_by_uid(forged).await.unwrap(), None);
        assert!(store.comment_history(forged).await.unwrap().is_empty());
    }
}

// Editing and erasing.

pub(crate) async fn edit_makes_a_new_revision_with_its_own_verdict(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let first = Made::new(&news, "c-1").store(&*store).await;
    let edit = Made::new(&news, "c-1").body("buy this").held(Some(Category::Spam), &["blocklist"], 0.8).at(5);
    let edited = edit.clone().revise(&*store).await.unwrap();
    assert_eq!((edited.revision, edited.version), (2, 2));
    assert_eq!((edited.uid, edited.received_at, edited.updated_at), (first.uid, at(0), at(5)));
    assert_eq!(edited.status, Status::Held);
    assert_eq!(edited.verdict, edit.0.verdict);
    assert_eq!(queue_ids(&*store, &QueueFilter::default(), QueueSort::Oldest).await, ["c-1"]);
    let approved = Made::new(&news, "c-1").body("sorry").at(6).revise(&*store).await.unwrap();
    assert_eq!((approved.revision, approved.status), (3, Status::Approved));
    assert!(queue_ids(&*store, &QueueFilter::default(), QueueSort::Oldest).await.is_empty());
    assert_eq!(find(&*store, &edit).await, Some(approved));
}

pub(crate) async fn edit_keeps_a_persons_word_while_the_text_is_unchanged(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").held(None, &[], 0.5).store(&*store).await;
    store.rule(ruling(Action::Approve, &[&record], 10)).await.unwrap();
    let renamed = Made::new(&news, "c-1").author_name("Anne").held(None, &[], 0.5).at(20);
    let renamed = renamed.revise(&*store).await.unwrap();
    assert_eq!((renamed.status, renamed.decided_by), (Status::Approved, DecidedBy::Person));
    assert_eq!((renamed.revision, renamed.version), (2, 3));
    assert_eq!(renamed.verdict.action, Action::Hold, "the verdict is of the new revision all the same");
    let rewritten = Made::new(&news, "c-1").body("buy this").held(None, &[], 0.5).at(30).revise(&*store).await.unwrap();
    assert_eq!((rewritten.status, rewritten.decided_by), (Status::Held, DecidedBy::Policy));
}

pub(crate) async fn edit_that_comes_twice_counts_once(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    Made::new(&news, "c-1").store(&*store).await;
    let edit = Made::new(&news, "c-1").body("better");
    let once = edit.clone().revise(&*store).await;
    assert_eq!(edit.at(9).revise(&*store).await, once);
}

pub(crate) async fn edit_of_an_unknown_comment_changes_nothing(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let made = Made::new(&news, "c-1");
    assert_eq!(made.clone().revise(&*store).await, None);
    assert_eq!(find(&*store, &made).await, None);
}

pub(crate) async fn edit_can_move_a_comment_to_another_article_and_author(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    for n in 1..=3 {
        Made::new(&news, &format!("c-{n}")).author("u-1").under("a-1").store(&*store).await;
    }
    Made::new(&news, "c-4").author("u-2").under("a-2").store(&*store).await;
    Made::new(&news, "c-2").author("u-2").under("a-2").revise(&*store).await.unwrap();
    let check = async |store: &dyn Store| {
        let of = |author: Option<&str>, article: Option<&str>| CommentFilter {
            author: author.map(str::to_owned),
            article: article.map(str::to_owned),
            ..CommentFilter::default()
        };
        assert_eq!(list_ids(store, &news, &of(Some("u-1"), None)).await, ["c-3", "c-1"]);
        assert_eq!(list_ids(store, &news, &of(Some("u-2"), None)).await, ["c-4", "c-2"]);
        assert_eq!(list_ids(store, &news, &of(None, Some("a-1"))).await, ["c-3", "c-1"]);
        assert_eq!(list_ids(store, &news, &of(None, Some("a-2"))).await, ["c-4", "c-2"]);
        let asked = Made::new(&news, "new").author("u-2").0.trace;
        assert_eq!(store.author_past(&asked, at(100), 10).await.unwrap().approved, 2);
    };
    check(&*store).await;
    store.close().await;
    drop(store);
    check(&*engine.open().await).await;
}

pub(crate) async fn erased_comment_is_gone_and_its_id_is_free(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let made = Made::new(&news, "c-1").author("u-1").held(None, &["shouting"], 0.5);
    let record = made.clone().store(&*store).await;
    let edited = made.clone().body("my secret").revise(&*store).await.unwrap();
    let ruled = store.rule(ruling(Action::Reject, &[&edited], 3)).await.unwrap();
    let by = Actor::Site("news".to_owned());
    let trace = store.comment_erase(news.id, &id("c-1"), by.clone(), at(5)).await.unwrap();
    assert_eq!(trace, Some(made.clone().body("my secret").0.trace));
    assert_eq!(find(&*store, &made).await, None);
    assert_eq!(store.comment_by_uid(record.uid).await.unwrap(), None);
    assert!(store.comment_history(record.uid).await.unwrap().is_empty());
    assert!(list_ids(&*store, &news, &CommentFilter::default()).await.is_empty());
    assert!(remembered(&*store, at(0), 10).await.is_empty());
    assert!(matches!(store.unrule(ruled.decision, moderator(), &Reach::ALL, at(6)).await, Err(UndoError::NotFound)));
    assert_eq!(store.comment_erase(news.id, &id("c-1"), by, at(7)).await.unwrap(), None);
    let again = made.clone().body("another").store(&*store).await;
    assert_ne!(again.uid, record.uid);
    assert_eq!((again.revision, again.version), (1, 1));
    assert_eq!(find(&*store, &made).await, Some(again));
}

pub(crate) async fn erasing_keeps_the_rest_of_every_chain(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    for n in 1..=5 {
        Made::new(&news, &format!("c-{n}")).author("u-1").store(&*store).await;
    }
    for gone in ["c-3", "c-5"] {
        store.comment_erase(news.id, &id(gone), Actor::Console, at(5)).await.unwrap().unwrap();
    }
    Made::new(&news, "c-6").author("u-1").store(&*store).await;
    let check = async |store: &dyn Store| {
        let author = CommentFilter { author: Some("u-1".to_owned()), ..CommentFilter::default() };
        let article = CommentFilter { article: Some("a-1".to_owned()), ..CommentFilter::default() };
        for filter in [CommentFilter::default(), author, article] {
            assert_eq!(list_ids(store, &news, &filter).await, ["c-6", "c-4", "c-2", "c-1"]);
        }
    };
    check(&*store).await;
    store.close().await;
    drop(store);
    check(&*engine.open().await).await;
}

pub(crate) async fn article_keeps_what_is_not_sent_again(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let mut article = Article::named(id("a-1"));
    article.title = Some("Bees".to_owned());
    article.tags = vec!["nature".to_owned()];
    assert_eq!(store.article_find(news.id, &id("a-1")).await.unwrap(), None);
    assert_eq!(store.article_put(news.id, article.clone(), at(1)).await.unwrap(), (article.clone(), true));
    let mut text = Article::named(id("a-1"));
    text.text = Some("They fly.".to_owned());
    let (known, new) = store.article_put(news.id, text, at(2)).await.unwrap();
    article.text = Some("They fly.".to_owned());
    assert_eq!((known, new), (article.clone(), false));
    assert_eq!(store.article_find(news.id, &id("a-1")).await.unwrap(), Some(article));
    let other = site(&*store, "blog").await;
    assert_eq!(store.article_find(other.id, &id("a-1")).await.unwrap(), None);
}

// The queue.

fn ids_of(items: &[QueueItem]) -> Vec<String> {
    items.iter().map(|item| item.record.comment.id.to_string()).collect()
}

async fn queue_ids(store: &dyn Store, filter: &QueueFilter, sort: QueueSort) -> Vec<String> {
    ids_of(&store.queue(filter, sort, &first_page(500), at(1_000)).await.unwrap().items)
}

pub(crate) async fn queue_counts_under_every_filter(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let blog = site(&*store, "blog").await;
    let mut sports = Article::named(id("a-2"));
    sports.section = Some("sports".to_owned());
    let spam = Some(Category::Spam);
    Made::new(&news, "c-1").held(spam, &["blocklist", "shouting"], 0.9).author("u-1").at(1).store(&*store).await;
    Made::new(&news, "c-2").held(None, &["shouting"], 0.0).with_article(sports).at(2).store(&*store).await;
    Made::new(&blog, "c-3")
        .held(Some(Category::OffTopic), &[], 0.5)
        .lang("de")
        .body("Größe ZÄHLT")
        .at(3)
        .store(&*store)
        .await;
    Made::new(&news, "c-4").store(&*store).await; // approved: never here
    Made::new(&news, "c-5").rejected().store(&*store).await;
    let named = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    let all = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(1), at(9)).await.unwrap();
    assert_eq!(all.held, 3);
    assert_eq!(all.by_site, named(&[("news", 2), ("blog", 1)]));
    assert_eq!(all.by_category, named(&[("spam", 1), ("off-topic", 1), ("none", 1)]));
    assert_eq!(all.by_signal, named(&[("blocklist", 1), ("shouting", 2)]));
    assert_eq!(all.oldest, Some(at(1)));
    let some = |text: &str| Some(text.to_owned());
    let none = QueueFilter::default;
    let rows: [(&str, QueueFilter, &[&str]); 15] = [
        ("site", QueueFilter { sites: vec!["news".to_owned()], ..none() }, &["c-1", "c-2"]),
        (
            "two sites",
            QueueFilter { sites: vec!["news".to_owned(), "blog".to_owned()], ..none() },
            &["c-1", "c-2", "c-3"],
        ),
        ("unknown site", QueueFilter { sites: vec!["nowhere".to_owned()], ..none() }, &[]),
        ("category", QueueFilter { category: spam, ..none() }, &["c-1"]),
        ("signal", QueueFilter { signal: some("shouting"), ..none() }, &["c-1", "c-2"]),
        ("part of a signal's name", QueueFilter { signal: some("shout"), ..none() }, &[]),
        ("section", QueueFilter { section: some("sports"), ..none() }, &["c-2"]),
        ("lang", QueueFilter { lang: some("de"), ..none() }, &["c-3"]),
        ("article", QueueFilter { article: some("a-2"), ..none() }, &["c-2"]),
        ("author", QueueFilter { author: some("u-1"), ..none() }, &["c-1"]),
        ("not reported", QueueFilter { reported: true, ..none() }, &[]),
        ("unassigned", QueueFilter { assigned: some("none"), ..none() }, &["c-1", "c-2", "c-3"]),
        ("words in any case", QueueFilter { q: some("größe zählt"), ..none() }, &["c-3"]),
        ("words that are not there", QueueFilter { q: some("größe fehlt"), ..none() }, &[]),
        ("two conditions", QueueFilter { signal: some("shouting"), category: spam, ..none() }, &["c-1"]),
    ];
    for (what, filter, expected) in rows {
        let page = store.queue(&filter, QueueSort::Oldest, &first_page(50), at(9)).await.unwrap();
        assert_eq!(ids_of(&page.items), expected, "{what}");
        assert_eq!(page.held, expected.len() as u64, "{what}");
        if filter.sites.is_empty() {
            assert_eq!(page.by_site.values().sum::<u64>(), page.held, "{what}");
        }
    }
}

pub(crate) async fn queue_sorts_and_pages_without_gap_or_repeat(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let priorities = [0.5, 0.9, 0.5, 0.1, 0.5, 1.0, 0.0];
    for (n, priority) in (1..).zip(priorities) {
        Made::new(&news, &format!("c-{n}")).held(None, &[], priority).at(n).store(&*store).await;
    }
    for (sort, expected) in [
        (QueueSort::Priority, ["c-6", "c-2", "c-1", "c-3", "c-5", "c-4", "c-7"]),
        (QueueSort::Oldest, ["c-1", "c-2", "c-3", "c-4", "c-5", "c-6", "c-7"]),
        (QueueSort::Newest, ["c-7", "c-6", "c-5", "c-4", "c-3", "c-2", "c-1"]),
    ] {
        for limit in [1, 2, 3, 7, 8] {
            let (mut got, mut request) = (Vec::new(), first_page(limit));
            loop {
                let page = store.queue(&QueueFilter::default(), sort, &request, at(100)).await.unwrap();
                assert_eq!(page.held, 7, "counts are of everything, not of the page");
                got.extend(ids_of(&page.items));
                request.cursor = page.next_cursor;
                if request.cursor.is_none() {
                    break;
                }
            }
            assert_eq!(got, expected, "{sort:?} by {limit}");
        }
    }
}

pub(crate) async fn queue_shows_the_article_as_known_now(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    Made::new(&news, "c-1").held(None, &[], 0.5).store(&*store).await;
    let mut article = Article::named(id("a-1"));
    article.title = Some("Bees".to_owned());
    store.article_put(news.id, article.clone(), at(1)).await.unwrap();
    let page = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(1), at(9)).await.unwrap();
    assert_eq!(page.items[0].article, article);
    assert_eq!((page.items[0].held_at, page.items[0].claim.clone()), (at(0), None));
}

pub(crate) async fn queue_refuses_foreign_cursors(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    for n in 1..=3 {
        Made::new(&news, &format!("c-{n}")).held(None, &[], 0.5).store(&*store).await;
    }
    let page = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(1), at(9)).await.unwrap();
    let ours = page.next_cursor.unwrap();
    for cursor in ["", "1", "p", "öööööööööööööööööö", &ours[1..], &format!("n{}", &ours[1..])] {
        let request = PageRequest { limit: 1, cursor: Some(cursor.to_owned()) };
        let answer = store.queue(&QueueFilter::default(), QueueSort::Oldest, &request, at(9)).await;
        assert!(matches!(answer, Err(ListError::BadCursor)), "{cursor}");
        let answer = store.comment_list(news.id, &CommentFilter::default(), &request).await;
        assert!(matches!(answer, Err(ListError::BadCursor)), "{cursor}");
        assert!(
            matches!(store.audit_list(&AuditFilter::default(), &request).await, Err(ListError::BadCursor)),
            "{cursor}"
        );
    }
}

pub(crate) async fn claims_hold_until_they_run_out_or_are_given_back(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").held(None, &[], 0.5).store(&*store).await;
    let approved = Made::new(&news, "c-2").store(&*store).await;
    let all = [record.uid, record.uid, approved.uid, Uuid::nil()];
    let only = vec![record.uid];
    assert_eq!(store.claim(&all, &worker("ann"), at(300), at(0)).await.unwrap(), only, "what is held, once");
    assert!(store.claim(&only, &worker("bob"), at(310), at(10)).await.unwrap().is_empty());
    assert_eq!(store.claim(&only, &worker("ann"), at(320), at(20)).await.unwrap(), only, "their own can be renewed");
    let assigned = async |to: &str, now: Timestamp| {
        let filter = QueueFilter { assigned: Some(to.to_owned()), ..QueueFilter::default() };
        store.queue(&filter, QueueSort::Oldest, &first_page(9), now).await.unwrap().held
    };
    assert_eq!((assigned("ann", at(319)).await, assigned("none", at(319)).await), (1, 0));
    assert_eq!((assigned("ann", at(320)).await, assigned("none", at(320)).await), (0, 1));
    assert!(store.release(&only, "bob").await.unwrap().is_empty());
    assert_eq!(store.claim(&only, &worker("bob"), at(700), at(320)).await.unwrap(), only, "it ran out");
    assert_eq!(store.release(&only, "bob").await.unwrap(), only);
    assert_eq!(assigned("none", at(321)).await, 1);
}

// Rulings.

pub(crate) async fn ruling_applies_to_what_is_as_it_was_seen(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let one = Made::new(&news, "c-1").held(None, &[], 0.5).store(&*store).await;
    let two = Made::new(&news, "c-2").held(None, &[], 0.5).store(&*store).await;
    let gone = Uuid::from_u128(5);
    let mut first = ruling(Action::Approve, &[&one, &one], 10);
    first.items.push(Seen { uid: gone, seen_version: 1 });
    first.items.push(Seen { uid: two.uid, seen_version: 7 });
    let ruled = store.rule(first).await.unwrap();
    assert_eq!(ruled.missing, [gone]);
    assert_eq!(ruled.conflicts, std::slice::from_ref(&two));
    let [(applied, trace)] = &ruled.applied[..] else { panic!("{ruled:?}") };
    assert_eq!((applied.status, applied.decided_by), (Status::Approved, DecidedBy::Person));
    assert_eq!((applied.version, applied.revision, applied.updated_at), (2, 1, at(10)));
    assert_eq!(applied.verdict, one.verdict, "the verdict stays frozen");
    assert_eq!(*trace, Made::new(&news, "c-1").0.trace);
    assert_eq!(store.comment_by_uid(one.uid).await.unwrap().as_ref(), Some(applied));
    assert_eq!(queue_ids(&*store, &QueueFilter::default(), QueueSort::Oldest).await, ["c-2"]);
    let late = store.rule(ruling(Action::Reject, &[&one], 11)).await.unwrap();
    assert_eq!((late.applied.len(), &late.conflicts), (0, &vec![applied.clone()]));
    assert!(matches!(store.unrule(late.decision, moderator(), &Reach::ALL, at(12)).await, Err(UndoError::NotFound)));
}

pub(crate) async fn ruling_outside_the_persons_sites_finds_nothing(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").held(None, &[], 0.5).store(&*store).await;
    let mut outside = ruling(Action::Approve, &[&record], 10);
    outside.reach.sites = Some(vec!["blog".to_owned()]);
    assert_eq!(store.rule(outside.clone()).await.unwrap().missing, [record.uid]);
    outside.reach.sites = Some(vec!["news".to_owned()]);
    let ruled = store.rule(outside).await.unwrap();
    assert_eq!(ruled.applied.len(), 1);
    let elsewhere = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let undo = store.unrule(ruled.decision, moderator(), &elsewhere, at(11)).await;
    assert!(matches!(undo, Err(UndoError::NotFound)));
}

pub(crate) async fn ruling_on_an_approved_comment_makes_it_a_persons_word(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").store(&*store).await;
    let ruled = store.rule(ruling(Action::Approve, &[&record], 1)).await.unwrap();
    let (approved, _) = &ruled.applied[0];
    assert_eq!((approved.status, approved.decided_by, approved.version), (Status::Approved, DecidedBy::Person, 2));
    let ruled = store.rule(ruling(Action::Reject, &[approved], 2)).await.unwrap();
    assert_eq!(ruled.applied[0].0.status, Status::Rejected);
}

pub(crate) async fn undo_restores_status_and_place_in_the_queue(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let spam = Some(Category::Spam);
    let held = Made::new(&news, "c-1").held(spam, &["shouting"], 0.75).at(3).store(&*store).await;
    let approved = Made::new(&news, "c-2").at(4).store(&*store).await;
    let before = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(9), at(50)).await.unwrap();
    let ruled = store.rule(ruling(Action::Reject, &[&held, &approved], 10)).await.unwrap();
    let undone = store.unrule(ruled.decision, moderator(), &Reach::ALL, at(20)).await.unwrap();
    assert_eq!((undone.decision, undone.conflicts.len(), undone.missing.len()), (ruled.decision, 0, 0));
    let mut states: Vec<_> = undone.applied.iter().map(|(now, _)| (now.status, now.decided_by, now.version)).collect();
    states.sort_by_key(|(status, ..)| *status != Status::Held); // no order is promised
    assert_eq!(states, [(Status::Held, DecidedBy::Policy, 3), (Status::Approved, DecidedBy::Policy, 3)]);
    let mut after = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(9), at(50)).await.unwrap();
    after.items[0].record = before.items[0].record.clone(); // its version and moment are new
    assert_eq!(after, before);
}

pub(crate) async fn undo_leaves_alone_what_changed_since(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let one = Made::new(&news, "c-1").held(None, &[], 0.5).store(&*store).await;
    let two = Made::new(&news, "c-2").held(None, &[], 0.5).store(&*store).await;
    let ruled = store.rule(ruling(Action::Approve, &[&one, &two], 10)).await.unwrap();
    let now = store.rule(ruling(Action::Reject, &[&ruled.applied[0].0], 11)).await.unwrap().applied[0].0.clone();
    let undone = store.unrule(ruled.decision, moderator(), &Reach::ALL, at(12)).await.unwrap();
    assert_eq!(undone.conflicts, [now]);
    assert_eq!(undone.applied.len(), 1);
    assert_eq!(undone.applied[0].0.uid, two.uid);
}

pub(crate) async fn undo_works_once_and_only_on_what_is_there(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").held(None, &[], 0.5).store(&*store).await;
    let ruled = store.rule(ruling(Action::Approve, &[&record], 10)).await.unwrap();
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(11)).await.unwrap();
    let again = store.unrule(ruled.decision, moderator(), &Reach::ALL, at(12)).await;
    assert!(matches!(again, Err(UndoError::AlreadyUndone)));
    let unknown = store.unrule(Uuid::from_u128(9), moderator(), &Reach::ALL, at(12)).await;
    assert!(matches!(unknown, Err(UndoError::NotFound)));
}

pub(crate) async fn undo_of_a_part_leaves_the_rest_to_whoever_reaches_it(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let within = |section: &str| {
        let mut article = Article::named(id(section));
        article.section = Some(section.to_owned());
        Made::new(&news, section).with_article(article).held(None, &[], 0.5)
    };
    let (sport, city) = (within("sport").store(&*store).await, within("city").store(&*store).await);
    let ruled = store.rule(ruling(Action::Reject, &[&sport, &city], 10)).await.unwrap();
    let of = |section: &str| Reach { sections: Some(vec![section.to_owned()]), ..Reach::ALL };
    let undo = async |reach: &Reach, seconds: i64| {
        let undone = store.unrule(ruled.decision, moderator(), reach, at(seconds)).await?;
        Ok::<_, UndoError>((undone.applied.iter().map(|(record, _)| record.uid).collect::<Vec<_>>(), undone.conflicts))
    };
    assert_eq!(undo(&of("sport"), 11).await.unwrap(), (vec![sport.uid], Vec::new()));
    assert!(matches!(undo(&of("sport"), 12).await, Err(UndoError::AlreadyUndone)));
    assert_eq!(
        undo(&Reach::ALL, 13).await.unwrap(),
        (vec![city.uid], Vec::new()),
        "what was taken back is no conflict"
    );
    for reach in [of("sport"), of("city"), Reach::ALL] {
        assert!(matches!(undo(&reach, 14).await, Err(UndoError::AlreadyUndone)));
    }
}

pub(crate) async fn history_tells_everything_in_order(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").held(None, &[], 0.5).at(1).store(&*store).await;
    let ruled = store.rule(ruling(Action::Approve, &[&record], 2)).await.unwrap();
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(3)).await.unwrap();
    Made::new(&news, "c-1").body("other").at(4).revise(&*store).await.unwrap();
    let history = store.comment_history(record.uid).await.unwrap();
    let told: Vec<_> = history.iter().map(|now| (now.version, now.kind, now.status, now.decided_by, now.at)).collect();
    let (policy, person) = (DecidedBy::Policy, DecidedBy::Person);
    assert_eq!(
        told,
        [
            (1, HappeningKind::Received, Status::Held, policy, at(1)),
            (2, HappeningKind::Decided, Status::Approved, person, at(2)),
            (3, HappeningKind::Undone, Status::Held, policy, at(3)),
            (4, HappeningKind::Edited, Status::Approved, policy, at(4)),
        ]
    );
    assert_eq!(history[1].decision, Some(ruled.decision));
    assert_eq!(history[1].reason.as_deref(), Some("because"));
    assert_eq!(history[2].decision, Some(ruled.decision));
    let by: Vec<_> = history.iter().map(|now| now.by.clone()).collect();
    let news = Actor::Site("news".to_owned());
    assert_eq!(by, [news.clone(), moderator(), moderator(), news]);
}

// Lists.

async fn list_ids(store: &dyn Store, site: &doorward::domain::site::Site, filter: &CommentFilter) -> Vec<String> {
    let (mut ids, mut request) = (Vec::new(), first_page(2));
    loop {
        let page = store.comment_list(site.id, filter, &request).await.unwrap();
        assert!(page.items.len() <= 2);
        ids.extend(page.items.iter().map(|record| record.comment.id.to_string()));
        request.cursor = page.next_cursor;
        if request.cursor.is_none() {
            return ids;
        }
    }
}

pub(crate) async fn list_is_newest_first_and_pages_without_gap_or_repeat(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let blog = site(&*store, "blog").await;
    for n in 1..=7 {
        Made::new(&news, &format!("c-{n}")).store(&*store).await;
        Made::new(&blog, &format!("b-{n}")).store(&*store).await;
    }
    let all = list_ids(&*store, &news, &CommentFilter::default()).await;
    assert_eq!(all, ["c-7", "c-6", "c-5", "c-4", "c-3", "c-2", "c-1"]);
}

pub(crate) async fn list_filters_by_status_author_and_article(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let blog = site(&*store, "blog").await;
    Made::new(&news, "c-1").author("u-1").under("a-1").store(&*store).await;
    Made::new(&news, "c-2").author("u-1").under("a-2").rejected().store(&*store).await;
    Made::new(&news, "c-3").author("u-2").under("a-2").store(&*store).await;
    Made::new(&news, "c-4").under("a-2").held(None, &[], 0.5).store(&*store).await;
    Made::new(&blog, "c-5").author("u-1").under("a-2").store(&*store).await;
    let some = |text: &str| Some(text.to_owned());
    let none = CommentFilter::default;
    let rows: [(CommentFilter, &[&str]); 8] = [
        (CommentFilter { status: Some(Status::Approved), ..none() }, &["c-3", "c-1"]),
        (CommentFilter { status: Some(Status::Held), ..none() }, &["c-4"]),
        (CommentFilter { author: some("u-1"), ..none() }, &["c-2", "c-1"]),
        (CommentFilter { article: some("a-2"), ..none() }, &["c-4", "c-3", "c-2"]),
        (CommentFilter { author: some("u-1"), article: some("a-2"), ..none() }, &["c-2"]),
        (CommentFilter { author: some("u-1"), status: Some(Status::Approved), ..none() }, &["c-1"]),
        (CommentFilter { author: some("u-9"), ..none() }, &[]),
        (CommentFilter { article: some("a-9"), ..none() }, &[]),
    ];
    for (filter, expected) in rows {
        assert_eq!(list_ids(&*store, &news, &filter).await, expected, "{filter:?}");
    }
}

pub(crate) async fn list_since_finds_old_comments_that_changed(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let mut records = Vec::new();
    for n in 0..5_000 {
        records.push(Made::new(&news, &format!("c-{n}")).author("u-1").at(n).store(&*store).await);
    }
    store.rule(ruling(Action::Reject, &[&records[7], &records[4_990]], 6_000)).await.unwrap();
    Made::new(&news, "c-3").author("u-1").body("changed").at(6_001).revise(&*store).await.unwrap();
    let since = |seconds| CommentFilter { updated_since: Some(at(seconds)), ..CommentFilter::default() };
    assert_eq!(list_ids(&*store, &news, &since(4_998)).await, ["c-4999", "c-4998", "c-4990", "c-7", "c-3"]);
    let author = CommentFilter { author: Some("u-1".to_owned()), ..since(4_999) };
    assert_eq!(list_ids(&*store, &news, &author).await, ["c-4999", "c-4990", "c-7", "c-3"]);
    let rejected = CommentFilter { status: Some(Status::Rejected), ..since(6_000) };
    assert_eq!(list_ids(&*store, &news, &rejected).await, ["c-4990", "c-7"]);
    assert_eq!(list_ids(&*store, &news, &since(6_001)).await, ["c-3"]);
    assert!(list_ids(&*store, &news, &since(6_002)).await.is_empty());
    let early = store.comment_list(news.id, &since(0), &first_page(500)).await.unwrap();
    assert_eq!(early.items.len(), 500);
}

pub(crate) async fn author_past_counts_what_became_of_earlier_comments(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let one = Made::new(&news, "c-1").author("u-1").at(1).store(&*store).await;
    Made::new(&news, "c-2").author("u-1").at(2).rejected().store(&*store).await;
    Made::new(&news, "c-3").author("u-1").at(3).held(None, &[], 0.5).store(&*store).await;
    Made::new(&news, "c-4").author("u-2").at(4).store(&*store).await;
    Made::new(&news, "c-5").author("u-1").at(50).store(&*store).await;
    store.rule(ruling(Action::Approve, &[&one], 10)).await.unwrap();
    let trace = Made::new(&news, "new").author("u-1").0.trace;
    let past = store.author_past(&trace, at(50), 100).await.unwrap();
    assert_eq!((past.approved, past.approved_by_person), (1, 1));
    assert_eq!((past.rejected, past.rejected_by_person, past.held), (1, 0, 1));
    assert_eq!((past.first_at, past.last_at), (Some(at(1)), Some(at(3))));
    let short = store.author_past(&trace, at(50), 1).await.unwrap();
    assert_eq!((short.approved, short.rejected, short.held), (0, 0, 1), "the latest first");
    let itself = store.author_past(&Made::new(&news, "c-3").author("u-1").0.trace, at(50), 9).await.unwrap();
    assert_eq!(itself.held, 0, "a comment is not part of its own past");
    let nobody = store.author_past(&Made::new(&news, "new").author("u-9").0.trace, at(50), 9).await.unwrap();
    assert_eq!(nobody, doorward::domain::history::AuthorPast::default());
}

async fn remembered(store: &dyn Store, since: Timestamp, most: usize) -> Vec<Remembered> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let each = Arc::clone(&heard);
    store.remembered(since, most, Box::new(move |one| each.lock().unwrap().push(one))).await.unwrap();
    std::mem::take(&mut *heard.lock().unwrap())
}

pub(crate) async fn remembered_gives_the_latest_oldest_first(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let mut last = None;
    for n in 1..=5 {
        last = Some(Made::new(&news, &format!("c-{n}")).at(n).store(&*store).await);
    }
    store.rule(ruling(Action::Reject, &[&last.unwrap()], 10)).await.unwrap();
    let names =
        |remembered: &[Remembered]| remembered.iter().map(|one| one.trace.comment_id.to_string()).collect::<Vec<_>>();
    let all = remembered(&*store, at(0), 10).await;
    assert_eq!(names(&all), ["c-1", "c-2", "c-3", "c-4", "c-5"]);
    assert_eq!((all[0].standing.status, all[0].standing.by_person), (Status::Approved, false));
    assert_eq!((all[4].standing.status, all[4].standing.by_person), (Status::Rejected, true));
    assert_eq!(all[2].received_at, at(3));
    assert_eq!(all[2].trace, Made::new(&news, "c-3").0.trace);
    assert_eq!(names(&remembered(&*store, at(4), 10).await), ["c-4", "c-5"]);
    assert_eq!(names(&remembered(&*store, at(0), 2).await), ["c-4", "c-5"]);
    assert!(remembered(&*store, at(6), 10).await.is_empty());
    // Of all sites together the latest.
    let blog = site(&*store, "blog").await;
    Made::new(&blog, "b-1").at(6).store(&*store).await;
    Made::new(&news, "c-6").at(7).store(&*store).await;
    assert_eq!(names(&remembered(&*store, at(5), 10).await), ["c-5", "b-1", "c-6"]);
    assert_eq!(names(&remembered(&*store, at(0), 2).await), ["b-1", "c-6"]);
    assert_eq!(remembered(&*store, at(0), usize::MAX).await.len(), 7);
}

pub(crate) async fn record_of_who_did_what_is_newest_first(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").held(None, &[], 0.5).store(&*store).await;
    let ruled = store.rule(ruling(Action::Approve, &[&record], 1)).await.unwrap();
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(2)).await.unwrap();
    store.comment_erase(news.id, &id("c-1"), Actor::Site("news".to_owned()), at(3)).await.unwrap();
    let (mut lines, mut request) = (Vec::new(), first_page(2));
    loop {
        let page = store.audit_list(&AuditFilter::default(), &request).await.unwrap();
        lines.extend(page.items);
        request.cursor = page.next_cursor;
        if request.cursor.is_none() {
            break;
        }
    }
    let told: Vec<_> =
        lines.iter().map(|line| (line.entry.action.as_str(), line.entry.by.clone(), line.entry.at)).collect();
    assert_eq!(
        told,
        [
            ("comment.erase", Actor::Site("news".to_owned()), at(3)),
            ("decision.undo", moderator(), at(2)),
            ("decision", moderator(), at(1)),
            ("site.create", Actor::Console, at(0)),
        ]
    );
    assert_eq!(lines[2].entry.subject, ruled.decision.to_string());
}

// Sites, people, keys.

pub(crate) async fn site_keys_open_their_site_until_rotated(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let first = secrets("news").akismet_hash;
    let opened = store.site_key_find(&first).await.unwrap().unwrap();
    assert_eq!((&*opened.site, &opened.scopes[..]), (&*news, &[Scope::Post, Scope::Read][..]));
    assert!(store.site_key_find(&[9; 32]).await.unwrap().is_none());
    assert!(store.site_key_add("news", [1; 32], &[Scope::Erase], at(1)).await.unwrap());
    assert!(!store.site_key_add("nowhere", [2; 32], &[Scope::Post], at(1)).await.unwrap());
    assert_eq!(store.site_key_find(&[1; 32]).await.unwrap().unwrap().scopes, [Scope::Erase]);
    assert!(store.site_key_find(&first).await.unwrap().is_some());
    assert!(store.site_key_rotate("news", [3; 32], &[Scope::Post], at(2)).await.unwrap());
    assert!(!store.site_key_rotate("nowhere", [4; 32], &[Scope::Post], at(2)).await.unwrap());
    for old in [first, [1; 32]] {
        assert!(store.site_key_find(&old).await.unwrap().is_none());
    }
    assert!(store.site_key_find(&[3; 32]).await.unwrap().is_some());
}

pub(crate) async fn names_and_addresses_are_taken_once(engine: &dyn Engine) {
    let (store, _) = started(engine).await;
    let again = store.site_create("news", None, None, [5; 32], &[Scope::Post], secrets("again"), at(1)).await;
    assert!(matches!(again, Err(CreateError::Exists(name)) if name == "news"));
    let url = Some("https://blog.example");
    let blog = store.site_create("blog", url, None, [6; 32], &[Scope::Post], secrets("blog"), at(1)).await.unwrap();
    assert_eq!(blog.url.as_deref(), url);
    let names: Vec<_> = store.sites().await.unwrap().into_iter().map(|site| site.name.to_string()).collect();
    assert_eq!(names, ["blog", "news"]);
    let ann = store.person_create("ann@example.org", Role::Moderator, &Reach::ALL, "$argon2id$1", at(1)).await.unwrap();
    assert_eq!((ann.email.as_str(), ann.role), ("ann@example.org", Role::Moderator));
    let again = store.person_create("Ann@Example.org", Role::Admin, &Reach::ALL, "$argon2id$2", at(2)).await;
    assert!(matches!(again, Err(CreateError::Exists(_))));
}

pub(crate) async fn disabled_person_has_no_token(engine: &dyn Engine) {
    let (store, _) = started(engine).await;
    let ann = store.person_create("ann@example.org", Role::Moderator, &Reach::ALL, "$argon2id$1", at(1)).await.unwrap();
    assert!(!store.token_create("bob@example.org", [1; 32], at(2)).await.unwrap());
    assert!(store.token_create("ann@example.org", [2; 32], at(2)).await.unwrap());
    assert_eq!(store.token_find(&[2; 32]).await.unwrap(), Some(ann));
    assert_eq!(store.token_find(&[1; 32]).await.unwrap(), None);
    assert!(store.person_reset("ann@example.org", "$argon2id$2", at(3)).await.unwrap());
    assert!(!store.person_reset("bob@example.org", "$argon2id$2", at(3)).await.unwrap());
    assert!(store.person_disable("ann@example.org", at(4)).await.unwrap());
    assert!(!store.person_disable("bob@example.org", at(4)).await.unwrap());
    assert_eq!(store.token_find(&[2; 32]).await.unwrap(), None);
    assert!(!store.token_create("ann@example.org", [3; 32], at(5)).await.unwrap());
}

pub(crate) async fn deleted_site_takes_its_comments_along(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let blog = site(&*store, "blog").await;
    let gone = Made::new(&news, "c-1").held(None, &[], 0.5).store(&*store).await;
    let stays = Made::new(&blog, "c-1").held(None, &[], 0.5).store(&*store).await;
    assert!(store.site_delete("news", Actor::Console, at(5)).await.unwrap());
    assert!(!store.site_delete("news", Actor::Console, at(6)).await.unwrap());
    assert_eq!(store.comment_by_uid(gone.uid).await.unwrap(), None);
    let all = [stays.uid, gone.uid, Uuid::from_u128(7), stays.uid];
    assert_eq!(store.comments_by_uid(&all).await.unwrap(), [stays.clone(), stays.clone()], "those that there are");
    assert_eq!(store.comments_by_uid(&[]).await.unwrap(), []);
    assert_eq!(find(&*store, &Made::new(&news, "c-1")).await, None);
    assert!(store.site_key_find(&secrets("news").akismet_hash).await.unwrap().is_none());
    assert!(matches!(store.comment_record(Made::new(&news, "c-2").0).await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.comment_by_uid(stays.uid).await.unwrap(), Some(stays));
    let queue = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(9), at(9)).await.unwrap();
    assert_eq!(queue.by_site, BTreeMap::from([("blog".to_owned(), 1)]));
    let anew = site(&*store, "news").await;
    assert_ne!(anew.id, news.id);
    assert!(list_ids(&*store, &anew, &CommentFilter::default()).await.is_empty());
}

// Ends and beginnings.

pub(crate) async fn everything_is_there_after_opening_again(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let held = Made::new(&news, "c-1").held(None, &["shouting"], 0.5).store(&*store).await;
    let ruled = store.rule(ruling(Action::Approve, &[&held], 5)).await.unwrap();
    store.close().await;
    drop(store);
    let store = engine.open().await;
    let found = find(&*store, &Made::new(&news, "c-1")).await.unwrap();
    assert_eq!(found, ruled.applied[0].0);
    assert!(matches!(Made::new(&news, "c-1").send(&*store).await, Recording::Repeat(again) if again == found));
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(6)).await.unwrap();
    assert_eq!(queue_ids(&*store, &QueueFilter::default(), QueueSort::Oldest).await, ["c-1"]);
}

pub(crate) async fn everything_acknowledged_is_there_after_a_crash(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let mut acknowledged = Vec::new();
    for step in 0..6 {
        let name = format!("c-{step}");
        let record = Made::new(&news, &name).author("u-1").held(None, &[], 0.5).store(&*store).await;
        acknowledged.push(record);
        if step % 2 == 1 {
            let ruled = store.rule(ruling(Action::Reject, &[&acknowledged[step]], 10)).await.unwrap();
            acknowledged[step] = ruled.applied[0].0.clone();
        }
        let crashed = engine.crashed().await;
        let after = crashed.open().await;
        for record in &acknowledged {
            let found = after.comment_find(news.id, &record.comment.id).await.unwrap();
            assert_eq!(found.map(|(record, _)| record).as_ref(), Some(record));
        }
        // Where a crash leaves the same place, what came after the ones before is there, too.
        let all = list_ids(&*after, &news, &CommentFilter::default()).await;
        let all = all.iter().filter(|id| id.starts_with("c-"));
        assert_eq!(all.count(), acknowledged.len(), "once each");
        let held = acknowledged.iter().filter(|record| record.status == Status::Held).count();
        assert_eq!(queue_ids(&*after, &QueueFilter::default(), QueueSort::Newest).await.len(), held);
        Made::new(&news, &format!("next-{step}")).author("u-1").store(&*after).await;
        after.close().await;
    }
}

pub(crate) async fn ids_are_found_across_the_edge_of_a_run_after_opening_again(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let total = 4_096 + 300;
    let author = |n: usize| format!("u-{}", n % 7);
    let writers: Vec<_> = (0..4_usize)
        .map(|part| {
            let (store, news) = (Arc::clone(&store), Arc::clone(&news));
            tokio::spawn(async move {
                for n in (0..total).filter(|n| n % 4 == part) {
                    Made::new(&news, &format!("c-{n}")).author(&format!("u-{}", n % 7)).store(&*store).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for gone in ["c-5", "c-4390"] {
        store.comment_erase(news.id, &id(gone), Actor::Console, at(1)).await.unwrap().unwrap();
    }
    store.close().await;
    drop(store);
    let store = engine.open().await;
    for n in 0..total {
        let made = Made::new(&news, &format!("c-{n}")).author(&author(n));
        let found = find(&*store, &made).await;
        assert_eq!(found.is_some(), n != 5 && n != 4_390, "c-{n}");
        assert!(found.is_none_or(|record| record.comment == made.0.comment));
    }
    let by_author = CommentFilter { author: Some("u-3".to_owned()), ..CommentFilter::default() };
    let expected = (0..total).filter(|n| n % 7 == 3).count();
    assert_eq!(list_ids(&*store, &news, &by_author).await.len(), expected);
    let trace = Made::new(&news, "new").author("u-3").0.trace;
    assert_eq!(store.author_past(&trace, at(100), 10_000).await.unwrap().approved as usize, expected);
    assert!(matches!(Made::new(&news, "c-17").author("u-3").send(&*store).await, Recording::Repeat(_)));
    Made::new(&news, "c-5").author("u-5").store(&*store).await;
}

pub(crate) async fn closed_store_says_so(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    store.ready().await.unwrap();
    store.close().await;
    let refused = store.comment_record(Made::new(&news, "c-1").0).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.sites().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ready().await, Err(StoreError::Unavailable(_))));
    store.close().await; // twice is harmless
}
