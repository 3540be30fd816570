//! What a process tells of itself, and the hold of all sending.

use dakghar_core::domain::audit::Principal;
use prometheus_client::encoding::text;

use super::Process;

impl Process {
    /// What it exports about itself.
    pub fn exported(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.app.metrics.registry()).expect("a string takes everything");
        text
    }

    /// Holds all sending.
    pub async fn hold_all(&self) {
        self.app.holding.begin(Principal::CLI).await.expect("held");
    }

    /// Ends the hold of all sending.
    pub async fn release_all(&self) {
        self.app.holding.release(Principal::CLI).await.expect("released");
    }
}
