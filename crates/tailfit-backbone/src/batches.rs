//! Images on their way to the network, prepared by a thread of their own.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use tailfit::data::Images;
use tch::{Device, Tensor};

use crate::augment::{Look, write};

/// Batches that may wait.
const WAITING: usize = 4;

/// Images ready to be seen, and their places in the order.
pub(crate) struct Batch {
    values: Vec<f32>,
    size: [i64; 3],
    /// Class of each image.
    pub(crate) labels: Vec<i64>,
}

impl Batch {
    /// The images, `[B, 3, height, width]`, channels last in memory.
    pub(crate) fn images(&self, device: Device) -> Tensor {
        let [height, width, _] = self.size;
        let images = Tensor::from_slice(&self.values).view([-1, height, width, 3]);
        images.permute([0, 3, 1, 2]).to_device(device)
    }
}

/// Batches of `size` of the images `order`, in that order from place `from` on, each seen as
/// `look` says of its place and itself.
pub(crate) fn batches<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    images: &'env Images,
    (order, from): (Vec<u32>, usize),
    size: usize,
    look: impl Fn(usize) -> Look + Send + 'scope,
) -> Receiver<Batch> {
    let (send, receive) = sync_channel(WAITING);
    scope.spawn(move || {
        let one = 3 * images.height * images.width;
        for first in (from..order.len()).step_by(size) {
            let rows = &order[first..order.len().min(first + size)];
            let mut values = vec![0.0; rows.len() * one];
            for (i, (&row, out)) in rows.iter().zip(values.chunks_exact_mut(one)).enumerate() {
                write(images, row as usize, look(first + i), out);
            }
            let labels = rows.iter().map(|&row| i64::from(images.labels[row as usize])).collect();
            let size = [images.height as i64, images.width as i64, 3];
            if send.send(Batch { values, size, labels }).is_err() {
                // Nobody wants more.
                return;
            }
        }
    });
    receive
}
