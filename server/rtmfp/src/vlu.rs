//! Variable length unsigned integers (RFC 7016 section 2.1.2): seven bits an octet, the most
//! significant first, the high bit set on all but the last.

/// The most octets that [`put`] writes.
pub const LONGEST: usize = 10;

/// Reads a number from the front; gives it and what follows. `None` when the octets end inside the
/// number or when it does not fit into 64 bits. Leading zero digits are legal.
pub fn split(octets: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (index, octet) in octets.iter().enumerate() {
        // The top seven bits must be free, or the shift would lose them.
        if value >> 57 != 0 {
            return None;
        }
        value = value << 7 | u64::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            return octets.get(index + 1..).map(|rest| (value, rest));
        }
    }
    None
}

/// How many octets [`put`] writes for a number, 1 to [`LONGEST`].
pub fn length(value: u64) -> usize {
    let bits = 64 - value.leading_zeros() as usize;
    bits.div_ceil(7).max(1)
}

/// Appends a number in its shortest form.
pub fn put(to: &mut Vec<u8>, value: u64) {
    for digit in (0..length(value)).rev() {
        let more = if digit > 0 { 0x80 } else { 0 };
        to.push((value >> (7 * digit)) as u8 & 0x7f | more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_went() {
        let edges = (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit]).chain([u64::MAX]);
        for value in edges {
            let mut octets = Vec::new();
            put(&mut octets, value);
            assert_eq!(octets.len(), length(value));
            octets.push(9);
            assert_eq!(split(&octets), Some((value, &[9][..])));
        }
    }

    #[test]
    fn leading_zero_digits_are_legal() {
        assert_eq!(split(&[0x80, 0x80, 0x80, 0x05]), Some((5, &[][..])));
        let mut long = vec![0x80; 40];
        long.push(0x7f);
        assert_eq!(split(&long), Some((127, &[][..])));
    }

    #[test]
    fn a_number_cut_short_or_too_large_is_refused() {
        assert_eq!(split(&[]), None);
        assert_eq!(split(&[0x81]), None);
        let mut large = vec![0x82];
        large.extend([0x80; 8]);
        large.push(0);
        assert_eq!(split(&large), None, "65 bits");
    }
}
