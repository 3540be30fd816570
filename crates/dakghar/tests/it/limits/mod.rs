//! The limits of a tenant: one that goes beyond them is held to them, and costs the others nothing.

mod calls;
mod requests;
mod waiting;

use dakghar_testkit::Port;

use crate::product::{Product, Tenant};

/// The tenants of a test: one that asks too much, and nine others.
struct Tenants {
    abuser: Tenant,
    others: Vec<Tenant>,
}

impl Tenants {
    async fn register(product: &Product) -> Self {
        let abuser = product.tenant("100", "mock_a").await;
        let mut others = Vec::new();
        for number in 101..110 {
            others.push(product.tenant(&number.to_string(), "mock_b").await);
        }
        Self { abuser, others }
    }
}

/// The ports of the processes that answer requests: one where they are embedded, else two. The second one is `second`.
async fn ports(product: &mut Product, second: &Port) -> Vec<u16> {
    let mut ports = vec![product.port.number()];
    if product.is_distributed() {
        product.spawn_on("api", second.number());
        ports.push(second.number());
    }
    for port in &ports {
        product.ready_on(*port).await;
    }
    ports
}
