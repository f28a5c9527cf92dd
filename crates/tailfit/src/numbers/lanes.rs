//! Sums, products and maxima in 16 fixed lanes: they vectorise, and the order of operations
//! is the same on every machine.

use super::Real;

/// Numbers added or compared side by side: a vector register of f32, and the same order of
/// additions on every machine.
const LANES: usize = 16;

/// Σ `term(value)` over `values`; value k goes to lane k mod 16.
#[inline(always)]
pub(crate) fn sum_map<R: Real>(values: &[R], term: impl Fn(R) -> R) -> R {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [R::ZERO; LANES];
    for chunk in chunks {
        for (sum, &value) in lanes.iter_mut().zip(chunk) {
            *sum += term(value);
        }
    }
    for (sum, &value) in lanes.iter_mut().zip(rest) {
        *sum += term(value);
    }
    fold(lanes, |a, b| a + b)
}

/// Π (1 + value) over `values`.
#[inline(always)]
pub(crate) fn product_of_one_plus<R: Real>(values: &[R]) -> R {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [R::ONE; LANES];
    for chunk in chunks {
        for (product, &value) in lanes.iter_mut().zip(chunk) {
            *product = *product * (R::ONE + value);
        }
    }
    rest.iter().fold(fold(lanes, |a, b| a * b), |product, &value| product * (R::ONE + value))
}

/// Replaces every value by the second result of `step` and returns the sum of the first, in the
/// order of [`sum_map`]. The remainder after whole chunks is processed as a padded chunk.
#[inline(always)]
pub(crate) fn replace_and_sum<R: Real>(values: &mut [R], step: impl Fn(R) -> (R, R)) -> R {
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    let mut lanes = [R::ZERO; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            let (term, new) = step(chunk[lane]);
            lanes[lane] += term;
            chunk[lane] = new;
        }
    }
    if let Some(&any) = rest.first() {
        let mut chunk = [any; LANES];
        chunk[..rest.len()].copy_from_slice(rest);
        let mut terms = [R::ZERO; LANES];
        for lane in 0..LANES {
            (terms[lane], chunk[lane]) = step(chunk[lane]);
        }
        terms[rest.len()..].fill(R::ZERO);
        for lane in 0..LANES {
            lanes[lane] += terms[lane];
        }
        rest.copy_from_slice(&chunk[..rest.len()]);
    }
    fold(lanes, |a, b| a + b)
}

/// The largest of `values`; NaN entries are ignored.
#[inline(always)]
pub(crate) fn max_of<R: Real>(values: &[R]) -> R {
    let lowest = R::from_f64(f64::NEG_INFINITY);
    let Some(last) = values.last_chunk::<LANES>() else {
        return values.iter().fold(lowest, |best, &value| best.larger(value));
    };
    let mut lanes = *last;
    for lane in &mut lanes {
        *lane = lowest.larger(*lane);
    }
    for chunk in values.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            lanes[lane] = lanes[lane].larger(chunk[lane]);
        }
    }
    fold(lanes, R::larger)
}

/// Whether `is` holds for any of `values`. Always checks all of them, which vectorises.
#[inline(always)]
pub(crate) fn any<R: Real>(values: &[R], is: impl Fn(R) -> bool) -> bool {
    let Some(last) = values.last_chunk::<LANES>() else {
        return values.iter().fold(false, |found, &value| found | is(value));
    };
    let mut lanes = [false; LANES];
    for lane in 0..LANES {
        lanes[lane] = is(last[lane]);
    }
    for chunk in values.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            lanes[lane] |= is(chunk[lane]);
        }
    }
    lanes.into_iter().fold(false, |found, lane| found | lane)
}

/// Combines the lanes by halving until one is left.
#[inline(always)]
fn fold<R: Real>(mut lanes: [R; LANES], join: impl Fn(R, R) -> R) -> R {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_maxima_cover_every_remainder() {
        for n in 0..70_u32 {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            assert_eq!(sum_map(&values, |v| v), values.iter().sum::<f64>());
            let mut doubled = values.clone();
            assert_eq!(replace_and_sum(&mut doubled, |v| (v, v + v)), values.iter().sum::<f64>());
            assert!(doubled.iter().zip(&values).all(|(d, v)| *d == v + v));
            let small: Vec<f64> = values.iter().map(|v| v / 1e3).collect();
            let product: f64 = small.iter().map(|v| 1.0 + v).product();
            assert!((product_of_one_plus(&small) / product - 1.0).abs() < 1e-14);
            let expected = values.last().copied().unwrap_or(f64::NEG_INFINITY);
            assert_eq!(max_of(&values), expected);
            let last = f64::from(n) - 1.0;
            assert_eq!(any(&values, |v| v == last), n > 0);
            assert!(!any(&values, |v| v > last));
        }
    }
}
