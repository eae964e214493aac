//! A `Range` header. Pure.

/// What of a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteRange {
    Whole,
    /// First byte and count; the count is not 0.
    Part(u64, u64),
    /// Begins behind the end.
    BehindEnd,
}

/// Reads a `Range` header. More ranges than one, and what is no range, mean the whole.
pub(super) fn read(range: &str, size: u64) -> ByteRange {
    let spec = match range.trim().strip_prefix("bytes=") {
        Some(spec) if !spec.contains(',') => spec.trim(),
        _ => return ByteRange::Whole,
    };
    let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        true => Some(text.parse::<u64>().unwrap_or(u64::MAX)),
        false => None,
    };
    let Some((first, last)) = spec.split_once('-') else {
        return ByteRange::Whole;
    };
    match (number(first), number(last)) {
        (None, Some(0)) if first.is_empty() => ByteRange::BehindEnd,
        (None, Some(_)) if first.is_empty() && size == 0 => ByteRange::BehindEnd,
        (None, Some(tail)) if first.is_empty() => {
            let count = tail.min(size);
            ByteRange::Part(size - count, count)
        }
        (Some(first), None) if last.is_empty() && first < size => {
            ByteRange::Part(first, size - first)
        }
        (Some(first), Some(last)) if first <= last && first < size => {
            ByteRange::Part(first, last.min(size - 1) - first + 1)
        }
        (Some(first), None) if last.is_empty() && first >= size => ByteRange::BehindEnd,
        (Some(first), Some(last)) if first <= last => ByteRange::BehindEnd,
        _ => ByteRange::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_the_standard_says_and_nonsense_is_the_whole() {
        let table = [
            ("bytes=0-0", ByteRange::Part(0, 1)),
            ("bytes=0-", ByteRange::Part(0, 100)),
            ("bytes=10-19", ByteRange::Part(10, 10)),
            ("bytes=90-500", ByteRange::Part(90, 10)),
            ("bytes=99-", ByteRange::Part(99, 1)),
            ("bytes=-1", ByteRange::Part(99, 1)),
            ("bytes=-500", ByteRange::Part(0, 100)),
            ("bytes=100-", ByteRange::BehindEnd),
            ("bytes=100-200", ByteRange::BehindEnd),
            ("bytes=-0", ByteRange::BehindEnd),
            ("bytes=99999999999999999999999-", ByteRange::BehindEnd),
            ("bytes=5-99999999999999999999999", ByteRange::Part(5, 95)),
            ("bytes=20-10", ByteRange::Whole),
            ("bytes=0-1,5-6", ByteRange::Whole),
            ("bytes=a-b", ByteRange::Whole),
            ("bytes=+1-2", ByteRange::Whole),
            ("bytes=-", ByteRange::Whole),
            ("bytes=", ByteRange::Whole),
            ("lines=1-2", ByteRange::Whole),
        ];
        for (range, right) in table {
            assert_eq!(read(range, 100), right, "{range}");
        }
        assert_eq!(read("bytes=0-", 0), ByteRange::BehindEnd);
        assert_eq!(read("bytes=-5", 0), ByteRange::BehindEnd);
    }
}
