//! Suggestions for misspelled names.

/// The candidate that a misspelled name probably stands for.
pub fn closest_match<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // No candidate is this long, and the time for a comparison is quadratic.
    if name.len() > MAX_BYTES {
        return None;
    }
    let name = plain(name);
    let scored = candidates.into_iter().filter_map(|candidate| {
        let plain = plain(candidate);
        // The comparison costs more than all else, and characters that are missing count as different.
        let (one, other) = (name.chars().count(), plain.chars().count());
        let longer = one.max(other) as f64;
        let may_match = one.min(other) as f64 > MIN_SIMILARITY * longer;
        may_match.then(|| (1.0 - strsim::osa_distance(&name, &plain) as f64 / longer, candidate))
    });
    let (score, best) = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (score > MIN_SIMILARITY).then_some(best)
}

/// In lower case and without what separates words.
fn plain(text: &str) -> String {
    text.chars().filter(|character| !"_- ".contains(*character)).flat_map(char::to_lowercase).collect()
}

const MAX_BYTES: usize = 64;

/// From 0 to 1.
const MIN_SIMILARITY: f64 = 0.6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closest_matches_are_found_in_any_spelling() {
        let keys = ["tenant_id", "client_id", "client_secret", "listen"];
        for (typed, meant) in [
            ("tenat_id", Some("tenant_id")),
            ("clientSecret", Some("client_secret")),
            ("client-id", Some("client_id")),
            ("client_secert", Some("client_secret")),
            ("limits", None),
            ("client_certificate", None),
            ("", None),
        ] {
            assert_eq!(closest_match(typed, keys), meant, "{typed}");
        }
    }
}
