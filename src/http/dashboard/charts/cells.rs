//! Dots that are too many to be drawn one by one, merged by the place where they are.

use std::collections::BTreeMap;

use super::scale::real_len;

/// Largest number of dots that are drawn one by one.
pub(super) const MOST_DOTS: usize = 600;
/// Side of a cell. Merged dots are no wider.
const CELL: f64 = 12.0;

/// Dots that are drawn as one.
#[derive(Debug, PartialEq)]
pub(super) struct Group {
    /// Mean of the places.
    pub(super) x: f64,
    pub(super) y: f64,
    /// Indices of the dots, in their order.
    pub(super) members: Vec<usize>,
}

impl Group {
    /// Radius of the dot. A single one has that of all dots.
    pub(super) fn radius(&self) -> f64 {
        (3.0 + 1.5 * real_len(self.members.len()).log10()).min(CELL / 2.0)
    }
}

/// Groups of dots: one for each dot if they are few, else one for each cell and kind of dot.
pub(super) fn groups<K: Ord + Copy>(dots: &[(f64, f64, K)]) -> Vec<Group> {
    if dots.len() <= MOST_DOTS {
        let alone = |(n, (x, y, _)): (usize, &(f64, f64, K))| Group { x: *x, y: *y, members: vec![n] };
        return dots.iter().enumerate().map(alone).collect();
    }
    let mut cells: BTreeMap<(u16, u16, K), Vec<usize>> = BTreeMap::new();
    for (n, (x, y, kind)) in dots.iter().enumerate() {
        cells.entry((cell(*x), cell(*y), *kind)).or_default().push(n);
    }
    let group = |members: Vec<usize>| {
        let mean = |place: fn(&(f64, f64, K)) -> f64| {
            members.iter().map(|n| place(&dots[*n])).sum::<f64>() / real_len(members.len())
        };
        Group { x: mean(|dot| dot.0), y: mean(|dot| dot.1), members }
    };
    cells.into_values().map(group).collect()
}

/// Column or row of a place.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places are within the picture")]
fn cell(place: f64) -> u16 {
    (place / CELL) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_dots_stay_alone_even_at_one_place() {
        assert_eq!(groups(&[(1.0, 1.0, ()); 3]).len(), 3);
    }

    #[test]
    fn many_dots_are_merged_by_place_and_kind_and_none_is_lost() {
        let mut random = fastrand::Rng::with_seed(7);
        let dots: Vec<_> =
            (0..10_000).map(|n| (random.f64() * 512.0, random.f64() * 182.0, n % 7 == 0)).collect();
        let groups = groups(&dots);
        assert!(groups.len() < 1_400, "{}", groups.len());
        let mut members: Vec<usize> = groups.iter().flat_map(|group| group.members.clone()).collect();
        members.sort_unstable();
        assert_eq!(members, (0..10_000).collect::<Vec<_>>());
        assert!(
            groups.iter().all(|group| group.members.iter().all(|n| dots[*n].2 == dots[group.members[0]].2))
        );
    }
}
