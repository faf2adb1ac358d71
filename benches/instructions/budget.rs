//! The budget: its file, and the comparison of a measurement with it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use serde::Deserialize;

use crate::Result;
use crate::counts::Cost;
use crate::machine::Machine;

/// What requests may cost, on one machine.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    pub machine: Machine,
    /// By the names of the rows.
    pub rows: BTreeMap<String, Cost>,
}

/// Each row with its cost now and before; `None` for a row that was not there.
pub struct Comparison(Vec<(String, Cost, Option<Cost>)>);

impl Budget {
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        Ok(serde_yaml::from_str(&text).map_err(|error| format!("{FILE}: {error}"))?)
    }

    /// Writes the file, with the rows in this order.
    pub fn write(machine: &Machine, rows: &[(String, Cost)]) -> Result<()> {
        let Machine { rustc, valgrind, architecture, cpu } = machine;
        let mut text = format!(
            "# What a request may cost: user instructions and allocations of the packages' program.
# Written by `cargo bench --bench instructions -- --record`; see docs/profiling.md.
machine:
  rustc: '{rustc}'
  valgrind: '{valgrind}'
  architecture: '{architecture}'
  cpu: '{cpu}'
rows:
"
        );
        for (name, Cost { instructions, allocations }) in rows {
            writeln!(text, "  {name}: {{ instructions: {instructions:.0}, allocations: {allocations:.1} }}")?;
        }
        Ok(fs::write(FILE, text)?)
    }
}

impl Comparison {
    pub fn new(before: &BTreeMap<String, Cost>, now: Vec<(String, Cost)>) -> Self {
        let rows = now.into_iter().map(|(name, cost)| {
            let before = before.get(&name).copied();
            (name, cost, before)
        });
        Self(rows.collect())
    }

    /// Prints a table, then the rows that are outside; `false` if one grew. `reference`: what `before` is.
    pub fn print(&self, reference: &str) -> bool {
        println!("| row | instructions | {reference} | change | allocations | {reference} |");
        println!("|---|---|---|---|---|---|");
        for (name, now, before) in &self.0 {
            let (instructions, allocations) = (now.instructions, now.allocations);
            match before {
                Some(before) => println!(
                    "| {name} | {instructions:.0} | {:.0} | {:+.2} % | {allocations:.1} | {:.1} |",
                    before.instructions,
                    growth(now, before),
                    before.allocations
                ),
                None => println!("| {name} | {instructions:.0} | – | – | {allocations:.1} | – |"),
            }
        }
        println!();
        let mut is_within = true;
        for (name, now, before) in &self.0 {
            let Some(before) = before else {
                println!("{name}: not in the {reference}; add it with --record");
                is_within = false;
                continue;
            };
            let growth = growth(now, before);
            let more = now.allocations - before.allocations;
            let tolerance = TOLERANCE_ALLOCATIONS.max(before.allocations * TOLERANCE_ALLOCATIONS_PERCENT / 100.0);
            if growth > TOLERANCE_PERCENT {
                println!("{name}: {growth:+.2} % instructions, at most {TOLERANCE_PERCENT:+.0} % are allowed");
                is_within = false;
            }
            if more > tolerance {
                println!("{name}: {more:+.1} allocations, at most {tolerance:+.1} are allowed");
                is_within = false;
            }
            if growth < -TOLERANCE_PERCENT {
                println!("{name}: {growth:+.2} % instructions; the budget can be lowered: run with --record");
            }
        }
        is_within
    }
}

/// In percent of what it was before.
fn growth(now: &Cost, before: &Cost) -> f64 {
    (now.instructions / before.instructions - 1.0) * 100.0
}

/// In the repository.
pub const FILE: &str = "benches/instructions/budget.yaml";

const TOLERANCE_PERCENT: f64 = 2.0;
/// For each request.
const TOLERANCE_ALLOCATIONS: f64 = 0.5;
/// For a request with many of them: the rounds of one program differ by 0.6 % for a page.
const TOLERANCE_ALLOCATIONS_PERCENT: f64 = 1.0;
