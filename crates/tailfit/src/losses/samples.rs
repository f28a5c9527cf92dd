//! What a loss is computed on.

use super::Draw;

/// One head's logits for one batch, within the logits of many heads.
pub(crate) struct HeadLogits<'a, R> {
    /// Logits of all heads side by side; this head's are replaced by their gradient.
    pub logits: &'a mut [R],
    /// Offset of this head's logit for sample 0, class 0.
    pub start: usize,
    /// Distance between consecutive samples.
    pub stride: usize,
    /// Classes below K, and weights.
    pub samples: Samples<'a>,
    /// What the sum over the samples is divided by: the divisor of the whole batch, of which this
    /// may be only a part.
    pub divisor: f64,
}

impl<R> HeadLogits<'_, R> {
    /// The same for a shorter time.
    pub(crate) fn reborrow(&mut self) -> HeadLogits<'_, R> {
        HeadLogits { logits: self.logits, ..*self }
    }
}

/// Class, weight and random numbers of each sample, `[B]`.
#[derive(Clone, Copy)]
pub(crate) struct Samples<'a> {
    pub labels: &'a [u32],
    pub weights: &'a [f64],
    /// Random numbers of the first; those of the others follow.
    pub draw: Draw,
}

impl Samples<'_> {
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Those of a range, as far as there are any.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Self {
        let range = range.start.min(self.len())..range.end.min(self.len());
        let draw = self.draw.after(range.start);
        Self { labels: &self.labels[range.clone()], weights: &self.weights[range], draw }
    }
}
