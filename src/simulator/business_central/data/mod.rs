//! The database: what a company can hold, how each surface shows it, and the records themselves.

pub mod column_value;
pub mod database;
pub mod files;
pub mod records;
pub mod schema;
pub mod seed;
pub mod tables;
pub mod views;
