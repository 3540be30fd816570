//! What is shown of an endpoint when it is made, or given another secret.

use dakghar_core::app::{CreatedEndpoint, EndpointWithSecret};

use crate::cli::output;

pub(super) fn show(created: &CreatedEndpoint) {
    match created {
        CreatedEndpoint::Made(made) => {
            output::line(&format!("endpointId  {}", made.endpoint.id));
            show_secret(made);
        }
        CreatedEndpoint::Repeated { endpoint, secret } => {
            output::line(&format!("endpointId  {}   (made before, under this key)", endpoint.id));
            match secret {
                Some(secret) => output::line(&format!("secret      {}", secret.reveal())),
                None => output::line("its secret is not shown any more; rotate-secret gives it another"),
            }
        }
    }
}

pub(super) fn show_secret(EndpointWithSecret { secret, .. }: &EndpointWithSecret) {
    output::line(&format!("secret      {}   (shown only now)", secret.reveal()));
}
