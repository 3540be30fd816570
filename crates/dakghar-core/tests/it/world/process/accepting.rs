//! What clients ask for beside single messages: many at once, and Meta's own answer.

use dakghar_core::app::{AcceptedMessage, Outcome};
use dakghar_core::domain::{Problem, TenantId, send_request};

use super::Process;

impl Process {
    /// Accepts many messages at once, each with a result of its own.
    pub async fn accept_bulk(
        &self,
        tenant: &TenantId,
        bodies: &[String],
    ) -> Result<Vec<Result<AcceptedMessage, Problem>>, Problem> {
        let tenant = self.app.tenants.find(tenant).await?;
        let parse =
            |body: &String| send_request::parse(body.as_bytes(), &[], self.app.wall(), &|from| tenant.home_of(from));
        let requests = bodies.iter().map(parse).collect::<Result<Vec<_>, Problem>>()?;
        let results = self.app.bulks.accept(&tenant, requests).await?;
        Ok(results
            .into_iter()
            .map(|result| result.map_err(Problem::from))
            .collect())
    }

    /// Accepts a message, and waits for what becomes of it.
    pub async fn accept_and_wait(
        &self,
        tenant: &TenantId,
        body: &str,
    ) -> Result<(AcceptedMessage, Option<Outcome>), Problem> {
        let tenant = self.app.tenants.find(tenant).await?;
        let request = send_request::parse(body.as_bytes(), &[], self.app.wall(), &|from| tenant.home_of(from))?;
        let (accepted, wait) = self.app.accepting.accept_watched(&tenant, request).await?;
        let outcome = match wait {
            Some(wait) => Some(wait.outcome().await),
            None => None,
        };
        Ok((accepted, outcome))
    }
}
