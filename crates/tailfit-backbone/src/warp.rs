//! Moving, turning and shearing 8-bit images as Pillow does, bit for bit.

use image::{Rgb, RgbImage};

/// What comes in from outside an image.
const FILL: Rgb<u8> = Rgb([128; 3]);

/// Moves an image by (right, down) pixels against the given direction: pixel (x, y) comes from
/// (x + right, y + down), to the nearest pixel.
pub(crate) fn translate(image: &RgbImage, (right, down): (f64, f64)) -> RgbImage {
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let from = |at: u32, by: f64| (f64::from(at) + 0.5 + by).floor() as i64;
        pixel(image, from(x, right), from(y, down))
    })
}

/// Turns an image about its middle, counter-clockwise, to the nearest pixel. In 16.16 fixed-point
/// arithmetic.
pub(crate) fn rotate(image: &RgbImage, degrees: f64) -> RgbImage {
    let (sin, cos) = (-degrees.to_radians()).sin_cos();
    let rounded = |v: f64| (v * 1e15).round() / 1e15;
    let (cos, sin) = (rounded(cos), rounded(sin));
    let middle = [image.width(), image.height()].map(|length| f64::from(length) / 2.0);
    let [mx, my] = middle;
    let shift = [mx - cos * mx - sin * my, my + sin * mx - cos * my];
    let fixed = |v: f64| (v * 65_536.0 + 0.5).floor() as i64;
    let [a, b, d, e] = [cos, sin, -sin, cos].map(fixed);
    let c = fixed(shift[0] + cos * 0.5 + sin * 0.5);
    let f = fixed(shift[1] - sin * 0.5 + cos * 0.5);
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let (x, y) = (i64::from(x), i64::from(y));
        pixel(image, (c + a * x + b * y) >> 16, (f + d * x + e * y) >> 16)
    })
}

fn pixel(image: &RgbImage, x: i64, y: i64) -> Rgb<u8> {
    let inside = u32::try_from(x).ok().zip(u32::try_from(y).ok());
    inside.and_then(|(x, y)| image.get_pixel_checked(x, y)).copied().unwrap_or(FILL)
}

/// Shears an image vertically: pixel (x, y) comes from (x, y + by · x), by bicubic interpolation with
/// a = −1.
pub(crate) fn shear(image: &RgbImage, by: f64) -> RgbImage {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let (x, y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
        let y = y + by * x;
        if !(0.0..width).contains(&x) || !(0.0..height).contains(&y) {
            return FILL;
        }
        bicubic(image, x - 0.5, y - 0.5)
    })
}

fn bicubic(image: &RgbImage, x: f64, y: f64) -> Rgb<u8> {
    let (left, top) = (x.floor(), y.floor());
    let (dx, dy) = (x - left, y - top);
    let clamped = |at: f64, by: usize, length: u32| {
        (at + by as f64 - 1.0).clamp(0.0, f64::from(length - 1)) as u32
    };
    Rgb([0, 1, 2].map(|channel| {
        let row = |j: usize| {
            let y = clamped(top, j, image.height());
            let value = |i: usize| {
                let x = clamped(left, i, image.width());
                f64::from(image.get_pixel(x, y).0[channel])
            };
            cubic([0, 1, 2, 3].map(value), dx)
        };
        // The cast truncates and saturates.
        cubic([0, 1, 2, 3].map(row), dy) as u8
    }))
}

/// The cubic through the middle two of four values, at `d` from the second.
fn cubic([a, b, c, d]: [f64; 4], at: f64) -> f64 {
    b + at * (c - a + at * (2.0 * (a - b) + c - d + at * (b - a + d - c)))
}
