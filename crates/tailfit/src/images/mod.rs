//! Images: where they are held, and how balanced sets are cut down to long-tailed ones.

mod cifar;
mod hold_out;
pub(crate) mod idx;
mod image_folders;
pub(crate) mod image_lists;
mod image_set;
mod long_tail;
mod mt19937;
mod split;

pub use self::cifar::read_cifar;
pub use self::hold_out::hold_out;
pub use self::idx::read_idx;
pub use self::image_folders::read_image_folders;
pub use self::image_lists::read_image_lists;
pub use self::image_set::{ImageSet, Images, Pixels, read_images};
pub use self::long_tail::{Kept, LongTail, Profile, kept_positions};
pub use self::mt19937::Mt19937;
pub use self::split::Split;
