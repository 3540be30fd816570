//! CRC-32C (Castagnoli), the highest bit first, which is another way than that of the program.

/// The polynomial.
const POLYNOMIAL: u32 = 0x1edc_6f41;

/// The checksum.
pub(super) fn of(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(byte.reverse_bits()) << 24;
        for _ in 0..8 {
            let is_high = crc >> 31 == 1;
            crc <<= 1;
            if is_high {
                crc ^= POLYNOMIAL;
            }
        }
    }
    !crc.reverse_bits()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_of_the_catalogue_comes_out() {
        assert_eq!(super::of(b"123456789"), 0xe306_9283);
    }
}
