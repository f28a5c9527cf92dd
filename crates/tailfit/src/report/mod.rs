//! Tables made from records alone.

mod advice;
mod columns;
mod difference;
mod html;
mod per_class;
mod render;
mod summary;
mod table;

pub use self::advice::advice;
pub use self::difference::Difference;
pub use self::html::html;
pub use self::per_class::per_class_csv;
pub use self::render::{column_meanings, csv, edges_note, paths_table, summary_table};
pub use self::summary::{Spread, Summary, summarise};
pub use self::table::Table;
