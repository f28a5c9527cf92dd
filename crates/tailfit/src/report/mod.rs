//! Tables made from records alone.

mod advice;
mod class_mean;
mod columns;
mod conditioning;
mod curves;
mod difference;
mod head_metadata;
mod head_warning;
mod html;
mod per_class;
mod render;
mod resamples;
mod shown;
mod summary;
mod table;
mod warnings;

pub use self::advice::advice;
pub use self::curves::curves_csv;
pub use self::difference::{Difference, Standing};
pub use self::head_metadata::head_metadata;
pub use self::head_warning::head_warning;
pub use self::html::html;
pub use self::per_class::per_class_csv;
pub use self::render::{column_meanings, csv, edges_note, paths_table, summary_table};
pub use self::summary::{Spread, Summary, summarise};
pub use self::table::Table;
pub use self::warnings::{fitted_percent, scale_warning, warnings};
