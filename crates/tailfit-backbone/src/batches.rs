//! Batches of images, prepared in the background while the network works.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use rayon::prelude::*;
use tailfit::error::Result;
use tailfit::images::Images;
use tch::{Device, Tensor};

use crate::augment::{Look, Preparation};

/// How many batches may be waiting, and how many bytes of them; at least one always may.
const WAITING: usize = 4;
const WAITING_BYTES: usize = 256 << 20;

/// Images ready for the network.
pub(crate) struct Batch {
    values: Vec<f32>,
    size: [i64; 3],
    /// Class of each image.
    pub(crate) labels: Vec<i64>,
}

impl Batch {
    /// The images, `[B, 3, height, width]`, with channels last in memory.
    pub(crate) fn images(&self, device: Device) -> Tensor {
        let [height, width, _] = self.size;
        let images = Tensor::from_slice(&self.values).view([-1, height, width, 3]);
        images.permute([0, 3, 1, 2]).to_device(device)
    }
}

/// Batches of `size` images, in the order `order` starting at place `from`; `look` says how the
/// image at each place is seen. Nothing follows an image that cannot be read.
///
/// # Errors
///
/// If the size of the images is not known (see [`Preparation::size`]).
pub(crate) fn batches<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    (images, preparation): (&'env Images, Preparation),
    (order, from): (Vec<u32>, usize),
    size: usize,
    look: impl Fn(usize) -> Look + Send + Sync + 'scope,
) -> Result<Receiver<Result<Batch>>> {
    let [height, width] = preparation.size(images)?;
    let one = 3 * height * width;
    let fit = WAITING_BYTES / (size * one * size_of::<f32>());
    let (send, receive) = sync_channel(fit.clamp(1, WAITING));
    scope.spawn(move || {
        for first in (from..order.len()).step_by(size) {
            let rows = &order[first..order.len().min(first + size)];
            let mut values = vec![0.0; rows.len() * one];
            let places = values.par_chunks_exact_mut(one).zip(rows).enumerate();
            let written = places.try_for_each(|(i, (out, &row))| {
                preparation.write(images, row as usize, look(first + i), out)
            });
            let labels = rows.iter().map(|&row| i64::from(images.labels[row as usize])).collect();
            let size = [height as i64, width as i64, 3];
            let batch = written.map(|()| Batch { values, size, labels });
            let failed = batch.is_err();
            if send.send(batch).is_err() || failed {
                // The receiver has gone, or an image could not be read.
                return;
            }
        }
    });
    Ok(receive)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::augment::Augmentation;

    /// An image's place determines its augmentation, so no two images may share one.
    #[test]
    fn images_come_in_order_each_seen_from_its_own_place() {
        // Image i has the two pixels i and i + 100.
        let pixels = (0..10).flat_map(|image| [[image; 3], [image + 100; 3]].concat()).collect();
        let images = Images::in_memory(pixels, (1, 2), (0..10).collect(), 10);
        let (mean, std) = ([0.0; 3], [1.0 / 255.0; 3]);
        let preparation = Preparation { augmentation: Augmentation::None, side: None, mean, std };
        let order = vec![9, 1, 8, 2, 7, 3, 6, 4, 5, 0];
        let places = Mutex::new(Vec::new());
        let look = |place| {
            places.lock().unwrap().push(place);
            if place % 2 == 0 { Look::Plain } else { Look::Mirrored }
        };
        let (mut labels, mut values) = (Vec::new(), Vec::new());
        std::thread::scope(|scope| {
            let images = (&images, preparation);
            for batch in batches(scope, images, (order.clone(), 3), 4, look).unwrap() {
                let batch = batch.unwrap();
                labels.push(batch.labels);
                values.extend(batch.values);
            }
        });
        assert_eq!(labels, [vec![2, 7, 3, 6], vec![4, 5, 0]]);
        let row = |(place, &image): (usize, &u32)| {
            let [left, right] = if place % 2 == 0 { [0, 100] } else { [100, 0] };
            [[image + left; 3], [image + right; 3]].concat()
        };
        let wanted: Vec<u32> = order.iter().enumerate().skip(3).flat_map(row).collect();
        let seen: Vec<u32> = values.into_iter().map(|value: f32| value.round() as u32).collect();
        assert_eq!(seen, wanted);
        let mut places = places.into_inner().unwrap();
        places.sort_unstable();
        assert_eq!(places, [3, 4, 5, 6, 7, 8, 9]);
    }
}
