//! The parts of the OpenAPI document that the handlers do not write themselves: its head, the security of each route,
//! and the problems.

use std::collections::BTreeMap;

use dakghar_core::domain::{ErrorCode, Problem, Role};
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, OpenApi as Document, Ref, RefOr, Required, Response, ResponseBuilder,
};

use super::access::Access;
use super::problem::{FieldErrorView, PROBLEM_JSON, ProblemView, type_of};

/// The problems of reading a JSON body.
pub(super) const BODY: &[ErrorCode] = &[
    ErrorCode::BodyRequired,
    ErrorCode::MalformedJson,
    ErrorCode::DuplicateField,
    ErrorCode::TooDeep,
    ErrorCode::BadRequest,
    ErrorCode::BodyTooLarge,
    ErrorCode::UnsupportedMediaType,
];

/// The problems of asking for a page of a list.
pub(super) const LIST: &[ErrorCode] = &[
    ErrorCode::InvalidLimit,
    ErrorCode::InvalidCursor,
    ErrorCode::InvalidFilter,
];

/// The problems of reaching the store.
pub(super) const STORE: &[ErrorCode] = &[
    ErrorCode::Internal,
    ErrorCode::RecordUnreadable,
    ErrorCode::Overloaded,
    ErrorCode::StoreUnavailable,
    ErrorCode::ShuttingDown,
    ErrorCode::StoreFull,
];

/// Names the problems that an operation documents: `problems!(Name: CODES, CODES);`
macro_rules! problems {
    ($name:ident: $($codes:expr),+ $(,)?) => {
        enum $name {}

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                $crate::http::openapi::responses_of(&[$(&$codes[..]),+])
            }
        }
    };
}
pub(super) use problems;

/// Returns one response for each status of the codes, with an example for each code.
pub(super) fn responses_of(codes: &[&[ErrorCode]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes.iter().copied().flatten() {
        by_status.entry(code.http_status()).or_default().push(*code);
    }
    by_status
        .into_iter()
        .map(|(status, codes)| (status.to_string(), RefOr::T(response_of(&codes))))
        .collect()
}

fn response_of(codes: &[ErrorCode]) -> Response {
    let description: Vec<String> = codes
        .iter()
        .map(|code| format!("`{}`: {}.", code.as_str(), code.title()))
        .collect();
    let examples = codes.iter().map(|code| {
        let example = utoipa::openapi::example::ExampleBuilder::new()
            .summary(code.title())
            .value(Some(example_of(*code)))
            .build();
        (code.as_str(), example)
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    let mut response = ResponseBuilder::new()
        .description(description.join(" "))
        .content(PROBLEM_JSON, content);
    if codes.iter().any(|code| code.http_status() == 503) {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
        let header = HeaderBuilder::new()
            .schema(Some(seconds))
            .description(Some("Seconds after which trying again makes sense."))
            .build();
        response = response.header("Retry-After", header);
    }
    response.build()
}

fn example_of(code: ErrorCode) -> Value {
    let mut problem = Problem::new(code, format!("{}.", code.title()));
    if code == ErrorCode::InvalidTo {
        problem = Problem::field(code, "/to", "is required");
    }
    serde_json::to_value(ProblemView::new(&problem, &type_of(code), "req_5f0c2a9100000001")).expect("plain data")
}

/// Makes the document before any route is added.
pub(super) fn head(version: &str) -> Document {
    #[derive(OpenApi)]
    #[openapi(
        info(
            title = "Dakghar",
            description = "A multi-tenant gateway for the WhatsApp Business Cloud API.\n\n\
                Times are RFC 3339 in UTC, ids are opaque strings, lists are `{\"data\": […], \"nextCursor\": …}`, \
                newest first. A page also ends at 2 MiB of records, or after a second in which the filters matched \
                little; it is the last one when `nextCursor` is null. Every failure is a problem (RFC 9457) with a stable `code`, explained at `/docs/errors`. \
                Any request may also be answered with 404 `not_found`, 405 `method_not_allowed`, 414 `uri_too_long` or \
                431 `headers_too_large`. Every answer carries `X-Request-Id`; a request may choose it.",
            license(name = "Apache-2.0", identifier = "Apache-2.0")
        ),
        tags(
            (name = "Sending", description = "Accepting messages."),
            (name = "Messages", description = "What became of them."),
            (name = "Conversations", description = "What a number and a person, or a group, wrote to each other."),
            (name = "People", description = "With whom the tenant has conversations."),
            (name = "Dead letters", description = "Messages that ended without reaching anybody."),
            (name = "Feed", description = "Everything that happens to a tenant, in order."),
            (name = "Endpoints", description = "Where a tenant wants its events, which of them, and how."),
            (name = "Events", description = "What Meta told beside messages and statuses."),
            (name = "Tenants", description = "Customers of the operator."),
            (name = "Apps", description = "Apps at Meta: who signs webhooks."),
            (name = "Keys", description = "API keys of tenants and of operators: who may do what, from where, until when."),
            (name = "Phone numbers", description = "The numbers of a tenant."),
            (name = "Webhook", description = "Where Meta posts."),
            (name = "Operations", description = "For probes."),
        ),
        components(schemas(ProblemView, FieldErrorView)),
    )]
    struct Head;

    let mut document = Head::openapi();
    version.clone_into(&mut document.info.version);
    let components = document.components.get_or_insert_default();
    let key = |description: &str| {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(description));
        SecurityScheme::Http(bearer.build())
    };
    let header = ApiKeyValue::with_description("X-Api-Key", "Either key, in a header of its own.");
    for (name, scheme) in [
        (
            "adminKey",
            key("`ADMIN_API_KEY`, or a key of an operator with one of the roles in `x-roles`."),
        ),
        (
            "tenantKey",
            key("A key of the tenant in the path, with one of the scopes in `x-scopes`."),
        ),
        ("apiKeyHeader", SecurityScheme::ApiKey(ApiKey::Header(header))),
    ] {
        components.add_security_scheme(name, scheme);
    }
    document
}

/// Completes the operations of a group: who may call them, with which scope, and what others are told.
pub(super) fn require(document: &mut Document, access: Access) {
    for item in document.paths.paths.values_mut() {
        let reading = item.get.as_mut().map(|operation| (operation, true));
        let changing = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        let changing = changing.into_iter().filter_map(|found| Some((found.as_mut()?, false)));
        for (operation, reads) in reading.into_iter().chain(changing) {
            require_of(operation, access, reads);
        }
    }
}

fn require_of(operation: &mut Operation, access: Access, reads: bool) {
    let (Access::Operators(scope) | Access::Tenants(scope)) = access;
    let roles = Role::ALL.into_iter().filter(|role| role.may(scope, reads).is_ok());
    let roles: Vec<&str> = roles.map(Role::as_str).collect();
    let extensions = ExtensionsBuilder::new().add("x-roles", roles);
    let extensions = match access {
        Access::Operators(_) => {
            secure(operation, &["adminKey", "apiKeyHeader"]);
            add_problems(operation, OPERATORS_KEY);
            extensions
        }
        Access::Tenants(_) => {
            secure(operation, &["tenantKey", "adminKey", "apiKeyHeader"]);
            add_problems(operation, TENANT_KEY);
            extensions.add("x-scopes", vec![scope.as_str()])
        }
    };
    operation.extensions = Some(extensions.build());
}

/// The problems of a key where only operators are let in.
const OPERATORS_KEY: &[ErrorCode] = &[
    ErrorCode::Unauthenticated,
    ErrorCode::KeyExpired,
    ErrorCode::Forbidden,
    ErrorCode::MissingScope,
    ErrorCode::AddressNotAllowed,
    ErrorCode::RateLimited,
];

/// The problems of a tenant's key.
const TENANT_KEY: &[ErrorCode] = &[
    ErrorCode::Unauthenticated,
    ErrorCode::KeyExpired,
    ErrorCode::MissingScope,
    ErrorCode::AddressNotAllowed,
    ErrorCode::TenantNotFound,
    ErrorCode::RateLimited,
];

fn secure(operation: &mut Operation, schemes: &[&str]) {
    let requirements = schemes
        .iter()
        .map(|scheme| SecurityRequirement::new(*scheme, Vec::<String>::new()));
    operation.security = Some(requirements.collect());
}

/// Adds these problems to those that the handler itself documents.
fn add_problems(operation: &mut Operation, codes: &[ErrorCode]) {
    for (status, response) in responses_of(&[codes]) {
        match operation.responses.responses.get_mut(&status) {
            Some(RefOr::T(known)) => merge(known, response),
            _ => {
                operation.responses.responses.insert(status, response);
            }
        }
    }
}

fn merge(known: &mut Response, more: RefOr<Response>) {
    let RefOr::T(more) = more else { return };
    known.description = format!("{} {}", more.description, known.description);
    if let (Some(RefOr::T(known)), Some(RefOr::T(more))) =
        (known.content.get_mut(PROBLEM_JSON), more.content.get(PROBLEM_JSON))
    {
        known.examples.extend(more.examples.clone());
    }
}

/// Describes the parameters in the paths, which the handlers read without naming them.
pub(super) fn describe_paths(document: &mut Document) {
    for (path, item) in &mut document.paths.paths {
        for name in path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        {
            for operation in operations_of(item) {
                let parameter = ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .description(Some(meaning_of(name)))
                    .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                    .build();
                operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
            }
        }
    }
}

fn meaning_of(parameter: &str) -> &'static str {
    match parameter {
        "tenantId" => "The tenant.",
        "messageId" => "The message.",
        "redriveId" => "The redrive.",
        "erasureId" => "The erasure.",
        "signupId" => "The signup.",
        "departureId" => "The departure.",
        "conversationId" => "The conversation.",
        "personId" => "The person.",
        "phoneNumberId" => "Meta's id of the number.",
        "endpointId" => "The endpoint.",
        "keyId" => "The key.",
        "replayId" => "The replay.",
        "appId" => "Meta's id of the app.",
        _ => "The id.",
    }
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

/// Returns the document as it is served and committed.
pub(super) fn to_json(document: &Document) -> String {
    let mut text = extensions_in_order(&document.to_pretty_json().expect("plain data"));
    text.push('\n');
    text
}

/// Writes the extensions of each operation in alphabetical order: the library keeps them without one.
fn extensions_in_order(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut extensions: Vec<String> = Vec::new();
    for line in text.lines() {
        let goes_on = ["         ", "        ]"].iter().any(|start| line.starts_with(start));
        match extensions.last_mut() {
            _ if line.starts_with("        \"x-") => extensions.push(line.to_owned()),
            Some(extension) if goes_on => {
                extension.push('\n');
                extension.push_str(line);
            }
            _ => {
                let is_last = line.trim_start().starts_with('}');
                let mut each: Vec<&str> = extensions.iter().map(|text| text.trim_end_matches(',')).collect();
                each.sort_unstable();
                if !each.is_empty() {
                    lines.push(each.join(",\n") + if is_last { "" } else { "," });
                }
                extensions.clear();
                lines.push(line.to_owned());
            }
        }
    }
    lines.join("\n")
}
