//! Lengths of time and rates as people write them: "40s", "1m30s", "8M". Pure.

/// Why a text is no length of time or rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadUnit {
    /// A number and nothing else.
    NoUnit,
    /// Something else altogether.
    Shape,
}

/// Milliseconds of "40s", "300ms", "1.5s", "1m30s", "2h", "7d". Larger units first, each once.
pub fn duration_ms(text: &str) -> Result<u64, BadUnit> {
    const UNITS: [(&str, u64); 6] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("min", 60_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let mut rest = text.trim();
    let (mut total, mut smallest) = (0u64, u64::MAX);
    if rest.is_empty() {
        return Err(BadUnit::Shape);
    }
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let unit = after.trim_start();
        let end = unit
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(unit.len());
        if end == 0 && unit.is_empty() && smallest == u64::MAX && decimal(number, 1).is_some() {
            return Err(BadUnit::NoUnit);
        }
        let found = UNITS.iter().find(|(name, _)| *name == &unit[..end]);
        let (_, unit_ms) = found.ok_or(BadUnit::Shape)?;
        if *unit_ms >= smallest {
            return Err(BadUnit::Shape);
        }
        smallest = *unit_ms;
        let part = decimal(number, *unit_ms).ok_or(BadUnit::Shape)?;
        total = total.checked_add(part).ok_or(BadUnit::Shape)?;
        rest = unit[end..].trim_start();
    }
    Ok(total)
}

/// Bits per second of "8M", "800k", "4.5M", "8 Mbps", "8000000".
pub fn rate_bps(text: &str) -> Result<u64, BadUnit> {
    let (number, after) = split_number(text.trim());
    let unit = after.trim();
    let unit = ["bit/s", "bps", "b/s"]
        .iter()
        .find_map(|end| unit.strip_suffix(end))
        .unwrap_or(unit);
    let factor = match unit {
        "" => 1,
        "k" | "K" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err(BadUnit::Shape),
    };
    decimal(number, factor).ok_or(BadUnit::Shape)
}

/// A length of time as one would write it.
pub fn show_ms(ms: u64) -> String {
    match ms {
        0 => "0s".to_owned(),
        _ if ms.is_multiple_of(86_400_000) => format!("{}d", ms / 86_400_000),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ if ms > 1000 => format!("{}.{:03}s", ms / 1000, ms % 1000)
            .replace("00s", "s")
            .replace("0s", "s"),
        _ => format!("{ms}ms"),
    }
}

/// A rate as one would write it.
pub fn show_bps(bps: u64) -> String {
    match bps {
        _ if bps > 0 && bps.is_multiple_of(1_000_000_000) => format!("{}G", bps / 1_000_000_000),
        _ if bps > 0 && bps.is_multiple_of(1_000_000) => format!("{}M", bps / 1_000_000),
        _ if bps > 0 && bps.is_multiple_of(1000) => format!("{}k", bps / 1000),
        _ => bps.to_string(),
    }
}

fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    text.split_at(end.unwrap_or(text.len()))
}

/// `number` × `factor`, rounded down; `number` is digits with at most one point inside.
pub fn decimal(number: &str, factor: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits =
        |text: &str| (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    let scale = 10u128.pow(u32::try_from(part.len()).ok()?);
    let value = whole.parse::<u128>().ok()? * scale + part.parse::<u128>().ok()?;
    u64::try_from(value * u128::from(factor) / scale).ok()
}

crate::quantities! {
    /// A length of time in a sentence: for people as they would write it, for programs a number of milliseconds.
    pub struct Millis(f, ms: u64) {
        f.write_str(&show_ms(ms))
    }

    /// A rate in a sentence, likewise.
    pub struct BitsPerSecond(f, bps: u64) {
        f.write_str(&show_bps(bps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        for (text, want) in [
            ("40s", Ok(40_000)),
            ("300ms", Ok(300)),
            ("1m30s", Ok(90_000)),
            ("1.5s", Ok(1500)),
            ("2 min", Ok(120_000)),
            ("1h 2m 3s 4ms", Ok(3_723_004)),
            ("0s", Ok(0)),
            ("40", Err(BadUnit::NoUnit)),
            ("1.5", Err(BadUnit::NoUnit)),
            ("", Err(BadUnit::Shape)),
            ("s", Err(BadUnit::Shape)),
            ("-1s", Err(BadUnit::Shape)),
            ("nan", Err(BadUnit::Shape)),
            ("30s1m", Err(BadUnit::Shape)),
            ("1s1s", Err(BadUnit::Shape)),
            ("1m30", Err(BadUnit::Shape)),
            ("1.2.3s", Err(BadUnit::Shape)),
            ("5 parsecs", Err(BadUnit::Shape)),
            ("999999999999999h", Err(BadUnit::Shape)),
            ("9999999999999999999999s", Err(BadUnit::Shape)),
            ("40ß", Err(BadUnit::Shape)),
        ] {
            assert_eq!(duration_ms(text), want, "{text:?}");
        }
    }

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, want) in [
            ("8M", Ok(8_000_000)),
            ("800k", Ok(800_000)),
            ("4.5M", Ok(4_500_000)),
            ("8 Mbps", Ok(8_000_000)),
            ("8Mbit/s", Ok(8_000_000)),
            ("8000000", Ok(8_000_000)),
            ("8m", Err(BadUnit::Shape)),
            ("8MB", Err(BadUnit::Shape)),
            ("fast", Err(BadUnit::Shape)),
            ("", Err(BadUnit::Shape)),
        ] {
            assert_eq!(rate_bps(text), want, "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for ms in [
            0,
            1,
            300,
            999,
            1500,
            1250,
            1001,
            40_000,
            90_000,
            3_600_000,
            3_660_000,
            604_800_000,
        ] {
            assert_eq!(duration_ms(&show_ms(ms)), Ok(ms), "{}", show_ms(ms));
        }
        for bps in [1, 100_000, 4_500_000, 8_000_000, 10_000_000_000] {
            assert_eq!(rate_bps(&show_bps(bps)), Ok(bps), "{}", show_bps(bps));
        }
        assert_eq!(show_ms(1500), "1.5s");
        assert_eq!(show_ms(10_050), "10.05s");
    }
}
