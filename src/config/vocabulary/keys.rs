//! All keys of the vocabulary.

use super::top_level::TopLevelKeys;
use crate::config::shape::form::{Form, Shape};

/// Every key of the vocabulary, sorted and without duplicates.
pub fn all_keys() -> Vec<&'static str> {
    fn collect(form: &Form, keys: &mut Vec<&'static str>) {
        if let Form::Mapping(mapping) = form.inner() {
            for field in &mapping.fields {
                keys.push(field.key);
                collect(&field.form, keys);
            }
        }
    }
    let mut keys = Vec::new();
    collect(&TopLevelKeys::form(), &mut keys);
    keys.sort_unstable();
    keys.dedup();
    keys
}
