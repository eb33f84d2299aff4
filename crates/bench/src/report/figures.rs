//! Single figures with units, for what is no load of one server.

use std::fmt::Write as _;

use serde::Serialize;

use super::text::number;

/// One figure.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Figure {
    /// What it is about: figures of one heading are shown together.
    pub heading: String,
    /// What.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: String,
}

/// Figures under one heading.
#[derive(Debug)]
pub struct Group<'a> {
    figures: &'a mut Vec<Figure>,
    heading: String,
    first: usize,
}

impl<'a> Group<'a> {
    /// Begins a heading.
    pub fn new(figures: &'a mut Vec<Figure>, heading: impl Into<String>) -> Self {
        let first = figures.len();
        Self { figures, heading: heading.into(), first }
    }

    /// Adds a figure.
    pub fn add(&mut self, name: impl Into<String>, value: f64, unit: &str) {
        let (heading, name, unit) = (self.heading.clone(), name.into(), unit.to_owned());
        self.figures.push(Figure { heading, name, value, unit });
    }

    /// The figures as lines below their heading.
    pub fn text(&self) -> String {
        let mut out = format!("\n{}\n", self.heading);
        for Figure { name, value, unit, .. } in &self.figures[self.first..] {
            let digits = if value.abs() < 100.0 { 2 } else { 0 };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "  {name:<48} {:>12} {unit}", number(*value, digits));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_below_their_own_heading() {
        let mut figures = Vec::new();
        Group::new(&mut figures, "first").add("a", 1.0, "s");
        let mut group = Group::new(&mut figures, "second");
        group.add("b", 2.5, "MB/s");
        let text = group.text();
        assert!(text.contains("second\n  b ") && text.contains("2.5"), "{text}");
        assert!(text.trim_end().ends_with("MB/s") && !text.contains("first"), "{text}");
        assert_eq!(figures.len(), 2);
    }
}
