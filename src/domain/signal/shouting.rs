//! # Shouting (`shouting`)
//!
//! - **Looks at:** .
//! - **Why:** .
//! - **Wrong when:** .
//! - **Settings:** `[signals.shouting]`.

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::category::Category;

/// The check's stable name.
pub const ID: &str = "shouting";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Abuse;

/// `[signals.shouting]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
}

impl Default for Config {
    fn default() -> Self {
        Self { mode: Mode::Live }
    }
}

struct Check;

/// Makes the check.
///
/// # Errors
/// Never: any settings that serde reads will do.
pub fn new(_config: &Config, _resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
    Ok(Check)
}

impl Signal for Check {
    fn id(&self) -> &'static str {
        ID
    }

    fn category(&self) -> Category {
        CATEGORY
    }

    fn evaluate(&self, _ctx: &Context<'_>) -> Outcome {
        todo!()
    }
}
