//! CRC-32C (Castagnoli), for some hundred bytes at a time.

/// The polynomial, its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The checksum, in the type that the messages of Google have for it.
pub(super) fn of(bytes: &[u8]) -> i64 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
        }
    }
    i64::from(!crc)
}

#[cfg(test)]
mod tests {
    /// The check value of the catalogue of CRCs, and the examples of RFC 3720.
    #[test]
    fn the_known_values_come_out() {
        assert_eq!(super::of(b"123456789"), 0xe306_9283);
        assert_eq!(super::of(&[0; 32]), 0x8a91_36aa);
        assert_eq!(super::of(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(super::of(b""), 0);
    }
}
