//! A matrix of numbers as colours.

use std::fmt::Write as _;

use super::{escape, number, open};

/// Numbers over two named axes, the larger the darker, each written in its cell.
#[derive(Clone, Debug, Default)]
pub struct HeatMap {
    /// What it shows.
    pub title: String,
    /// What the columns are.
    pub x: String,
    /// What the rows are.
    pub y: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Names of the rows, from the top.
    pub rows: Vec<String>,
    /// One number for each row and column; no colour where it is not finite.
    pub values: Vec<Vec<f64>>,
    /// Digits after the point.
    pub digits: usize,
}

const CELL: (f64, f64) = (52.0, 28.0);
const LEFT: f64 = 90.0;
const TOP: f64 = 32.0;

impl HeatMap {
    /// The map with title and style, to stand alone.
    pub fn svg(&self) -> String {
        let width = LEFT + CELL.0 * self.columns.len() as f64 + 12.0;
        let bottom = TOP + CELL.1 * self.rows.len() as f64;
        let title_width = 40.0 + 7.8 * self.title.chars().count() as f64;
        let mut out = open(&self.title, (width.max(title_width), bottom + 46.0), true);
        let title = escape(&self.title);
        let _ = write!(out, "<text class=\"title\" x=\"12\" y=\"20\">{title}</text>");
        let finite = || self.values.iter().flatten().copied().filter(|v| v.is_finite());
        let (low, high) = (finite().fold(f64::MAX, f64::min), finite().fold(f64::MIN, f64::max));
        for (row, values) in self.values.iter().enumerate() {
            let y = TOP + CELL.1 * row as f64;
            for (column, &value) in values.iter().enumerate() {
                if value.is_finite() {
                    let share = if high > low { (value - low) / (high - low) } else { 1.0 };
                    self.cell(&mut out, (LEFT + CELL.0 * column as f64, y), value, share);
                }
            }
            let name = self.rows.get(row).map_or(String::new(), |name| escape(name));
            let _ = write!(
                out,
                "<text class=\"end\" x=\"{}\" y=\"{:.1}\">{name}</text>",
                LEFT - 6.0,
                y + 18.0
            );
        }
        for (column, name) in self.columns.iter().enumerate() {
            let x = LEFT + CELL.0 * (column as f64 + 0.5);
            let (y, name) = (bottom + 17.0, escape(name));
            let _ = write!(out, "<text class=\"middle\" x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>");
        }
        let (middle, centre) = (f64::midpoint(TOP, bottom), f64::midpoint(LEFT, width));
        let _ = writeln!(
            out,
            "<text class=\"middle\" x=\"{centre:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"middle\" transform=\"translate(16 {middle:.1}) rotate(-90)\">{}</text></svg>",
            bottom + 37.0,
            escape(&self.x),
            escape(&self.y),
        );
        out
    }

    /// A cell whose colour goes from that of the page to the first colour, with a number that can be
    /// read on it.
    fn cell(&self, out: &mut String, (x, y): (f64, f64), value: f64, share: f64) {
        let class = if share > 0.9 { "middle on-dark" } else { "middle" };
        let text = format!("{value:.*}", self.digits);
        let _ = write!(
            out,
            "<g class=\"c0\"><rect class=\"fill\" fill-opacity=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{}\" \
             height=\"{}\"/></g><text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            number((0.04 + 0.92 * share * share).clamp(0.0, 1.0)),
            CELL.0 - 1.0,
            CELL.1 - 1.0,
            x + CELL.0 / 2.0,
            y + 18.0,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_for_each_number() {
        let map = HeatMap {
            values: vec![vec![1.0, 2.0], vec![f64::NAN, 4.0]],
            rows: vec!["a".to_owned(), "b<".to_owned()],
            columns: vec!["x".to_owned(), "y".to_owned()],
            digits: 1,
            ..HeatMap::default()
        };
        let svg = map.svg();
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains(">4.0<") && svg.contains("b&lt;"));
    }
}
