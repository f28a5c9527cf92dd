//! Reference values made with Pillow, for tests (see `tests/pillow/pillow.py`).

#![allow(clippy::unwrap_used, reason = "for tests")]

use image::RgbImage;
use serde_json::Value;

pub(crate) fn pillow() -> Value {
    serde_json::from_str(include_str!("../tests/pillow/pillow.json")).unwrap()
}

/// The image that all reference values are computed from.
pub(crate) fn image() -> RgbImage {
    RgbImage::from_fn(13, 9, |x, y| {
        image::Rgb([0, 1, 2].map(|c| (37 * y + 91 * x + 53 * c + 7 * x * y) as u8))
    })
}

pub(crate) fn bytes(values: &Value) -> Vec<u8> {
    values.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u8).collect()
}
