//! Whole groups dealt out to the parts of a split.

use std::collections::BTreeMap;

use super::Groups;
use crate::rng::Rng;

impl Groups {
    /// Deals whole groups out to parts, so that each part has about its share of every class: the
    /// largest group first, each to the part that it brings nearest to what it should have. A part that
    /// must `leave_some` never gets all samples of a class; a group that fits nowhere is in no part.
    /// Returns the part of each sample.
    pub(crate) fn deal(
        &self,
        labels: &[u32],
        shares: &[f64],
        leave_some: impl Fn(usize) -> bool,
        rng: &mut Rng,
    ) -> Vec<Option<usize>> {
        let n_classes = labels.iter().max().map_or(0, |&max| max as usize + 1);
        let mut classes = vec![0.0; n_classes];
        let mut groups = vec![(0, BTreeMap::<usize, f64>::new()); self.n_groups()];
        for (&group, &label) in self.of.iter().zip(labels) {
            let (size, of_class) = &mut groups[group as usize];
            *size += 1;
            *of_class.entry(label as usize).or_insert(0.0) += 1.0;
            classes[label as usize] += 1.0;
        }
        let mut order: Vec<usize> = (0..groups.len()).collect();
        rng.shuffle(&mut order);
        order.sort_by_key(|&group| std::cmp::Reverse(groups[group].0));
        let mut dealt = vec![vec![0.0; n_classes]; shares.len()];
        let mut part_of = vec![None; groups.len()];
        for group in order {
            let of_class = &groups[group].1;
            let fits = |part: &usize| {
                let all = |(&k, n): (&usize, &f64)| dealt[*part][k] + n >= classes[k];
                !leave_some(*part) || !of_class.iter().any(all)
            };
            // What the squared distance from the share of each class grows by, in units of the class.
            let cost = |part: usize| -> f64 {
                let of = |(&k, &n): (&usize, &f64)| {
                    let away = dealt[part][k] - shares[part] * classes[k];
                    ((away + n).powi(2) - away.powi(2)) / classes[k].powi(2)
                };
                of_class.iter().map(of).sum()
            };
            let parts = (0..shares.len()).filter(fits);
            let nearest = parts.min_by(|&a, &b| cost(a).total_cmp(&cost(b)));
            if let Some(part) = nearest {
                for (&k, n) in of_class {
                    dealt[part][k] += n;
                }
                part_of[group] = Some(part);
            }
        }
        self.of.iter().map(|&group| part_of[group as usize]).collect()
    }
}
