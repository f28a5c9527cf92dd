//! Features in memory of another owner.

use std::any::Any;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use tailfit::features::{Features, Matrix};
use tailfit::head::Start;
use tailfit::recipe::Recipe;
use tailfit::train::{Fit, Options, fit};

#[test]
fn memory_of_another_owner_is_used_where_it_is() {
    let values: &'static [f32] = vec![1.0, 0.0, 0.9, 0.1, 0.0, 1.0].leak();
    let owner: Arc<dyn Any + Send + Sync> = Arc::new(());
    let view = ArrayView2::from_shape((3, 2), values).unwrap();
    let shared = Features::new(Matrix::Shared(view, Arc::clone(&owner)), vec![0, 0, 1]).unwrap();
    let held = shared.clone().into_memory().unwrap();
    assert_eq!(held.plain.in_memory().unwrap().as_ptr(), values.as_ptr());
    assert_eq!(Arc::strong_count(&owner), 3, "kept by each copy");
    let own = Features::new(view.to_owned(), vec![0, 0, 1]).unwrap();
    assert_eq!(shared.sha256().unwrap(), own.sha256().unwrap());
    let [a, b] = [shared, own].map(|set| fit(set, Fit::default(), &Options::default()).unwrap());
    assert_eq!(a.outcome.head, b.outcome.head);
    drop(held);
    assert_eq!(Arc::strong_count(&owner), 1);
}

#[test]
fn halves_of_another_owner_are_widened_as_they_are_needed() {
    let values = [1.0, 0.0, 0.875, 0.125, 0.0, 1.0];
    let own = Array2::from_shape_vec((3, 2), values.to_vec()).unwrap();
    let own = Features::new(own, vec![0, 0, 1]).unwrap();
    let f16 = values.map(|value| half::f16::from_f32(value).to_le_bytes());
    let bf16 = values.map(|value| half::bf16::from_f32(value).to_le_bytes());
    for (dtype, bytes) in [("f16", f16), ("bf16", bf16)] {
        let bytes: &'static [u8] = bytes.concat().leak();
        let owner: Arc<dyn Any + Send + Sync> = Arc::new(());
        let left = |dtype, shape| Matrix::left_with(Arc::clone(&owner), bytes, dtype, shape);
        let set = Features::new(left(dtype, (3, 2)).unwrap(), vec![0, 0, 1]).unwrap();
        assert!(matches!(set.plain, Matrix::File(_)) && set.plain.in_memory().is_err());
        assert_eq!(set.sha256().unwrap(), own.sha256().unwrap());
        for recipe in ["lbfgs", "ridge", "sgd"] {
            let solver = serde_json::from_value(serde_json::json!(recipe)).unwrap();
            let recipe = Recipe { solver, start: Start::Zero, ..Recipe::PLAIN };
            let how = || Fit { recipe: recipe.clone(), ..Fit::default() };
            let heads =
                [&set, &own].map(|set| fit(set.clone(), how(), &Options::default()).unwrap());
            assert_eq!(heads[0].outcome.head, heads[1].outcome.head);
        }
        assert_eq!(Arc::strong_count(&owner), 2);
        for (dtype, shape) in [(dtype, (4, 2)), ("f32", (3, 2)), ("u16", (3, 2))] {
            assert!(left(dtype, shape).is_err(), "{dtype} {shape:?}");
        }
    }
}
