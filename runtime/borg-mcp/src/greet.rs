//! How older protocols are greeted; the newest does without.

use rmcp::model::{InitializeRequestParams, InitializeResult, ServerCapabilities};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler};

/// The answer to `initialize`, with capabilities that `amend` holds to what these protocols can be given.
///
/// # Errors
/// As rmcp has it, for a version that is not spoken.
pub fn greet(
    service: &impl ServerHandler,
    request: InitializeRequestParams,
    context: &RequestContext<RoleServer>,
    amend: impl FnOnce(&mut ServerCapabilities),
) -> Result<InitializeResult, ErrorData> {
    let mut hello = service.negotiate_initialize(&request)?;
    context.peer.set_peer_info(request);
    amend(&mut hello.capabilities);
    Ok(hello)
}
