//! The recipes that come with the project.

use std::path::Path;

use safetensors::SafeTensors;
use tailfit_backbone::{Architecture, BackboneRecipe, LAST, State, best};

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
    assert_eq!(configs.len(), 19);
    let find = |wanted: &str| configs.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
    let precision = tailfit::Precision::Bf16;
    let default = BackboneRecipe { precision, ..BackboneRecipe::default() };
    assert_eq!(find("cross-entropy"), default);
    assert_eq!(find("ltwb").network, Architecture::Resnet34Cifar);
}

/// Runs that come with the project are whole, of one split, of the recipes as they are, and what
/// the table says; their weights are of the same runs.
#[test]
fn runs_are_of_these_recipes_and_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/stage-1");
    let table = fs_err::read_to_string(folder.join("README.md")).unwrap();
    let configs = configs();
    let mut rows = 0;
    for entry in fs_err::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy();
        let record: State = serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
        let recipe = recipe_of(&configs, &name);
        assert_eq!(record.recipe, recipe, "{name}");
        assert_eq!((record.epoch, record.step), (recipe.sgd.epochs, 0), "{name}");
        assert!(record.log.iter().map(|epoch| epoch.epoch).eq(0..recipe.sgd.epochs), "{name}");
        assert!(table.contains(&record.split_sha256[..12]), "{name}");
        let last = record.log.last().unwrap();
        let plain = last.accuracy.as_ref().unwrap();
        let mirrored = last.mirrored_accuracy.as_ref().unwrap().overall_percent;
        let best = record.log[best(&record.log).unwrap()].accuracy.as_ref().unwrap();
        let shots = [plain.many_percent, plain.medium_percent, plain.few_percent];
        let shown = |percent: Option<f64>| percent.map_or("–".to_owned(), |p| format!("{p:.2}"));
        let shots = shots.map(shown).join(" | ");
        let (all, best) = (plain.overall_percent, best.overall_percent);
        let row =
            format!("| [{name}]({name}.json) | {all:.2} | {shots} | {mirrored:.2} | {best:.2} |");
        assert!(table.contains(&row), "{row}");
        rows += 1;
        if recipe.network == Architecture::Resnet34Cifar {
            // 85 MB of weights are too many to come with the project.
            continue;
        }
        let weights = folder.join(&*name).join(LAST);
        let bytes = fs_err::read(&weights).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let state: State =
            serde_json::from_str(&metadata.metadata().as_ref().unwrap()["state"]).unwrap();
        assert!(state == record, "{name}: weights of another run");
        let network = recipe.network(100, record.seed, tch::Device::Cpu);
        network.parameters().load(&weights).unwrap();
    }
    assert_eq!(rows, table.matches(".json) |").count());
}

/// The recipe of a run: that of its name, which may end in an imbalance ratio that is not the recipe's, or in
/// a smaller number of epochs.
fn recipe_of(configs: &[(String, BackboneRecipe)], run: &str) -> BackboneRecipe {
    let find = |name: &str| configs.iter().find(|(config, _)| config == name);
    if let Some((_, recipe)) = find(run) {
        return recipe.clone();
    }
    let (name, end) = run.rsplit_once('-').unwrap();
    let mut recipe = find(name).unwrap().1.clone();
    if !end.starts_with("ir") {
        recipe.sgd.epochs = end.parse().unwrap();
    }
    recipe
}

/// Rates in the authors' code: schedules of the core's golden heads. BBN and TDE step theirs before
/// each epoch, so that the first rate is not used. Of these, BBN alone has Nesterov's momentum.
#[test]
fn rates_are_the_authors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tailfit/tests/golden/heads.json");
    let heads: serde_json::Value =
        serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap();
    for (name, schedule, unused) in [
        ("ldam-drw", "schedule_ldam_200", 0),
        ("bbn", "schedule_bbn_200", 1),
        ("tde", "schedule_bbn_200", 1),
        ("area", "schedule_area_200", 0),
        ("los", "schedule_los_stage1", 0),
        ("cross-entropy-step", "schedule_ldam_200", 0),
    ] {
        let mut cases = heads["cases"].as_array().unwrap().iter();
        let case = cases.find(|c| c["id"] == schedule).unwrap();
        let runs = case["outputs"]["lr_runs"].as_array().unwrap();
        let wanted = runs
            .iter()
            .flat_map(|run| vec![run[0].as_f64().unwrap(); run[1].as_u64().unwrap() as usize]);
        let (_, recipe) = configs().into_iter().find(|(config, _)| config == name).unwrap();
        assert_eq!(recipe.sgd.nesterov, name == "bbn", "{name}");
        // TDE's base rate is twice BBN's.
        let scale = if name == "tde" { 2.0 } else { 1.0 };
        for (epoch, wanted) in wanted.skip(unused).map(|rate| scale * rate).enumerate() {
            let rate = recipe.sgd.lr_of(epoch);
            assert!((rate - wanted).abs() < 1e-12, "{name} {epoch}: {rate} against {wanted}");
        }
    }
}
