//! The codes of countries and networks, and how many digits follow them.

/// The most digits of a code.
pub(super) const DIGITS_MAX: usize = 3;

/// A country code, or that of a network that spans countries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Code {
    number: u16,
    /// A bit for each length of numbers that people have: of their telephones, fixed or mobile.
    usual: u32,
    /// A bit for each length of other numbers: of services and the like.
    rare: u32,
    /// True if a number may begin with a zero that is dialled from abroad, too.
    has_zero: bool,
}

impl Code {
    const fn new(number: u16, usual: &[u8], rare: &[u8]) -> Self {
        Self {
            number,
            usual: bits(usual),
            rare: bits(rare),
            has_zero: false,
        }
    }

    const fn with_zero(self) -> Self {
        Self { has_zero: true, ..self }
    }

    /// The code itself.
    pub(super) const fn number(&self) -> u16 {
        self.number
    }

    /// True if the digits begin with a zero that is dialled at home only.
    pub(super) fn has_trunk_zero(&self, rest: &[u8]) -> bool {
        rest.starts_with(b"0") && !self.has_zero
    }

    pub(super) const fn allows(&self, digits: usize) -> bool {
        digits < 32 && self.usual & (1 << digits) != 0
    }

    pub(super) const fn allows_rarely(&self, digits: usize) -> bool {
        digits < 32 && self.rare & (1 << digits) != 0
    }
}

const fn bits(lengths: &[u8]) -> u32 {
    let (mut bits, mut i) = (0, 0);
    while i < lengths.len() {
        bits |= 1 << lengths[i];
        i += 1;
    }
    bits
}

pub(super) fn find(number: u16) -> Option<&'static Code> {
    let place = CODES.binary_search_by_key(&number, Code::number).ok()?;
    CODES.get(place)
}

/// Sorted by code. Mexico's 11 digits and the shorter ones of Benin and Côte d'Ivoire are older forms, under which people
/// are still known to WhatsApp.
const CODES: &[Code] = &[
    Code::new(1, &[10], &[7]),
    Code::new(7, &[10], &[14]),
    Code::new(20, &[8, 9, 10], &[]),
    Code::new(27, &[5, 6, 7, 8, 9], &[10]),
    Code::new(30, &[10], &[11, 12]),
    Code::new(31, &[9, 11], &[5, 6, 7, 8, 10]),
    Code::new(32, &[8, 9], &[]),
    Code::new(33, &[9], &[]),
    Code::new(34, &[9], &[]),
    Code::new(36, &[8, 9], &[]),
    Code::new(39, &[6, 7, 8, 9, 10, 11, 12], &[]).with_zero(),
    Code::new(40, &[6, 9], &[]),
    Code::new(41, &[9], &[12]),
    Code::new(43, &[5, 6, 7, 8, 9, 10, 11, 12, 13], &[]),
    Code::new(44, &[9, 10], &[7]),
    Code::new(45, &[8], &[]),
    Code::new(46, &[7, 8, 9], &[6, 10, 12]),
    Code::new(47, &[8], &[5]),
    Code::new(48, &[7, 9], &[6, 8, 10]),
    Code::new(49, &[5, 6, 7, 8, 9, 10, 11, 12, 13], &[]),
    Code::new(51, &[8, 9], &[]),
    Code::new(52, &[10, 11], &[]),
    Code::new(53, &[6, 7, 8, 10], &[]),
    Code::new(54, &[10, 11], &[]),
    Code::new(55, &[10, 11], &[8, 9]),
    Code::new(56, &[9], &[10, 11]),
    Code::new(57, &[8, 10], &[11]),
    Code::new(58, &[10], &[]),
    Code::new(60, &[8, 9, 10], &[]),
    Code::new(61, &[9], &[5, 6, 7, 8, 10, 12]),
    Code::new(62, &[7, 8, 9, 10, 11, 12], &[13]),
    Code::new(63, &[6, 8, 9, 10], &[11, 12, 13]),
    Code::new(64, &[8, 9, 10], &[5, 6, 7]),
    Code::new(65, &[8], &[10, 11]),
    Code::new(66, &[8, 9], &[10, 13]),
    Code::new(81, &[9, 10], &[8, 11, 12, 13]),
    Code::new(82, &[5, 6, 8, 9, 10], &[11, 12, 13]),
    Code::new(84, &[9, 10], &[7, 8]),
    Code::new(86, &[7, 8, 9, 10, 11], &[12]),
    Code::new(90, &[10], &[7, 12, 13]),
    Code::new(91, &[10], &[8, 9, 11, 12, 13]),
    Code::new(92, &[9, 10], &[8, 11, 12]),
    Code::new(93, &[9], &[]),
    Code::new(94, &[9], &[]),
    Code::new(95, &[6, 7, 8, 9, 10], &[]),
    Code::new(98, &[6, 7, 10], &[5]),
    Code::new(211, &[9], &[]),
    Code::new(212, &[9], &[]),
    Code::new(213, &[8, 9], &[]),
    Code::new(216, &[8], &[]),
    Code::new(218, &[9], &[]),
    Code::new(220, &[7, 9], &[]),
    Code::new(221, &[9], &[]),
    Code::new(222, &[8], &[]),
    Code::new(223, &[8], &[]),
    Code::new(224, &[8, 9], &[]),
    Code::new(225, &[8, 10], &[]).with_zero(),
    Code::new(226, &[8], &[]).with_zero(),
    Code::new(227, &[8], &[]),
    Code::new(228, &[8], &[]),
    Code::new(229, &[8, 10], &[]).with_zero(),
    Code::new(230, &[7, 8], &[10]),
    Code::new(231, &[7, 8, 9], &[]),
    Code::new(232, &[8], &[]),
    Code::new(233, &[9], &[8]),
    Code::new(234, &[10], &[11, 12]),
    Code::new(235, &[8], &[]),
    Code::new(236, &[8], &[]),
    Code::new(237, &[9], &[8]),
    Code::new(238, &[7], &[]),
    Code::new(239, &[7], &[]),
    Code::new(240, &[9], &[]),
    Code::new(241, &[7, 8], &[]).with_zero(),
    Code::new(242, &[9], &[]).with_zero(),
    Code::new(243, &[7, 8, 9, 10], &[]),
    Code::new(244, &[9], &[]),
    Code::new(245, &[9], &[7]),
    Code::new(246, &[7], &[]),
    Code::new(247, &[5], &[6]),
    Code::new(248, &[7], &[]),
    Code::new(249, &[9], &[]),
    Code::new(250, &[8, 9], &[]).with_zero(),
    Code::new(251, &[9], &[]),
    Code::new(252, &[6, 7, 8, 9], &[]),
    Code::new(253, &[8], &[]),
    Code::new(254, &[7, 8, 9], &[10]),
    Code::new(255, &[9], &[]),
    Code::new(256, &[9], &[]),
    Code::new(257, &[8], &[]),
    Code::new(258, &[8, 9], &[]),
    Code::new(260, &[9], &[]),
    Code::new(261, &[9], &[]),
    Code::new(262, &[9], &[]),
    Code::new(263, &[9], &[7, 10]),
    Code::new(264, &[8, 9], &[]),
    Code::new(265, &[7, 9], &[]),
    Code::new(266, &[8], &[]),
    Code::new(267, &[7, 8], &[10]),
    Code::new(268, &[8], &[9]),
    Code::new(269, &[7], &[]),
    Code::new(290, &[4, 5], &[]),
    Code::new(291, &[7], &[]),
    Code::new(297, &[7], &[]),
    Code::new(298, &[6], &[]),
    Code::new(299, &[6], &[]),
    Code::new(350, &[8], &[]),
    Code::new(351, &[9], &[]),
    Code::new(352, &[4, 5, 6, 7, 8, 9, 10, 11], &[]),
    Code::new(353, &[7, 8, 9, 10], &[]),
    Code::new(354, &[7, 9], &[]),
    Code::new(355, &[8, 9], &[6, 7]),
    Code::new(356, &[8], &[]),
    Code::new(357, &[8], &[]),
    Code::new(358, &[5, 6, 7, 8, 9, 10], &[11, 12]),
    Code::new(359, &[6, 7, 8, 9], &[12]),
    Code::new(370, &[8], &[]),
    Code::new(371, &[8], &[]),
    Code::new(372, &[7, 8], &[10]),
    Code::new(373, &[8], &[]),
    Code::new(374, &[8], &[]),
    Code::new(375, &[9], &[6, 7, 8, 10, 11]),
    Code::new(376, &[6, 9], &[8]),
    Code::new(377, &[8, 9], &[]),
    Code::new(378, &[8, 10], &[]).with_zero(),
    Code::new(380, &[9], &[10]),
    Code::new(381, &[7, 8, 9, 10, 11, 12], &[6]),
    Code::new(382, &[8], &[9]),
    Code::new(383, &[8, 9, 10, 11, 12], &[]),
    Code::new(385, &[8, 9], &[7]),
    Code::new(386, &[8], &[5, 6, 7]),
    Code::new(387, &[8, 9], &[]),
    Code::new(389, &[8], &[]),
    Code::new(420, &[9], &[10, 11, 12]),
    Code::new(421, &[6, 7, 9], &[]),
    Code::new(423, &[7, 9], &[]),
    Code::new(500, &[5], &[]),
    Code::new(501, &[7], &[11]),
    Code::new(502, &[8], &[11]),
    Code::new(503, &[8], &[7, 11]),
    Code::new(504, &[8], &[11]),
    Code::new(505, &[8], &[]),
    Code::new(506, &[8], &[10]),
    Code::new(507, &[7, 8], &[10, 11]),
    Code::new(508, &[6, 9], &[]),
    Code::new(509, &[8], &[]),
    Code::new(590, &[9], &[]),
    Code::new(591, &[8], &[9]),
    Code::new(592, &[7], &[]),
    Code::new(593, &[8, 9], &[10, 11]),
    Code::new(594, &[9], &[]),
    Code::new(595, &[7, 8, 9], &[6, 10, 11]),
    Code::new(596, &[9], &[]),
    Code::new(597, &[6, 7], &[]),
    Code::new(598, &[8], &[4, 5, 6, 7, 9, 10, 11, 12]),
    Code::new(599, &[7, 8], &[]),
    Code::new(670, &[7, 8], &[]),
    Code::new(672, &[6], &[]),
    Code::new(673, &[7], &[]),
    Code::new(674, &[7], &[]),
    Code::new(675, &[7, 8], &[]),
    Code::new(676, &[5, 7], &[]),
    Code::new(677, &[5, 7], &[]),
    Code::new(678, &[5, 7], &[]),
    Code::new(679, &[7], &[11]),
    Code::new(680, &[7], &[]),
    Code::new(681, &[6], &[9]),
    Code::new(682, &[5], &[]),
    Code::new(683, &[4, 7], &[]),
    Code::new(685, &[5, 6, 7, 10], &[]),
    Code::new(686, &[5, 8], &[]),
    Code::new(687, &[6], &[]),
    Code::new(688, &[5, 6, 7], &[]),
    Code::new(689, &[8], &[6, 9]),
    Code::new(690, &[4, 5, 6, 7], &[]),
    Code::new(691, &[7], &[]),
    Code::new(692, &[7], &[]),
    Code::new(800, &[8], &[]),
    Code::new(808, &[8], &[]),
    Code::new(850, &[8, 10], &[]),
    Code::new(852, &[8], &[5, 6, 7, 9, 11]),
    Code::new(853, &[8], &[7]),
    Code::new(855, &[8, 9], &[10]),
    Code::new(856, &[8, 9, 10], &[]),
    Code::new(870, &[9, 12], &[]),
    Code::new(878, &[12], &[]),
    Code::new(880, &[6, 7, 8, 9, 10], &[]),
    Code::new(881, &[9, 10], &[]).with_zero(),
    Code::new(882, &[7, 8, 9, 10, 12], &[11]),
    Code::new(883, &[8, 9, 10, 11, 12], &[]),
    Code::new(886, &[8, 9], &[7, 10, 11]),
    Code::new(888, &[11], &[]),
    Code::new(960, &[7], &[10]),
    Code::new(961, &[7, 8], &[]),
    Code::new(962, &[8, 9], &[]),
    Code::new(963, &[8, 9], &[]),
    Code::new(964, &[8, 9, 10], &[]),
    Code::new(965, &[8], &[7]),
    Code::new(966, &[9], &[10]),
    Code::new(967, &[7, 8, 9], &[]),
    Code::new(968, &[8], &[7, 9]),
    Code::new(970, &[8, 9], &[10]),
    Code::new(971, &[8, 9], &[5, 6, 7, 10, 11, 12]),
    Code::new(972, &[8, 9, 11, 12], &[7, 10]),
    Code::new(973, &[8], &[]),
    Code::new(974, &[8], &[7, 9, 11]),
    Code::new(975, &[7, 8], &[]),
    Code::new(976, &[8, 9, 10], &[]),
    Code::new(977, &[8, 10], &[11]),
    Code::new(979, &[9], &[]),
    Code::new(992, &[9], &[]).with_zero(),
    Code::new(993, &[8], &[]),
    Code::new(994, &[9], &[]),
    Code::new(995, &[9], &[]),
    Code::new(996, &[9], &[10]),
    Code::new(998, &[9], &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_no_code_begins_another() {
        assert!(CODES.is_sorted_by(|a, b| a.number < b.number));
        for code in CODES {
            for shorter in [code.number / 10, code.number / 100] {
                assert!(find(shorter).is_none(), "{} begins {}", shorter, code.number);
            }
            assert_ne!(code.usual, 0, "{}", code.number);
            assert_eq!(code.usual & code.rare, 0, "{}", code.number);
        }
    }
}
