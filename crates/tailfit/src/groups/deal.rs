//! Whole groups dealt out to the parts of a split.

use std::collections::BTreeMap;

use super::Groups;
use crate::rng::Rng;

impl Groups {
    /// Deals whole groups out to parts, so that each part has about its share of every class: large
    /// groups first, each to the part that it brings nearest to what it should have. A part that is
    /// `held_out` never gets all samples of a class; a group that fits nowhere is in no part. If there
    /// is just one such part, it gets at least the smallest group of each class that can spare one.
    /// Returns the part of each sample.
    pub(crate) fn deal(
        &self,
        labels: &[u32],
        shares: &[f64],
        held_out: impl Fn(usize) -> bool,
        rng: &mut Rng,
    ) -> Vec<Option<usize>> {
        let mut deal = Deal::new(self, labels, shares);
        let mut order: Vec<usize> = (0..deal.groups.len()).collect();
        rng.shuffle(&mut order);
        let only: Vec<usize> = (0..shares.len()).filter(|&part| held_out(part)).collect();
        if let [part] = only[..] {
            let mut classes: Vec<usize> = (0..deal.classes.len()).collect();
            classes.sort_by(|&a, &b| deal.classes[a].total_cmp(&deal.classes[b]));
            let mut groups_of = vec![vec![]; deal.classes.len()];
            for &group in &order {
                deal.groups[group].1.keys().for_each(|&class| groups_of[class].push(group));
            }
            for class in classes {
                if deal.dealt[part][class] > 0.0 {
                    continue;
                }
                let fits = |group: &&usize| deal.leaves_some(**group, part);
                let smallest = groups_of[class].iter().filter(fits);
                let smallest = smallest.min_by_key(|&&group| deal.groups[group].0).copied();
                if let Some(group) = smallest {
                    deal.give(group, part);
                }
            }
        }
        // Of about equal size in any order, which depends on the seed.
        order.sort_by_key(|&group| std::cmp::Reverse(deal.groups[group].0.ilog2()));
        let mut parts: Vec<usize> = (0..shares.len()).collect();
        rng.shuffle(&mut parts);
        order.retain(|&group| deal.part_of[group].is_none());
        for group in order {
            let fits = |part: &usize| !held_out(*part) || deal.leaves_some(group, *part);
            // Of parts that it suits alike, the one that has the least so far.
            let cost = |part: usize| (deal.cost(group, part), deal.filled(part));
            let of = parts.iter().copied().filter(fits).map(|part| (part, cost(part)));
            let least = of.min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
            if let Some((part, _)) = least {
                deal.give(group, part);
            }
        }
        self.each().iter().map(|&group| deal.part_of[group as usize]).collect()
    }
}

/// Groups on their way to parts.
struct Deal<'a> {
    shares: &'a [f64],
    /// Samples of each group, in all and by class.
    groups: Vec<(usize, BTreeMap<usize, f64>)>,
    /// Samples of each class.
    classes: Vec<f64>,
    /// Samples of each class that each part has.
    dealt: Vec<Vec<f64>>,
    part_of: Vec<Option<usize>>,
}

impl<'a> Deal<'a> {
    fn new(groups: &Groups, labels: &[u32], shares: &'a [f64]) -> Self {
        let n_classes = labels.iter().max().map_or(0, |&max| max as usize + 1);
        let mut classes = vec![0.0; n_classes];
        let mut of_groups = vec![(0, BTreeMap::<usize, f64>::new()); groups.n_groups()];
        for (&group, &label) in groups.each().iter().zip(labels) {
            let (size, of_class) = &mut of_groups[group as usize];
            *size += 1;
            *of_class.entry(label as usize).or_insert(0.0) += 1.0;
            classes[label as usize] += 1.0;
        }
        let part_of = vec![None; of_groups.len()];
        let dealt = vec![vec![0.0; n_classes]; shares.len()];
        Self { shares, groups: of_groups, classes, dealt, part_of }
    }

    /// Whether a part with this group leaves samples of every class to others.
    fn leaves_some(&self, group: usize, part: usize) -> bool {
        let mut of_class = self.groups[group].1.iter();
        of_class.all(|(&k, n)| self.dealt[part][k] + n < self.classes[k])
    }

    /// What the squared distance of a part from its share of each class grows by with this group, in
    /// units of the class.
    fn cost(&self, group: usize, part: usize) -> f64 {
        let of = |(&k, &n): (&usize, &f64)| {
            let away = self.dealt[part][k] - self.shares[part] * self.classes[k];
            ((away + n).powi(2) - away.powi(2)) / self.classes[k].powi(2)
        };
        self.groups[group].1.iter().map(of).sum()
    }

    /// Samples that a part has, relative to its share.
    fn filled(&self, part: usize) -> f64 {
        self.dealt[part].iter().sum::<f64>() / self.shares[part]
    }

    fn give(&mut self, group: usize, part: usize) {
        for (&k, n) in &self.groups[group].1 {
            self.dealt[part][k] += n;
        }
        self.part_of[group] = Some(part);
    }
}
