//! Data sets: how balanced ones are cut into long-tailed ones, and the features that
//! come with the program.

mod cifar;
pub mod embedded;
mod idx;
mod image_folders;
mod image_lists;
mod images;
mod long_tail;
mod mt19937;
mod split;

pub use self::cifar::read_cifar;
pub use self::idx::read_idx;
pub use self::image_folders::read_image_folders;
pub use self::image_lists::read_image_lists;
pub use self::images::{ImageSet, Images, Pixels, read_images};
pub use self::long_tail::{Kept, LongTail, Profile, kept_positions};
pub use self::mt19937::Mt19937;
pub use self::split::Split;
