//! Data sets: how balanced ones are cut into long-tailed ones, and the features that
//! come with the program.

pub mod embedded;
mod images;
mod long_tail;
mod mt19937;
mod split;

pub use self::images::{Images, read_cifar};
pub use self::long_tail::{Kept, LongTail, Profile, kept_positions};
pub use self::mt19937::Mt19937;
pub use self::split::Split;
