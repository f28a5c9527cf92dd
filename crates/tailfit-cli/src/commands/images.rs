//! From the image options to images.

use std::path::Path;

use tailfit::error::Result;
use tailfit::images::{ImageSet, read_image_lists, read_images};

use crate::args_images::Lists;

#[cfg(feature = "backbone")]
pub(crate) use self::backbone::image_data;

/// The images of a folder, or of lists that name images in it.
pub(crate) fn image_set(folder: &Path, lists: &Lists) -> Result<ImageSet> {
    match &lists.train_list {
        Some(train) => {
            let [val, test] = [&lists.val_list, &lists.test_list].map(Option::as_deref);
            read_image_lists(folder, train, val, test)
        }
        None => read_images(folder),
    }
}

#[cfg(feature = "backbone")]
mod backbone {
    use std::path::Path;

    use anyhow::Result;
    use tailfit::images::Split;
    use tailfit::shots::ShotThresholds;
    use tailfit_backbone::{ImageData, Subset};

    use super::image_set;
    use crate::args_images::UsedImages;
    use crate::printer::Printer;

    /// Images and split, checked against each other.
    pub(crate) fn image_data(
        images: &Path,
        args: &UsedImages,
        printer: &Printer,
    ) -> Result<ImageData> {
        let set = image_set(images, &args.lists)?;
        let split = match &args.split {
            Some(path) => {
                Split::from_json(&fs_err::read_to_string(path)?, &path.display().to_string())?
            }
            None => {
                Split::whole(&set.train.labels, set.train.n_classes, ShotThresholds::default())?
            }
        };
        let data = ImageData::new(set, split)?;
        if !args.skip_unreadable {
            return Ok(data);
        }
        let parts = [Subset::Train, Subset::Validation, Subset::Test];
        let bar = printer.progress(parts.iter().map(|&part| data.len(part)).sum());
        let (data, unreadable) = data.without_unreadable(&|_| bar.inc(1))?;
        bar.finish_and_clear();
        if !unreadable.is_empty() {
            printer
                .warning(&format!("{} images cannot be read and are left out:", unreadable.len()));
            for path in &unreadable {
                printer.warning(&format!("  {}", path.display()));
            }
        }
        Ok(data)
    }
}
