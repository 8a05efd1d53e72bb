//! How sure a share is that was measured on few.

/// Wilson's score interval at 95 % of a share of which `hits` of `trials` were seen ("Probable Inference", 1927): from, to.
#[must_use]
pub fn wilson(hits: u32, trials: u32) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    if trials == 0 {
        return [0.0, 1.0];
    }
    let (n, share) = (f64::from(trials), f64::from(hits) / f64::from(trials));
    let scale = 1.0 + Z * Z / n;
    let middle = (share + Z * Z / (2.0 * n)) / scale;
    let reach = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
    [(middle - reach).max(0.0), (middle + reach).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_wilsons() {
        let close = |found: [f64; 2], wanted: [f64; 2]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 5e-4);
        assert!(close(wilson(0, 10), [0.0, 0.2775]), "{:?}", wilson(0, 10));
        assert!(close(wilson(8, 10), [0.4902, 0.9433]), "{:?}", wilson(8, 10));
        assert!(close(wilson(10, 10), [0.7225, 1.0]), "{:?}", wilson(10, 10));
        assert!(close(wilson(0, 0), [0.0, 1.0]));
    }
}
