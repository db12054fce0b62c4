use std::time::Duration;

use super::{known, shown};
use crate::trace::{
    otlp::Span,
    settings::{Settings, SettingsError},
};

fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>, SettingsError> {
    Settings::of(&|asked| {
        variables.iter().find(|(variable, _)| *variable == asked).map(|(_, value)| (*value).to_owned())
    })
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

#[test]
fn an_endpoint_is_what_turns_traces_on() {
    let of_traces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    for (variables, wanted) in [
        (vec![], None),
        (vec![("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], None),
        (vec![ENDPOINT], Some("http://collector:4318/v1/traces")),
        (vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/otlp/")], Some("https://c/otlp/v1/traces")),
        (vec![ENDPOINT, (of_traces, "https://other/")], Some("https://other/")),
        (vec![ENDPOINT, ("OTEL_SDK_DISABLED", "True")], None),
        (vec![ENDPOINT, ("OTEL_SDK_DISABLED", "no")], Some("http://collector:4318/v1/traces")),
        (vec![ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")], None),
        (vec![ENDPOINT, ("OTEL_TRACES_EXPORTER", "console, otlp")], Some("http://collector:4318/v1/traces")),
        (
            vec![ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
            Some("http://collector:4318/v1/traces"),
        ),
    ] {
        let settings = read(&variables).unwrap_or_else(|error| panic!("{variables:?}: {error}"));
        let endpoint = settings.map(|settings| settings.endpoint.to_string());
        assert_eq!(endpoint.as_deref(), wanted, "{variables:?}");
    }
}

#[test]
fn what_cannot_be_followed_is_said_with_its_variable_and_without_what_it_holds() {
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "=secret"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a b=secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=secret%0a"),
        ("OTEL_RESOURCE_ATTRIBUTES", "secret"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
    ] {
        let error = read(&[(variable, value), ENDPOINT]).err().expect(value).to_string();
        assert!(error.contains(variable) && !error.contains("secret"), "{error}");
    }
    let grpc = read(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")]).err().unwrap();
    assert!(grpc.to_string().contains("4318"), "{grpc}");
    assert!(read(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "console")]).is_err());
}

#[test]
fn headers_time_and_the_programs_name_are_those_of_the_environment() {
    let settings = read(&[
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_HEADERS", "other=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "Authorization=Basic%20a2V5=,x-100=100%,"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=ours,deployment.environment.name=the%20cellar"),
    ]);
    let settings = settings.unwrap().unwrap();
    assert_eq!(settings.headers["authorization"], "Basic a2V5=");
    assert_eq!(settings.headers["x-100"], "100%");
    assert!(!settings.headers.contains_key("other"));
    assert!(!format!("{:?}", settings.headers).contains("a2V5"), "{:?}", settings.headers);
    assert_eq!(settings.timeout, Duration::from_millis(2500));
    let resource = known(&Span { attributes: settings.resource, ..Span::default() });
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        resource,
        format!("service.name: ours\nservice.version: {version}\ndeployment.environment.name: the cellar\n")
    );

    let named = read(&[
        ENDPOINT,
        ("OTEL_SERVICE_NAME", "night"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=ours,service.version=0"),
    ]);
    let named = named.unwrap().unwrap().resource;
    assert_eq!(named.len(), 2);
    assert_eq!(shown(named[0].value.as_ref().unwrap()), "night");
}
