//! Places in a picture: its size, and the way from a value to a place.

/// Size of every picture, in units of the drawing. A unit is about a pixel.
pub(super) const WIDTH: f64 = 560.0;
pub(super) const HEIGHT: f64 = 220.0;
/// Edges of the area that values are drawn in. The labels of the axes are outside.
pub(super) const LEFT: f64 = 40.0;
pub(super) const RIGHT: f64 = WIDTH - 8.0;
pub(super) const TOP: f64 = 12.0;
pub(super) const BOTTOM: f64 = HEIGHT - 26.0;

/// A count as a number that can be divided.
#[expect(clippy::cast_precision_loss, reason = "places have a tenth of a unit")]
pub(super) const fn real(count: u64) -> f64 {
    count as f64
}

/// A length or an index as a number that can be divided.
#[expect(clippy::cast_precision_loss, reason = "places have a tenth of a unit")]
pub(super) const fn real_len(length: usize) -> f64 {
    length as f64
}

/// A place as an attribute has it: with one digit after the point at most.
pub(super) fn place(place: f64) -> String {
    let text = format!("{place:.1}");
    let text = text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned);
    if text == "-0" { "0".to_owned() } else { text }
}

/// A path through places.
pub(super) fn path(places: impl Iterator<Item = (f64, f64)>) -> String {
    let step = |(n, (x, y)): (usize, (f64, f64))| {
        format!("{}{} {}", if n == 0 { "M" } else { "L" }, place(x), place(y))
    };
    places.enumerate().map(step).collect()
}

/// Scale from values to places. A value outside is put on the edge, so that every place is within the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    values: (f64, f64),
    places: (f64, f64),
    is_logarithmic: bool,
}

impl Scale {
    /// Equal differences have equal lengths.
    pub(super) const fn linear(values: (f64, f64), places: (f64, f64)) -> Self {
        Self { values, places, is_logarithmic: false }
    }

    /// Equal factors have equal lengths. Both values are above zero.
    pub(super) fn logarithmic((from, to): (f64, f64), places: (f64, f64)) -> Self {
        Self { values: (from.ln(), to.ln()), places, is_logarithmic: true }
    }

    /// Place of a value. Without a range, everything is in the middle.
    pub(super) fn at(&self, value: f64) -> f64 {
        let ((from, to), (start, end)) = (self.values, self.places);
        let value = if self.is_logarithmic { value.max(f64::MIN_POSITIVE).ln() } else { value };
        // The maximum of NaN and a number is the number.
        let value = value.max(from);
        let share = if to > from { ((value - from) / (to - from)).clamp(0.0, 1.0) } else { 0.5 };
        start + share * (end - start)
    }
}

/// Columns of equal width, one for each period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    width: f64,
}

impl Columns {
    pub(super) fn new(count: usize) -> Self {
        Self { width: (RIGHT - LEFT) / real_len(count.max(1)) }
    }

    pub(super) const fn width(self) -> f64 {
        self.width
    }

    /// Left edge of a column.
    pub(super) fn left(self, n: usize) -> f64 {
        LEFT + self.width * real_len(n)
    }

    pub(super) fn centre(self, n: usize) -> f64 {
        self.left(n) + self.width / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(scale: Scale, values: &[f64]) -> Vec<String> {
        values.iter().map(|value| place(scale.at(*value))).collect()
    }

    #[test]
    fn values_are_put_between_the_edges() {
        let scale = Scale::linear((0.0, 0.2), (100.0, 0.0));
        assert_eq!(
            places(scale, &[0.0, 0.05, 0.2, 7.0, -1.0, f64::NAN]),
            ["100", "75", "0", "0", "100", "100"]
        );
        let scale = Scale::logarithmic((1.0, 100.0), (0.0, 10.0));
        assert_eq!(places(scale, &[1.0, 10.0, 100.0, 0.0, 1e9]), ["0", "5", "10", "0", "10"]);
    }

    #[test]
    fn a_range_of_one_value_divides_nothing_by_zero() {
        assert_eq!(places(Scale::linear((3.0, 3.0), (0.0, 10.0)), &[3.0, 4.0]), ["5", "5"]);
        assert_eq!(places(Scale::logarithmic((3.0, 3.0), (0.0, 10.0)), &[3.0]), ["5"]);
    }

    #[test]
    fn columns_fill_the_width() {
        for count in [1, 2, 13, 400] {
            let columns = Columns::new(count);
            assert_eq!(place(columns.left(0)), place(LEFT));
            assert_eq!(place(columns.left(count)), place(RIGHT));
        }
        assert!(Columns::new(0).width().is_finite());
    }
}
