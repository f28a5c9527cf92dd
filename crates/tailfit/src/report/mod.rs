//! Tables from records alone.

mod render;
mod summary;

pub use self::render::{Table, csv, paths_table, summary_table};
pub use self::summary::{Spread, Summary, summarise};
