//! A Redis Cluster for tests: masters only, each with its share of the slots.

use std::time::Duration;

use super::Redis;
use super::redis::command;

const SLOTS: usize = 16_384;
const FORMED_SECONDS_MAX: u64 = 60;

/// A Redis Cluster of one test. Killed when dropped.
pub struct RedisCluster {
    /// The masters.
    pub nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts so many masters and waits until each knows that the cluster works.
    pub async fn start(masters: usize) -> Self {
        let mut nodes = Vec::with_capacity(masters);
        for _ in 0..masters {
            nodes.push(Redis::start_with(&["--cluster-enabled", "yes"]).await);
        }
        let first = nodes.first().expect("a cluster has a node").port();
        for (index, node) in nodes.iter().enumerate() {
            let (from, below) = (SLOTS * index / masters, SLOTS * (index + 1) / masters);
            tell(node, &format!("CLUSTER ADDSLOTSRANGE {from} {}", below - 1)).await;
            // Without an epoch of its own each would take the slots of the others to be disputed.
            tell(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1)).await;
            tell(node, &format!("CLUSTER MEET 127.0.0.1 {first}")).await;
        }
        for node in &nodes {
            formed(node, masters).await;
        }
        Self { nodes }
    }

    /// How clients find it, starting from one node, as `redis://127.0.0.1:port?cluster=true`.
    pub fn url(&self) -> String {
        format!("{}?cluster=true", self.nodes[0].url())
    }
}

async fn tell(node: &Redis, line: &str) {
    let reply = command(node.port(), line).await;
    assert_eq!(reply.as_deref(), Some("+OK\r\n"), "{line}");
}

async fn formed(node: &Redis, masters: usize) {
    let known = format!("cluster_known_nodes:{masters}\r\n");
    for _ in 0..FORMED_SECONDS_MAX * 50 {
        let info = command(node.port(), "CLUSTER INFO").await.unwrap_or_default();
        if info.contains("cluster_state:ok") && info.contains(&known) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the cluster did not form in {FORMED_SECONDS_MAX} s");
}
