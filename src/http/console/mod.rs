//! The console: the pages where moderators work, rendered here and served out of the binary.
//!
//! A page handler opens a [`Frame`], asks use cases, fills a template and answers with [`page`]. It fails with a `Problem` as every handler does:
//! whoever asked for a page is shown that problem as one (`problem_page`), or the way to sign in. What changes something goes through `/v1`, with
//! the session's cookie. Every text stands in one catalogue (`texts`), every file that a browser loads in `assets`. Pages hold no inline script and
//! no inline style, because the policy that goes with them allows none.

#![expect(clippy::missing_errors_doc, reason = "every handler of a page fails with a Problem only")]

pub mod account;
pub mod alerts_page;
pub mod appeals;
pub mod article_page;
pub mod assets;
pub mod audit_page;
pub mod author_page;
pub mod backtests;
pub mod campaigns;
mod comment;
pub mod comment_page;
mod frame;
pub mod health_page;
mod hours;
mod links;
mod marks;
mod problem_page;
pub mod queue;
pub mod rules_page;
pub mod sanctions;
pub mod search_page;
pub mod sign_in;
mod sums;
pub mod texts;
mod timeline;

use frame::{Frame, page};
pub(super) use problem_page::{Asked, shown_as_page};
