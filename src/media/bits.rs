//! Bits of a parameter set, most significant first.

/// Reads bits; past the end there is nothing (`None`).
#[derive(Clone, Debug)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, at: 0 }
    }

    pub fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// Bits that were read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Up to 32 bits.
    pub fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    pub fn skip(&mut self, count: usize) -> Option<()> {
        let at = self.at.checked_add(count)?;
        (at <= self.bytes.len().checked_mul(8)?).then(|| self.at = at)
    }

    /// Exp-Golomb, unsigned: ue(v).
    pub fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.bits(zeros)?)
    }

    /// Exp-Golomb, signed: se(v); only its length matters here.
    pub fn skip_se(&mut self) -> Option<()> {
        self.ue().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_golomb_codes_read_as_the_standard_says() {
        // 1 010 011 00100 00101 | 1010…
        let bytes = [0b1010_0110, 0b0100_0010, 0b1101_0000];
        let mut bits = Bits::new(&bytes);
        let codes: Vec<u32> = (0..5).filter_map(|_| bits.ue()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        assert_eq!(bits.bits(3), Some(0b101));
        assert_eq!(bits.skip(4), Some(()));
        assert_eq!(bits.bit(), None);
        assert_eq!(bits.skip(1), None);
        assert_eq!(Bits::new(&[0; 9]).ue(), None);
    }
}
