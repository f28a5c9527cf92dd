//! A table for the terminal, in Markdown and in LaTeX.

use std::fmt::Write as _;

use serde::Serialize;

use crate::files::quoted;

/// A table of text; the first column is left-aligned, the others are right-aligned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// What the table shows: data and protocol.
    pub caption: String,
    /// Column headers.
    pub columns: Vec<String>,
    /// Rows, each with one cell per column.
    pub rows: Vec<Vec<String>>,
    /// Notes below the table.
    pub notes: Vec<String>,
}

impl Table {
    /// Plain text with padded columns, for the terminal.
    pub fn text(&self) -> String {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|c| self.lines().map(|row| row[c].chars().count()).max().unwrap_or(0))
            .collect();
        let mut out = String::new();
        for row in self.lines() {
            let mut line = String::new();
            for (c, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let pad = " ".repeat(width - cell.chars().count());
                let (left, right) = if c == 0 { ("", pad.as_str()) } else { (pad.as_str(), "") };
                let gap = if c == 0 { "" } else { "  " };
                let _ = write!(line, "{gap}{left}{cell}{right}");
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
        for note in &self.notes {
            let _ = writeln!(out, "{note}");
        }
        out
    }

    /// GitHub-flavoured Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        if !self.caption.is_empty() {
            let _ = writeln!(out, "{}\n", escape(&self.caption));
        }
        for (index, row) in self.lines().enumerate() {
            let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
            if index == 0 {
                let rule = "---:|".repeat(row.len() - 1);
                let _ = writeln!(out, "|:---|{rule}");
            }
        }
        for note in &self.notes {
            let _ = writeln!(out, "\n{}", escape(note));
        }
        out
    }

    /// CSV: the header and the rows, without caption and notes.
    pub fn csv(&self) -> String {
        let line = |row: &Vec<String>| -> String {
            row.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\n"
        };
        self.lines().map(line).collect()
    }

    /// A LaTeX table; needs the booktabs package.
    pub fn latex(&self) -> String {
        let cell = |text: &str| {
            text.replace('\\', "\\textbackslash{}")
                .replace('%', "\\%")
                .replace('_', "\\_")
                .replace('&', "\\&")
                .replace('#', "\\#")
                .replace('^', "\\textasciicircum{}")
                .replace('~', "\\textasciitilde{}")
                .replace('±', "$\\pm$")
                .replace('–', "--")
        };
        let row = |cells: &[String]| {
            cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(" & ") + " \\\\\n"
        };
        let mut out = format!(
            "\\begin{{table}}\n\\centering\n\\caption{{{}}}\n\\begin{{tabular}}{{l{}}}\n\\toprule\n",
            cell(&self.caption),
            "r".repeat(self.columns.len() - 1),
        );
        out += &row(&self.columns);
        out += "\\midrule\n";
        for cells in &self.rows {
            out += &row(cells);
        }
        out += "\\bottomrule\n\\end{tabular}\n";
        for note in &self.notes {
            let _ = writeln!(out, "\\par\\footnotesize {}", cell(note));
        }
        out + "\\end{table}\n"
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.columns).chain(&self.rows)
    }
}

/// Escapes stars and bars, which Markdown would take as markup.
fn escape(text: &str) -> String {
    text.replace('*', "\\*").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            caption: "50 % done*".to_owned(),
            columns: ["method", "all"].map(str::to_owned).to_vec(),
            rows: vec![vec!["los".to_owned(), "45.1 ± 0.2*".to_owned()]],
            notes: vec!["* chosen on the test set itself: too good by construction.".to_owned()],
        }
    }

    #[test]
    fn what_latex_and_csv_would_take_as_markup_is_escaped() {
        let cells = |text: &str| Table {
            columns: vec!["a".to_owned()],
            rows: vec![vec![text.to_owned()]],
            ..Table::default()
        };
        assert!(
            cells("1^2 #3 ~4").latex().contains("1\\textasciicircum{}2 \\#3 \\textasciitilde{}4")
        );
        assert_eq!(cells("+0.36 [-0.14, +0.84]").csv(), "a\n\"+0.36 [-0.14, +0.84]\"\n");
    }

    #[test]
    fn one_table_in_three_forms() {
        expect_test::expect![[r"
            method          all
            los     45.1 ± 0.2*
            * chosen on the test set itself: too good by construction.
        "]]
        .assert_eq(&table().text());
        expect_test::expect![[r"
            50 % done\*

            | method | all |
            |:---|---:|
            | los | 45.1 ± 0.2\* |

            \* chosen on the test set itself: too good by construction.
        "]]
        .assert_eq(&table().markdown());
        expect_test::expect![[r"
            \begin{table}
            \centering
            \caption{50 \% done*}
            \begin{tabular}{lr}
            \toprule
            method & all \\
            \midrule
            los & 45.1 $\pm$ 0.2* \\
            \bottomrule
            \end{tabular}
            \par\footnotesize * chosen on the test set itself: too good by construction.
            \end{table}
        "]]
        .assert_eq(&table().latex());
    }
}
