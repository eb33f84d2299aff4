//! "Did you mean": the nearest valid name.

/// Names longer than this are not compared: nobody mistypes that much.
const LENGTH_MAX: usize = 64;

/// The candidate that needs the fewest edits to become `name`, if they are few enough for a slip.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.len() > LENGTH_MAX {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace('_', "-");
    let wanted = plain(name);
    let edits_max = (wanted.len() / 3).clamp(1, 5);
    candidates
        .into_iter()
        .map(|candidate| (distance(wanted.as_bytes(), plain(candidate).as_bytes()), candidate))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: insertions, deletions and substitutions of bytes.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut diagonal = row;
        let mut left = row + 1;
        for (cell, b) in above.iter_mut().skip(1).zip(to) {
            let edits = (*cell + 1).min(left + 1).min(diagonal + usize::from(a != b));
            diagonal = *cell;
            *cell = edits;
            left = edits;
        }
        if let Some(first) = above.first_mut() {
            *first = row + 1;
        }
    }
    above.last().copied().unwrap_or(from.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (from, to, edits) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("port", "port", 0),
            ("prot", "port", 2),
            ("default-tl", "default-ttl", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from.as_bytes(), to.as_bytes()), edits, "{from} {to}");
        }
    }

    #[test]
    fn only_slips_are_suggested() {
        let names = ["replication-factor", "rack-id", "default-ttl"];
        assert_eq!(nearest("replication-facto", names), Some("replication-factor"));
        assert_eq!(nearest("Default_TTL", names), Some("default-ttl"));
        assert_eq!(nearest("zzz", names), None);
        assert_eq!(nearest(&"x".repeat(10_000), names), None);
    }
}
