//! `cargo xtask paper`: results/paper/ and docs/paper.md from what `tailfit reproduce all` wrote.

use std::path::Path;

use anyhow::{Context, Result};

use crate::docs;

const FROM: &str = "tailfit-out/paper";
const TO: &str = "results/paper";
const PAGE: &str = "docs/paper.md";

/// Tables of the page: their places.
const TABLES: [&str; 19] = [
    "table1/cross-entropy",
    "table2/table2",
    "table4/table4-paper-protocol",
    "table4/table4",
    "fig1/cross-entropy",
    "fig2/cross-entropy",
    "fig3/cross-entropy",
    "fig4/fig4",
    "fig5/fig5",
    "path/path",
    "prop1/prop1",
    "prop2/prop2",
    "prop3/prop3",
    "prop3/balanced",
    "appendix-c/appendix-c",
    "table1/ltwb",
    "fig1/ltwb",
    "fig2/ltwb",
    "fig3/ltwb",
];

pub(crate) fn run() -> Result<()> {
    for part in fs_err::read_dir(FROM)? {
        let part = part?;
        // The records there are whole, and large; what is kept of them stands beside the tables.
        if part.file_name() == "records" || !part.path().is_dir() {
            continue;
        }
        let to = Path::new(TO).join(part.file_name());
        fs_err::create_dir_all(&to)?;
        for file in fs_err::read_dir(part.path())? {
            let file = file?;
            fs_err::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    for table in TABLES {
        let Ok(text) = fs_err::read_to_string(format!("{TO}/{table}.md")) else { continue };
        docs::put(PAGE, table, &format!("\n{text}"))?;
    }
    docs::put(PAGE, "live", &format!("\n{}", crate::live::table()?))?;
    docs::put(PAGE, "answers", &format!("\n{}", answers()?))
}

/// A table's cells by its rows' first cells.
struct Cells {
    name: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Cells {
    fn read(name: &'static str) -> Result<Self> {
        let mut reader = csv::Reader::from_path(format!("{TO}/{name}.csv"))?;
        let columns = reader.headers()?.iter().map(str::to_owned).collect();
        let rows = reader.records().map(|row| Ok(row?.iter().map(str::to_owned).collect()));
        Ok(Self { name, columns, rows: rows.collect::<Result<_>>()? })
    }

    /// The cell of the first row for which `row` holds.
    fn at(&self, row: impl Fn(&[String]) -> bool, column: &str) -> Result<&str> {
        let place = || format!("{}: {column}", self.name);
        let column = self.columns.iter().position(|name| name == column).with_context(place)?;
        let row = self.rows.iter().find(|cells| row(cells)).with_context(place)?;
        Ok(&row[column])
    }

    fn of(&self, row: &str, column: &str) -> Result<&str> {
        self.at(|cells| cells[0] == row, column)
    }
}

/// The gains in a row of cells such as `44.56 ± 0.04 (+4.21)`.
fn gain(cell: &str) -> &str {
    cell.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or(cell, |(gain, _)| gain)
}

/// The number that a cell begins with.
fn number(cell: &str) -> f64 {
    let end = cell.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(cell.len());
    cell[..end].parse().unwrap_or(f64::NAN)
}

/// LOS against the given head and against the best row without it.
fn table_1_answer(name: &'static str) -> Result<String> {
    let table = Cells::read(name)?;
    let others = table.rows.iter().map(|cells| cells[0].as_str());
    let scored = others.filter(|row| !row.starts_with("LOS")).map(|row| {
        let score = table.of(row, "cross-fitted").map_or(f64::NAN, number);
        (row, score)
    });
    let scored = scored.filter(|(_, score)| score.is_finite());
    let other = scored.max_by(|a, b| a.1.total_cmp(&b.1)).context("no rows")?.0;
    let apart = |row: &str| -> Result<String> {
        let cell = table.of(row, "to the best")?;
        Ok(if cell == "best" {
            "the best of all".to_owned()
        } else {
            format!("to the best row {cell}")
        })
    };
    Ok(format!(
        "LOS takes the given head from {} to {} (cross-fitted; {}), by the paper's protocol to {}; the best row without \
         over-smoothing, {other}, has {} ({})",
        table.of("Vanilla FC", "cross-fitted")?,
        table.of("LOS", "cross-fitted")?,
        apart("LOS")?,
        table.of("LOS", "best of seeds*")?,
        table.of(other, "cross-fitted")?,
        apart(other)?,
    ))
}

/// What came out for the systems that were run, and the paper's figures.
fn table_2_answer() -> Result<String> {
    let table = Cells::read("table2/table2")?;
    let mut systems = Vec::new();
    for cells in &table.rows {
        let at_100 = |column: &str| -> Result<&str> {
            let cell = table.at(|row| row == cells, column)?;
            Ok(cell.split(" / ").next().unwrap_or(cell))
        };
        let (paper, ours) = (at_100("paper")?, at_100("ours")?);
        let los = match at_100("LOS on our features")? {
            "–" => String::new(),
            los => format!(", with LOS {los}"),
        };
        if number(paper).is_finite() && number(ours).is_finite() {
            systems.push(format!("{} {ours}{los} ({paper})", cells[0]));
        }
    }
    Ok(format!(
        "2. **Table 2.** At imbalance ratio 100, ours, with LOS on the same features, and (the paper's): {}.",
        systems.join("; ")
    ))
}

/// LOS against the given head and against the best other column, ours and the paper's.
fn table_4_answer(table: &Cells) -> Result<String> {
    let claimed = Cells::read("table4/table4-paper-protocol")?;
    let backbones: Vec<&str> = table.rows.iter().map(|row| row[0].as_str()).collect();
    let each = |of: &dyn Fn(&str) -> Result<String>| -> Result<String> {
        Ok(backbones.iter().map(|backbone| of(backbone)).collect::<Result<Vec<_>>>()?.join(", "))
    };
    let theirs = |backbone: &str, column: &str| -> Result<f64> {
        let cell = claimed.of(backbone, column)?;
        Ok(cell.rsplit_once("/ ").map_or(f64::NAN, |(_, theirs)| number(theirs)))
    };
    // Half the width of an interval such as `+0.36 [-0.14, +0.84] (BS)`.
    let half = |backbone: &str| -> Result<f64> {
        let cell = table.of(backbone, "LOS to the best other")?;
        let inside = cell.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        let (low, high) =
            inside.and_then(|(inside, _)| inside.split_once(", ")).context("no interval")?;
        Ok((number(high) - number(low)) / 2.0)
    };
    let mut resolved = 0;
    for backbone in &backbones {
        resolved += usize::from(number(table.of(backbone, "the paper's")?) > half(backbone)?);
    }
    Ok(format!(
        "3. **Table 4.** Over {}, LOS gains {} points by the paper's protocol and {} cross-fitted, where the paper has {}. Its \
         lead over the best other column is {}, cross-fitted. The paper's leads are {}; {resolved} of {} are larger than half \
         the width of our intervals.",
        backbones.join(", "),
        each(&|backbone| Ok(gain(claimed.of(backbone, "LOS")?).to_owned()))?,
        each(&|backbone| Ok(gain(table.of(backbone, "LOS")?).to_owned()))?,
        each(&|backbone| Ok(format!(
            "{:+.2}",
            theirs(backbone, "LOS")? - theirs(backbone, "Vanilla")?
        )))?,
        each(&|backbone| Ok(table.of(backbone, "LOS to the best other")?.to_owned()))?,
        each(&|backbone| Ok(table.of(backbone, "the paper's")?.to_owned()))?,
        backbones.len(),
    ))
}

/// What Figure 3 says of rank correlation, on these features.
fn correlation(name: &str) -> Result<String> {
    let notes = fs_err::read_to_string(format!("{TO}/fig3/{name}.md"))?;
    let line = notes.lines().find(|line| line.starts_with("Rank correlation"));
    let line = line.with_context(|| format!("fig3/{name}: no correlation"))?;
    Ok(line.split(" \\*:").next().unwrap_or(line).to_owned())
}

/// The range over smooth factors above 0 at an imbalance ratio, and what 0 gives.
fn smoothed(fig_4: &Cells, ratio: &str) -> Result<String> {
    let of_ratio = fig_4.rows.iter().filter(|cells| cells[0] == ratio && cells[1] != "0");
    let scores = of_ratio.map(|cells| number(&cells[2]));
    let (low, high) = scores.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    let none = fig_4.at(|cells| cells[0] == ratio && cells[1] == "0", "cross-fitted")?;
    Ok(format!("{low:.2} to {high:.2} at imbalance ratio {ratio}, where 0 gives {none}"))
}

fn answers() -> Result<String> {
    let table_4 = Cells::read("table4/table4")?;
    let fig_4 = Cells::read("fig4/fig4")?;
    let fig_5 = Cells::read("fig5/fig5")?;
    let path = Cells::read("path/path")?;
    let prop_1 = Cells::read("prop1/prop1")?;
    let prop_3 = Cells::read("prop3/prop3")?;

    let first = format!(
        "1. **Table 1.** On our ResNet-32, {}. On our ResNet-34, {}. The paper's 54.90 is on its ResNet-34, whose features give \
         48.44 before anything is re-trained.",
        table_1_answer("table1/cross-entropy")?,
        table_1_answer("table1/ltwb")?,
    );
    let second = table_4_answer(&table_4)?;
    let third = format!(
        "4. **Figure 3.** {} On the ResNet-34: {}.",
        correlation("cross-entropy")?,
        correlation("ltwb")?
            .split_once("rows: ")
            .and_then(|(_, rest)| rest.split_once(" over bootstrap"))
            .context("fig3/ltwb: no correlation")?
            .0,
    );
    let fourth = format!(
        "5. **Figure 4.** With learning rate and epoch chosen for each, smooth factors from 0.1 to 0.99 give {}.",
        ["100", "50", "10", "1"]
            .map(|ratio| smoothed(&fig_4, ratio))
            .into_iter()
            .collect::<Result<Vec<_>>>()?
            .join("; "),
    );
    let cell = |loss: &'static str, column: &str| {
        fig_5.at(move |cells| cells[0] == loss && cells[1] == "best epoch*", column)
    };
    let (los, share) = ("LOS, smooth factor 0.99", "share within 0.5 points of the best (%)");
    let fifth = format!(
        "6. **Figure 5 and the path.** Over our axes (the paper's are not given) {} % of the cells of LOS come within half a \
         point of the best, each at its best epoch on the test set, and the median cell has {}; of cross-entropy, {} %. LOS \
         is a path that is left early: at learning rate 0.001 and smooth factor 0.98, {} at the start, {} after one epoch, {} \
         at the optimum.",
        cell(los, share)?,
        cell(los, "median")?,
        cell("cross-entropy", share)?,
        path.of("smooth factor 0.98", "start")?,
        path.of("smooth factor 0.98", "epoch 1")?,
        path.of("smooth factor 0.98", "optimum")?,
    );
    let not_convex = prop_1.rows.iter().filter(|row| row[4] != "convex");
    let not_convex: Vec<&str> =
        not_convex.map(|row| row[0].as_str()).filter(|&name| name != "dot-regression").collect();
    let whole = prop_3.rows.iter().find(|cells| cells[0] == "1").context("prop3: no scale 1")?;
    let sixth = format!(
        "7. **Propositions.** 1 holds for cross-entropy with hard and soft labels and offsets, and not for {}. 2 is right, of \
         a common shift. 3: at the head's own scale perturbations multiply the probability of many-shot classes by {} and of \
         few-shot ones by {}; with equal R for all classes by {} and {}, so that equal R alone does not make the effect small \
         or equal. All of it vanishes as logits shrink, where every probability goes to 1 / K. Eq. 9 holds for small \
         perturbations only.",
        not_convex.join(", "),
        whole[1],
        whole[2],
        whole[4],
        whole[5],
    );
    Ok([first, table_2_answer()?, second, third, fourth, fifth, sixth].join("\n"))
}
