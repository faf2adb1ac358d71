//! Pages of made-up reports.

mod made_up;
mod pages;
mod reasons;
