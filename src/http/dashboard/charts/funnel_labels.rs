//! Names beside the dots of the funnel, where they cover nothing.

use super::scale::{BOTTOM, LEFT, RIGHT, TOP};
use super::text::width;

/// Height of a line of text above and below its middle.
const HALF_LINE: f64 = 6.5;
/// Distance of a name from its dot.
const DISTANCE: f64 = 7.0;

/// A name that has found its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct NamePlace {
    pub(super) x: f64,
    /// Baseline of the text.
    pub(super) y: f64,
    /// Value of `text-anchor`.
    pub(super) anchor: &'static str,
}

/// A rectangle.
#[derive(Debug, Clone, Copy)]
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn around_dot((x, y): (f64, f64)) -> Self {
        Self { left: x - 3.0, right: x + 3.0, top: y - 3.0, bottom: y + 3.0 }
    }

    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn is_in_picture(&self) -> bool {
        self.left >= LEFT && self.right <= RIGHT && self.top >= TOP - 4.0 && self.bottom <= BOTTOM
    }
}

/// Places for the names of the first dots, the most important first. `None` where a name would cover another name or
/// a dot.
pub(super) fn place_names(names: &[String], dots: &[(f64, f64)]) -> Vec<Option<NamePlace>> {
    let obstacles: Vec<Area> = dots.iter().map(|dot| Area::around_dot(*dot)).collect();
    let mut taken: Vec<Area> = Vec::new();
    let find = |(n, (name, dot)): (usize, (&String, &(f64, f64)))| {
        let is_free = |area: &Area| {
            let mut others = obstacles.iter().enumerate().filter(|(other, _)| *other != n);
            area.is_in_picture()
                && others.all(|(_, other)| !area.meets(other))
                && taken.iter().all(|other| !area.meets(other))
        };
        let (place, area) = places(*dot, width(name)).into_iter().find(|(_, area)| is_free(area))?;
        taken.push(area);
        Some(place)
    };
    names.iter().zip(dots).enumerate().map(find).collect()
}

/// The places around a dot, the best one first.
fn places((x, y): (f64, f64), width: f64) -> [(NamePlace, Area); 6] {
    let place = |from: f64, middle: f64, anchor: &'static str| {
        let left = match anchor {
            "start" => from,
            "end" => from - width,
            _ => from - width / 2.0,
        };
        let area = Area { left, right: left + width, top: middle - HALF_LINE, bottom: middle + HALF_LINE };
        (NamePlace { x: from, y: middle + 4.0, anchor }, area)
    };
    [
        place(x + DISTANCE, y, "start"),
        place(x - DISTANCE, y, "end"),
        place(x, y - 12.0, "middle"),
        place(x, y + 12.0, "middle"),
        place(x + DISTANCE, y - 10.0, "start"),
        place(x - DISTANCE, y - 10.0, "end"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_cover_names_or_dots() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..200 {
            let dots: Vec<_> = (0..60)
                .map(|_| (LEFT + random.f64() * (RIGHT - LEFT), TOP + random.f64() * (BOTTOM - TOP)))
                .collect();
            let names: Vec<_> = (0..12).map(|n| "n".repeat(n * 2 + 1)).collect();
            let found = place_names(&names, &dots);
            let areas: Vec<Area> = found
                .iter()
                .enumerate()
                .filter_map(|(n, place)| {
                    let place = (*place)?;
                    let both =
                        places(dots[n], width(&names[n])).into_iter().find(|(other, _)| *other == place);
                    both.map(|(_, area)| area)
                })
                .collect();
            assert!(!areas.is_empty());
            for (n, area) in areas.iter().enumerate() {
                assert!(
                    area.is_in_picture() && areas[n + 1..].iter().all(|other| !area.meets(other)),
                    "{areas:?}"
                );
            }
        }
    }

    #[test]
    fn a_name_without_a_free_place_is_left_out() {
        let name = "x".repeat(100);
        assert_eq!(place_names(&[name], &[(100.0, 100.0)]), [None]);
        let same = [(100.0, 100.0); 2];
        assert_eq!(place_names(&["a".to_owned()], &same)[0].map(|place| place.anchor), Some("start"));
    }
}
