//! Who asks, as the audit log names them. Only what changes something, or shows what people wrote, needs to know.

use axum::extract::FromRequestParts;
use axum::http::Extensions;
use axum::http::request::Parts;
use dakghar_core::app::App;
use dakghar_core::domain::audit::{Principal, Who};
use dakghar_core::domain::{ErrorCode, Problem};

use super::caller::{Caller, CallerSlot};
use super::client_addr::ClientAddr;
use super::problem::ApiError;
use super::request_id::RequestId;
use super::state::HttpState;

/// Who asks. It stands behind what checks the key.
pub(super) struct By(pub(super) Principal);

impl FromRequestParts<HttpState> for By {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<CallerSlot>().and_then(CallerSlot::get);
        let nobody = || Problem::new(ErrorCode::Internal, "Nobody has checked the key of this request.");
        let caller = caller.ok_or_else(nobody)?;
        Ok(Self(principal(caller, state.app(), &parts.extensions).await))
    }
}

/// Names a caller.
pub(super) async fn principal(caller: Caller, app: &App, extensions: &Extensions) -> Principal {
    let (who, name) = match caller {
        Caller::Anonymous => (Who::Anonymous, None),
        Caller::Settings => (Who::Settings, None),
        Caller::Operator(id, _) => (Who::Operator(id), app.operators.name_of(&id).await),
        Caller::Tenant(tenant_id, id) => {
            let tenant = app.tenants.find(&tenant_id).await.ok();
            let key = tenant
                .as_ref()
                .and_then(|tenant| tenant.keys.iter().find(|key| key.id == id));
            (Who::Tenant(id), key.map(|key| key.name.as_str().into()))
        }
    };
    Principal {
        who,
        name,
        address: ClientAddr::exact(extensions),
        request_id: RequestId::of(extensions),
    }
}
