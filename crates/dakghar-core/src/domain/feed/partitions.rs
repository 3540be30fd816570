//! Which tenants are sequenced together.

use super::super::ids::TenantId;

/// How many partitions there are. Fixed: which tenant is in which follows from it.
pub const PARTITIONS: u32 = u64::BITS;

/// A set of partitions. The tenants of a partition are sequenced together, by one process at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partitions(u64);

impl Partitions {
    /// Every partition.
    pub const ALL: Self = Self(u64::MAX);

    /// Those of which `is_in` says so.
    pub fn of(is_in: impl Fn(u32) -> bool) -> Self {
        let bits = (0..PARTITIONS).filter(|partition| is_in(*partition));
        Self(bits.fold(0, |set, partition| set | 1 << partition))
    }

    /// Returns the partition of a tenant.
    pub const fn partition_of(tenant_id: &TenantId) -> u32 {
        // The end of the id is random.
        let bytes = tenant_id.as_uuid().as_bytes();
        bytes[15] as u32 % PARTITIONS
    }

    /// True if it has this one.
    pub const fn has(self, partition: u32) -> bool {
        partition < PARTITIONS && self.0 & 1 << partition != 0
    }

    /// True if it has the partition of this tenant.
    pub const fn has_tenant(self, tenant_id: &TenantId) -> bool {
        self.has(Self::partition_of(tenant_id))
    }

    /// Returns them in order.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        (0..PARTITIONS).filter(move |partition| self.has(*partition))
    }

    /// Returns how many they are.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn partitions_are_a_set() {
        let tenant = |n: u8| TenantId::from_uuid(Uuid::from_u128(n.into()));
        let odd = Partitions::of(|partition| partition % 2 == 1);
        assert_eq!(
            (Partitions::ALL.count(), odd.count(), Partitions::default().count()),
            (64, 32, 0)
        );
        assert_eq!(odd.iter().take(3).collect::<Vec<_>>(), [1, 3, 5]);
        assert!(odd.has_tenant(&tenant(65)) && !odd.has_tenant(&tenant(66)) && !odd.has(64));
    }
}
