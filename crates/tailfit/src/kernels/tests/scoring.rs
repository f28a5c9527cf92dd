//! The accurate products of scoring.

use super::{close, plain, random, singles};
use crate::kernels::{BLOCK, Input, Rows, ScoringColumns, ScoringRows};
use crate::rng::{Purpose, Rng};

/// Scoring is accurate, whether numbers are split or not.
#[test]
fn accurate_products_are_accurate() {
    let mut rng = Rng::new(4, Purpose::Start, 0);
    for _ in 0..20 {
        let (n, dim, c) = (1 + rng.below(40), 1 + rng.below(200), 1 + rng.below(130));
        let (x, w) = (random(n * dim, &mut rng), random(dim * c, &mut rng));
        let samples = ScoringRows::new(&singles(&x), None, dim, Input::AsIs);
        let mut columns = ScoringColumns::<f32>::new(dim, c);
        let panels = columns.panels;
        for (p, &value) in w.iter().enumerate() {
            columns.value[panels.at(p / c, p % c)] = value as f32;
        }
        columns.bias.fill(0.25);
        columns.changed();
        let rows = n.next_multiple_of(BLOCK);
        let mut z = vec![f32::NAN; rows * panels.columns];
        let bias = columns.bias_for(&samples);
        columns.multiply(Rows { values: &mut z, pitch: panels.columns }, &samples, 0, &bias);
        let want = plain(&x, &w, n, dim, c);
        for i in 0..n {
            let row: Vec<f64> = want[i * c..][..c].iter().map(|z| z + 0.25).collect();
            close(&z[i * panels.columns..][..c], &row, 3e-4);
        }
    }
}

/// A constant of 70,000 among the features costs no digits of the others.
#[test]
fn an_offset_costs_no_digits() {
    let mut rng = Rng::new(5, Purpose::Start, 0);
    let (n, dim, c) = (50, 24, 20);
    let mut x = random(n * dim, &mut rng);
    x.iter_mut().step_by(dim).for_each(|value| *value = 7e4);
    let w: Vec<f64> =
        random(dim * c, &mut rng).iter().map(|w| f64::from((0.01 * w) as f32)).collect();
    let samples = ScoringRows::new(&singles(&x), None, dim, Input::AsIs);
    let mut columns = ScoringColumns::<f32>::new(dim, c);
    let panels = columns.panels;
    for (p, &value) in w.iter().enumerate() {
        columns.value[panels.at(p / c, p % c)] = value as f32;
    }
    columns.changed();
    let mut z = vec![f32::NAN; n.next_multiple_of(BLOCK) * panels.columns];
    let bias = columns.bias_for(&samples);
    columns.multiply(Rows { values: &mut z, pitch: panels.columns }, &samples, 0, &bias);
    let want = plain(&x, &w, n, dim, c);
    for i in 0..n {
        for class in 0..c {
            let (got, want) = (f64::from(z[i * panels.columns + class]), want[i * c + class]);
            // One rounding of a number near 700, and the products' own.
            assert!((got - want).abs() < 2e-4, "{got} against {want}");
        }
    }
}
