//! Images in files, and networks from elsewhere.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;
use tailfit::features::Features;
use tailfit::images::{ImageSet, Images, Pixels, Split, read_image_folders};
use tailfit::recipe::Sgd;
use tailfit::shots::ShotThresholds;
use tailfit_backbone::{
    Augmentation, BackboneRecipe, End, Extraction, Extractor, ImageData, NormMode, Script, State,
    StoredAs, Subset, device,
};
use tch::{CModule, Kind, Tensor};

use crate::support::close;
use crate::tensors::{formula, values};
use crate::training::{K, SIDE, images, recipe, train};

/// Writes images as PNG files in folders of their classes, and gives them back in the order of
/// these files.
fn write(images: &Images, folder: &Path) -> Images {
    let Pixels::Memory { bytes, .. } = &images.pixels else { panic!() };
    let plane = SIDE * SIDE;
    let mut rows: Vec<usize> = (0..images.len()).collect();
    rows.sort_by_key(|&row| images.labels[row]);
    let mut ordered = Vec::new();
    for &row in &rows {
        let pixels = &bytes[row * 3 * plane..][..3 * plane];
        let image = RgbImage::from_raw(SIDE as u32, SIDE as u32, pixels.to_vec()).unwrap();
        let class = folder.join(format!("class {}", images.labels[row]));
        fs_err::create_dir_all(&class).unwrap();
        image.save(class.join(format!("{row:03}.png"))).unwrap();
        ordered.extend_from_slice(pixels);
    }
    let labels = rows.iter().map(|&row| images.labels[row]).collect();
    Images::in_memory(ordered, (SIDE, SIDE), labels, K)
}

/// The same images in files and in memory.
fn sets(root: &Path) -> [ImageSet; 2] {
    let memory = [("train", images(12, 5)), ("test", images(4, 6))]
        .map(|(part, images)| write(&images, &root.join(part)));
    [read_image_folders(root).unwrap(), memory.into()]
}

fn whole(set: ImageSet) -> ImageData {
    let split = Split::whole(&set.train.labels, K, ShotThresholds::default()).unwrap();
    ImageData::new(set, split).unwrap()
}

pub(crate) fn extraction() -> Extraction {
    Extraction {
        preparation: BackboneRecipe { image_size: Some(SIDE), ..recipe() }.preparation(),
        norm: NormMode::Evaluate,
        bf16: false,
        mirror: false,
        views: 0,
        seed: 0,
        stored: StoredAs::F32,
    }
}

#[test]
fn images_in_files_and_in_memory_come_to_the_same_weights() {
    let root = tempfile::tempdir().unwrap();
    let recipe = BackboneRecipe {
        image_size: Some(SIDE),
        augmentation: Augmentation::Weak,
        sgd: Sgd { epochs: 2, ..recipe().sgd },
        ..recipe()
    };
    let [files, memory] = sets(root.path()).map(|set| {
        let run = root.path().join(format!("run {}", set.train.class_names.len()));
        let (network, state, _) = train(&whole(set), &recipe, &run, usize::MAX).unwrap();
        let weights: Vec<Vec<f64>> =
            network.parameters().iter().map(|p| values(&p.tensor)).collect();
        (weights, state.log)
    });
    assert!(files == memory);
}

/// The same numbers of the same classes are not yet the same images.
#[test]
fn a_run_belongs_to_its_files() {
    let root = tempfile::tempdir().unwrap();
    let recipe = BackboneRecipe {
        image_size: Some(SIDE),
        sgd: Sgd { epochs: 1, ..recipe().sgd },
        ..recipe()
    };
    let [set, _] = sets(root.path());
    let run = root.path().join("run");
    train(&whole(set), &recipe, &run, usize::MAX).unwrap();
    let class = root.path().join("train/class 0");
    fs_err::rename(class.join("000.png"), class.join("other.png")).unwrap();
    let other = whole(read_image_folders(root.path()).unwrap());
    let cpu = device("cpu").unwrap();
    let refused = State::restore(&run, false, &other, cpu).unwrap_err();
    assert_eq!(refused.option(), Some("split"), "{refused}");
    let refused = train(&other, &recipe, &run, usize::MAX).unwrap_err().to_string();
    assert!(refused.contains("split (sha256)"), "{refused}");
    fs_err::rename(class.join("other.png"), class.join("000.png")).unwrap();
    // The same files in the same order, one of another class.
    let mut relabelled = read_image_folders(root.path()).unwrap();
    relabelled.train.labels[12] = 0;
    let refused = train(&whole(relabelled), &recipe, &run, usize::MAX).unwrap_err().to_string();
    assert!(refused.contains("split (sha256)"), "{refused}");
    // Other images to score on: the weights are the same, the run is another.
    write(&images(2, 8), &root.path().join("val"));
    let scored = whole(read_image_folders(root.path()).unwrap());
    State::restore(&run, false, &scored, cpu).unwrap();
    let refused = train(&scored, &recipe, &run, usize::MAX).unwrap_err().to_string();
    assert!(refused.contains("scored images (sha256)"), "{refused}");
}

#[test]
fn larger_images_are_brought_to_size() {
    let root = tempfile::tempdir().unwrap();
    let [files, _] = sets(root.path());
    let recipe =
        BackboneRecipe { image_size: Some(5), sgd: Sgd { epochs: 1, ..recipe().sgd }, ..recipe() };
    for augmentation in [Augmentation::None, Augmentation::Weak, Augmentation::ResizedCrop] {
        let recipe = BackboneRecipe { augmentation, ..recipe.clone() };
        let run = root.path().join(format!("{augmentation:?}"));
        let (_, state, _) = train(&whole(files.clone()), &recipe, &run, usize::MAX).unwrap();
        assert!(state.log[0].accuracy.is_some());
    }
    let path = root.path().join("test.safetensors");
    let data = whole(files);
    let preparation = recipe.preparation();
    let small = Extraction { preparation, ..extraction() };
    let pixels = script(root.path(), &|x| x.flatten(1, -1));
    small.write(Extractor::Script(&pixels), &data, Subset::Test, &path, "", &|_| {}).unwrap();
    assert_eq!(Features::load(&path, None).unwrap().dim(), 3 * 5 * 5);
    // A network for one size fails at another.
    let weight = formula(1, 2, &[(3 * SIDE * SIDE) as i64, 2], |u| u).to_kind(Kind::Float);
    let fixed = script(root.path(), &|x| x.flatten(1, -1).matmul(&weight));
    let refused = small.write(Extractor::Script(&fixed), &data, Subset::Test, &path, "", &|_| {});
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("network.pt: expected features [B, D]"), "{refused}");
    assert!(refused.contains("is image_size the network's?"), "{refused}");
}

#[test]
fn an_unreadable_image_is_named_and_left_out_only_on_request() {
    let root = tempfile::tempdir().unwrap();
    let recipe = BackboneRecipe {
        image_size: Some(SIDE),
        sgd: Sgd { epochs: 1, ..recipe().sgd },
        ..recipe()
    };
    let [set, _] = sets(root.path());
    let (run, kept) = (root.path().join("run"), root.path().join("kept"));
    let fails = |run: &Path| train(&whole(set.clone()), &recipe, run, usize::MAX).unwrap_err();
    let gone = root.path().join("test/class 2/002.png");
    let bytes = fs_err::read(&gone).unwrap();
    fs_err::remove_file(&gone).unwrap();
    let error = fails(&kept).to_string();
    assert!(error.contains("class 2/002.png: expected an image"), "{error}");
    fs_err::write(&gone, bytes).unwrap();
    // It was missed at the scoring alone: once it is back, no batch is trained again.
    let (_, _, end) = train(&whole(set.clone()), &recipe, &kept, 1).unwrap();
    assert_eq!(end, End::Finished);

    fs_err::remove_file(&gone).unwrap();
    let damaged = root.path().join("train/class 1/001.png");
    let bytes = fs_err::read(&damaged).unwrap();
    fs_err::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    let error = fails(&run);
    assert!(error.to_string().contains("class 1/001.png: expected an image"), "{error}");
    assert_eq!(error.option(), Some("skip_unreadable"));

    let tried = AtomicUsize::new(0);
    let report = |_| {
        tried.fetch_add(1, Ordering::Relaxed);
    };
    let (data, unreadable) = whole(set.clone()).without_unreadable(&report).unwrap();
    assert_eq!((unreadable, tried.into_inner()), (vec![damaged, gone], 16 * K));
    assert_eq!((data.len(Subset::Train), data.len(Subset::Test)), (12 * K - 1, 4 * K - 1));
    train(&data, &recipe, &run, usize::MAX).unwrap();

    fs_err::rename(root.path().join("test"), root.path().join("away")).unwrap();
    let error = whole(set.clone()).without_unreadable(&|_| {}).unwrap_err().to_string();
    assert!(error.contains("test images: expected a readable one among 12"), "{error}");
    fs_err::rename(root.path().join("away"), root.path().join("test")).unwrap();
    fs_err::remove_dir_all(root.path().join("train/class 1")).unwrap();
    let error = whole(set).without_unreadable(&|_| {}).unwrap_err().to_string();
    assert!(error.contains("12 unreadable images, the first"), "{error}");
    assert!(error.contains("class 1/001.png") && error.contains("class 1"), "{error}");
}

#[test]
fn a_data_sets_own_validation_images_and_class_names_are_used() {
    let root = tempfile::tempdir().unwrap();
    write(&images(3, 7), &root.path().join("val"));
    let [files, _] = sets(root.path());
    let data = whole(files.clone());
    assert_eq!(data.len(Subset::Validation), 3 * K);
    let script = script(root.path(), &|x| x.mean_dim([2_i64, 3].as_slice(), false, Kind::Float));
    let path = root.path().join("val.safetensors");
    let source = Extractor::Script(&script);
    extraction().write(source, &data, Subset::Validation, &path, "", &|_| {}).unwrap();
    let features = Features::load(&path, None).unwrap();
    assert_eq!((features.labels[3], features.labels.len()), (1, 3 * K));
    let names = ["class 0", "class 1", "class 2"].map(str::to_owned).to_vec();
    assert_eq!(features.class_names, Some(names));

    // One validation set is enough.
    let mut split = Split::whole(&files.train.labels, K, ShotThresholds::default()).unwrap();
    split.validation = split.train.split_off(12 * K - 2);
    split.counts[K - 1] -= 2;
    let refused = ImageData::new(files, split).unwrap_err().to_string();
    assert!(refused.contains("the data set has its own validation images"), "{refused}");
}

/// By whatever name they are found; and one set of test images is enough.
#[test]
fn no_file_is_trained_on_and_scored() {
    let root = tempfile::tempdir().unwrap();
    let [mut files, _] = sets(root.path());
    let labels = files.train.labels.clone();
    let refused = |set: ImageSet, split| ImageData::new(set, split).unwrap_err().to_string();
    let whole = || Split::whole(&labels, K, ShotThresholds::default()).unwrap();
    let split = Split::hold_out(&labels, K, 20.0, 0, ShotThresholds::default()).unwrap();
    let message = refused(files.clone(), split.clone());
    assert!(message.contains("the data set has its own"), "{message}");
    let none = Images { pixels: Pixels::Files(vec![]), labels: vec![], ..files.train.clone() };
    let held_out = ImageSet { test: none, ..files.clone() };
    assert_eq!(ImageData::new(held_out, split).unwrap().len(Subset::Test), 2 * K);
    let (Pixels::Files(test), Pixels::Files(train)) = (&mut files.test.pixels, &files.train.pixels)
    else {
        panic!()
    };
    test[5] = root.path().join("test/../train/class 0").join(train[3].file_name().unwrap());
    let message = refused(files.clone(), whole());
    assert!(message.contains("test images: expected images that are not trained on"), "{message}");
    assert!(message.contains("found 1 of 12 that are trained on"), "{message}");
}

/// A network of one closure.
fn script(folder: &Path, forward: &dyn Fn(&Tensor) -> Tensor) -> Script {
    let path = folder.join("network.pt");
    let example =
        Tensor::zeros([2, 3, SIDE as i64, SIDE as i64], (Kind::Float, device("cpu").unwrap()));
    let mut forward = |inputs: &[Tensor]| vec![forward(&inputs[0])];
    let module = CModule::create_by_tracing("m", "forward", &[example], &mut forward).unwrap();
    module.save(&path).unwrap();
    Script::load(&path, device("cpu").unwrap()).unwrap()
}

#[test]
fn features_of_a_users_own_network() {
    let root = tempfile::tempdir().unwrap();
    let [_, memory] = sets(root.path());
    let weight = formula(1, 2, &[3, 7], |u| u).to_kind(Kind::Float);
    let network =
        |x: &Tensor| x.mean_dim([2_i64, 3].as_slice(), false, Kind::Float).matmul(&weight);
    let path = root.path().join("test.safetensors");
    let Pixels::Memory { bytes, .. } = memory.test.pixels.clone() else { panic!() };
    let data = whole(memory);
    let features = |script: &Script, extraction: Extraction| {
        let source = Extractor::Script(script);
        extraction.write(
            source,
            &data,
            Subset::Test,
            &path,
            &script.provenance(&data, extraction.preparation),
            &|_| {},
        )
    };
    features(&script(root.path(), &network), extraction()).unwrap();
    let stored = Features::load(&path, None).unwrap();
    let x = Tensor::from_slice(&bytes).view([-1, SIDE as i64, SIDE as i64, 3]);
    let x = x.permute([0, 3, 1, 2]).to_kind(Kind::Float);
    let channels = |values: [f32; 3]| Tensor::from_slice(&values).view([1, 3, 1, 1]);
    let recipe = recipe();
    let x = (x / 255.0 - channels(recipe.image_mean)) / channels(recipe.image_std);
    let plain: Vec<f64> = stored.plain.in_memory().unwrap().iter().map(|&v| v.into()).collect();
    close("features", &plain, &values(&network(&x)), 1e-5);

    let flat = script(root.path(), &|x| x.sum_dim_intlist([3_i64].as_slice(), false, Kind::Float));
    let refused = features(&flat, extraction()).unwrap_err().to_string();
    assert!(refused.contains("network.pt: expected features [B, D]"), "{refused}");
    assert!(refused.contains("found [1, 3, 8]"), "{refused}");
    let half = features(&flat, Extraction { bf16: true, ..extraction() }).unwrap_err().to_string();
    assert!(half.contains("expected f32"), "{half}");
    fs_err::write(root.path().join("network.pt"), "no network").unwrap();
    let refused = Script::load(&root.path().join("network.pt"), device("cpu").unwrap());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("network.pt: expected a network"), "{refused}");
}
