//! The recipes that come with the project.

use std::path::Path;

use tailfit_backbone::{Architecture, BackboneRecipe};

fn configs() -> Vec<(String, BackboneRecipe)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/stage-1");
    let read = |entry: std::io::Result<fs_err::DirEntry>| {
        let path = entry.unwrap().path();
        let text = fs_err::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, BackboneRecipe::from_toml(&text, &path.display().to_string()).unwrap())
    };
    fs_err::read_dir(folder).unwrap().map(read).collect()
}

#[test]
fn every_recipe_is_valid_and_the_first_is_the_default() {
    let configs = configs();
    assert_eq!(configs.len(), 8);
    let find = |wanted: &str| configs.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
    let precision = tailfit::precision::Precision::Bf16;
    let default = BackboneRecipe { precision, ..BackboneRecipe::default() };
    assert_eq!(find("cross-entropy"), default);
    assert_eq!(find("ltwb").network, Architecture::Resnet34Cifar);
}

/// LDAM-DRW's rates in the authors' code: `schedule_ldam_200` of the core's golden heads.
#[test]
fn ldams_rates_are_the_authors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tailfit/tests/golden/heads.json");
    let heads: serde_json::Value =
        serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap();
    let case = heads["cases"].as_array().unwrap().iter().find(|c| c["id"] == "schedule_ldam_200");
    let runs = case.unwrap()["outputs"]["lr_runs"].as_array().unwrap();
    let wanted = runs
        .iter()
        .flat_map(|run| vec![run[0].as_f64().unwrap(); run[1].as_u64().unwrap() as usize]);
    let (_, recipe) = configs().into_iter().find(|(name, _)| name == "ldam-drw").unwrap();
    for (epoch, wanted) in wanted.enumerate() {
        let rate = recipe.lr * recipe.schedule.factor(epoch, recipe.epochs);
        assert!((rate - wanted).abs() < 1e-12, "epoch {epoch}: {rate} against {wanted}");
    }
}
