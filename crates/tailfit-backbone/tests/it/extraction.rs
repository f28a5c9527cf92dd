//! Weights and features on file.

use tailfit::features::Features;
use tailfit::images::Pixels;
use tailfit_backbone::{
    BackboneRecipe, Extraction, Extractor, HeadLayer, NormMode, Pass, State, StoredAs, Subset,
    device, stage_1_head,
};
use tch::Tensor;

use crate::support::close;
use crate::tensors::values;
use crate::training::{K, SIDE, data, images, recipe, train, train_all};

/// What extraction takes up is what training wrote, on the same images or not at all.
#[test]
fn weights_say_what_they_are_of() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, other) = (data(0), data(2));
    let network = train_all(&mine, &recipe(), folder.path());
    let cpu = device("cpu").unwrap();
    let (state, restored) = State::restore(folder.path(), false, &mine, cpu).unwrap();
    assert_eq!((state.epoch, state.log.len()), (3, 3));
    for (a, b) in network.parameters().iter().zip(restored.parameters().iter()) {
        assert!(values(&a.tensor) == values(&b.tensor), "{}", a.name);
    }
    let error = State::restore(folder.path(), false, &other, cpu).unwrap_err();
    assert!(error.to_string().contains("last.safetensors"), "{error}");
    assert_eq!(error.option(), Some("split"));
    let (best, _) = State::restore(folder.path(), true, &mine, cpu).unwrap();
    assert!(best.epoch == 2 || best.epoch == 3);
}

/// For batch statistics the images are shuffled, and their labels with them.
#[test]
fn batch_statistics_are_those_of_mixed_batches() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(0);
    let recipe = recipe();
    let network = train_all(&data, &recipe, &folder.path().join("run"));
    let extraction = Extraction {
        preparation: recipe.preparation(),
        norm: NormMode::Batch,
        bf16: false,
        mirror: false,
        views: 0,
        seed: 1,
        stored: StoredAs::F32,
    };
    let path = folder.path().join("train.safetensors");
    extraction
        .write(Extractor::Network(&network), &data, Subset::Train, &path, "", &|_| {})
        .unwrap();
    let features = Features::load(&path, None).unwrap();
    assert!(!features.labels.is_sorted(), "classes are mixed");
    let mut sorted = features.labels.clone();
    sorted.sort_unstable();
    let counts: Vec<usize> =
        (0..K as u32).map(|k| sorted.iter().filter(|&&y| y == k).count()).collect();
    assert_eq!(counts, [20, 10, 5]);
}

#[test]
fn features_on_file_are_the_networks_own() {
    let data = data(2);
    let folder = tempfile::tempdir().unwrap();
    let recipe = BackboneRecipe { head: HeadLayer::Cosine { scale: 16.0 }, ..recipe() };
    let (network, state, _) =
        train(&data, &recipe, &folder.path().join("run"), usize::MAX).unwrap();
    let extraction = Extraction {
        preparation: recipe.preparation(),
        norm: NormMode::Evaluate,
        bf16: false,
        mirror: true,
        views: 2,
        seed: 1,
        stored: StoredAs::F32,
    };
    let write = |part: Subset, extraction: Extraction, name: &str| {
        let path = folder.path().join(name);
        let about = state.provenance(&data);
        extraction
            .write(Extractor::Network(&network), &data, part, &path, &about, &|_| {})
            .unwrap();
        Features::load(&path, None).unwrap()
    };
    let test = write(Subset::Test, extraction, "test.safetensors");
    let (all, d) = (images(6, 6), network.architecture().dim());
    assert_eq!((test.labels.clone(), test.dim(), test.views.len()), (all.labels, d, 2));
    let Pixels::Memory { bytes, .. } = all.pixels else { panic!() };
    let pixels: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let plain = Tensor::from_slice(&pixels).view([-1, SIDE as i64, SIDE as i64, 3]);
    let plain = plain.permute([0, 3, 1, 2]);
    let channels = |values: [f32; 3]| Tensor::from_slice(&values).view([1, 3, 1, 1]);
    let mean = channels([0.4914, 0.4822, 0.4465]);
    let x = (plain - mean) / channels([0.2023, 0.1994, 0.2010]);
    let pass = Pass { norm: NormMode::Evaluate, bf16: false };
    let direct = |x: &Tensor| tch::no_grad(|| network.features(x, pass));
    let stored = |matrix: &tailfit::features::Matrix| -> Vec<f64> {
        matrix.in_memory().unwrap().iter().map(|&v| v.into()).collect()
    };
    close("plain", &stored(&test.plain), &values(&direct(&x)), 1e-5);
    let mirror = stored(test.mirror.as_ref().unwrap());
    close("mirrored", &mirror, &values(&direct(&x.flip([3]))), 1e-5);
    assert_ne!(stored(&test.views[0]), stored(&test.views[1]));

    // The head as stage 2 takes it gives the network's logits.
    let head = stage_1_head(&network, recipe.system.as_ref(), &data);
    let logits = head.head.logits(test.plain.in_memory().unwrap());
    let wanted = tch::no_grad(|| network.logits(&direct(&x)));
    close("logits", logits.as_slice().unwrap(), &values(&wanted), 1e-4);

    let rounded =
        write(Subset::Test, Extraction { stored: StoredAs::F16, ..extraction }, "half.safetensors");
    close("f16", &stored(&rounded.plain), &stored(&test.plain), 1e-3);
    let held_out = write(Subset::Validation, extraction, "val.safetensors");
    let train = write(Subset::Train, extraction, "train.safetensors");
    assert_eq!((held_out.len(), train.len()), (2 * K, data.len(Subset::Train)));
    assert!(tailfit::features::shared_rows(&train, &held_out).unwrap().is_empty());
}
