//! Webhooks, as Meta posts them.

use dakghar_core::app::WebhookReceipt;
use dakghar_core::domain::Problem;
use dakghar_core::domain::meta_app::Addressed;

use super::Process;

impl Process {
    /// A webhook at the URL of all apps.
    pub async fn receive(&self, body: &[u8]) -> Result<WebhookReceipt, Problem> {
        Ok(self.app.receiving.receive(Addressed::AnyApp, body, &[]).await?)
    }

    /// A webhook at the URL of this app.
    pub async fn receive_for(&self, app: &str, body: &[u8]) -> Result<WebhookReceipt, Problem> {
        Ok(self.app.receiving.receive(Addressed::OneApp(app), body, &[]).await?)
    }

    /// Meta verifies the URL of this app.
    pub async fn verify_for(&self, app: &str) -> Result<String, Problem> {
        let verified = self
            .app
            .receiving
            .verify(Addressed::OneApp(app), "subscribe", "token", "7");
        Ok(verified.await?.to_owned())
    }
}
