use ndarray::{ArrayView2, Axis};

/// The most probable classes of each sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Number of classes kept for each sample.
    pub top: usize,
    /// Classes, `[N, top]` row-major, the most probable first; ties go to the first class.
    pub classes: Vec<u32>,
    /// Their probabilities, `[N, top]`.
    pub probabilities: Vec<f32>,
}

/// The `top` most probable classes of each row of `probabilities`, `[N, K]`.
///
/// # Panics
///
/// If `top` is 0 or more than K.
pub fn predict(probabilities: ArrayView2<'_, f64>, top: usize) -> Predictions {
    let k = probabilities.ncols();
    assert!((1..=k).contains(&top), "between 1 and K classes");
    let mut predictions = Predictions { top, ..Predictions::default() };
    let mut order: Vec<u32> = Vec::with_capacity(k);
    for row in probabilities.axis_iter(Axis(0)) {
        let descending =
            |a: &u32, b: &u32| row[*b as usize].total_cmp(&row[*a as usize]).then(a.cmp(b));
        order.clear();
        order.extend(0..k as u32);
        if top < k {
            order.select_nth_unstable_by(top - 1, descending);
        }
        order[..top].sort_unstable_by(descending);
        predictions.classes.extend(&order[..top]);
        let of = |class: &u32| row[*class as usize] as f32;
        predictions.probabilities.extend(order[..top].iter().map(of));
    }
    predictions
}

impl Predictions {
    /// Adds those of further samples.
    pub fn extend(&mut self, other: Self) {
        self.top = other.top;
        self.classes.extend(other.classes);
        self.probabilities.extend(other.probabilities);
    }

    /// N, the number of samples.
    pub fn len(&self) -> usize {
        self.classes.len() / self.top.max(1)
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// How often each of `n_classes` is the most probable.
    pub fn counts(&self, n_classes: usize) -> Vec<usize> {
        let mut counts = vec![0; n_classes];
        for row in self.classes.chunks_exact(self.top.max(1)) {
            counts[row[0] as usize] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_most_probable_first_and_ties_in_order() {
        let probabilities = array![[0.1, 0.6, 0.3], [0.4, 0.2, 0.4]];
        let two = predict(probabilities.view(), 2);
        assert_eq!(two.classes, [1, 2, 0, 2]);
        assert_eq!(two.probabilities, [0.6, 0.3, 0.4, 0.4]);
        assert_eq!(two.counts(3), [1, 1, 0]);
    }
}
