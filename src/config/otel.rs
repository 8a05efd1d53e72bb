//! Variables that OpenTelemetry names for all programs alike, as settings of ours: where a platform says for everything on it where traces go, nobody has
//! to say it again. One of ours outranks them, and they outrank the file.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use super::ConfigError;
use crate::telemetry::traces::{TIMEOUTS_MS, are_headers};

/// All that are looked at.
const NAMES: [&str; 13] = [
    DISABLED,
    EXPORTER,
    ENDPOINT,
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    PROTOCOL,
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    TIMEOUT,
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    HEADERS,
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    SERVICE,
    SAMPLER,
    SAMPLER_ARG,
];
const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TIMEOUT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const SERVICE: &str = "OTEL_SERVICE_NAME";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Whether it is one of them.
pub(super) fn is_known(name: &OsStr) -> bool {
    NAMES.iter().any(|known| name == *known)
}

/// The settings that they stand for, named as variables of ours.
///
/// # Errors
/// `Variable`: one says what cannot be done here.
pub(super) fn as_ours(said: &BTreeMap<String, String>) -> Result<Vec<(String, String)>, ConfigError> {
    // An empty one counts as none.
    let of = |name: &str| said.get_key_value(name).filter(|(_, value)| !value.trim().is_empty());
    let value_of = |name: &str| of(name).map(|(_, value)| value.trim());
    // What is said of traces goes before what is said of everything.
    let of_traces = |name: &str| of(&name.replace("_OTLP_", "_OTLP_TRACES_")).or_else(|| of(name));
    let ours = |key: &str, value: String| (format!("DOORWARD__TELEMETRY__TRACES__{key}"), value);
    let wrong = |variable: &str, problem: &str| {
        Err(ConfigError::Variable { variable: variable.to_owned(), problem: problem.to_owned() })
    };
    let exporter = value_of(EXPORTER).unwrap_or("otlp");
    let sampler = value_of(SAMPLER).unwrap_or_default();
    let is_off = value_of(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_off || exporter == "none" || sampler == "always_off" {
        return Ok(vec![ours("ENDPOINT", String::new())]);
    }
    // Meant for other programs, unless it says where to: then what cannot be done is refused, and else left out.
    let is_meant = of_traces(ENDPOINT).is_some();
    if exporter != "otlp" {
        return if is_meant { wrong(EXPORTER, "must be otlp or none") } else { Ok(Vec::new()) };
    }
    let mut all = Vec::new();
    if let Some((name, endpoint)) = of_traces(ENDPOINT) {
        let endpoint = endpoint.trim();
        let whole = if name == ENDPOINT {
            format!("{}/v1/traces", endpoint.trim_end_matches('/'))
        } else {
            endpoint.to_owned()
        };
        all.push(ours("ENDPOINT", whole));
        if let Some((name, _)) = of_traces(PROTOCOL).filter(|(_, protocol)| protocol.trim() != "http/protobuf") {
            return wrong(name, "must be http/protobuf, which collectors take at port 4318");
        }
    }
    if let Some((name, timeout)) = of_traces(TIMEOUT) {
        match timeout.trim().parse::<u32>() {
            Ok(timeout) if TIMEOUTS_MS.contains(&timeout) => all.push(ours("TIMEOUT_MS", timeout.to_string())),
            Ok(_) | Err(_) if is_meant => return wrong(name, "must be a number of milliseconds from 100 to 60000"),
            Ok(_) | Err(_) => {}
        }
    }
    if let Some((_, headers)) = of_traces(HEADERS).filter(|(_, headers)| is_meant || are_headers(headers)) {
        all.push(ours("HEADERS", headers.clone()));
    }
    if let Some((_, service)) = of(SERVICE) {
        all.push(ours("SERVICE_NAME", service.clone()));
    }
    let share = match sampler {
        "" => None,
        "always_on" | "parentbased_always_on" => Some(1.0),
        "parentbased_always_off" => Some(0.0),
        "traceidratio" | "parentbased_traceidratio" => match value_of(SAMPLER_ARG).map(str::parse::<f64>) {
            None => Some(1.0),
            Some(Ok(share)) if (0.0..=1.0).contains(&share) => Some(share),
            Some(_) if is_meant => return wrong(SAMPLER_ARG, "must lie within 0.0 and 1.0"),
            Some(_) => None,
        },
        _ if !is_meant => None,
        _ => {
            let all = "always_on, always_off or traceidratio, with or without parentbased_ before it";
            return wrong(SAMPLER, &format!("must be {all}"));
        }
    };
    if share.is_some() && !sampler.starts_with("parentbased_") {
        all.push(ours("FOLLOW", "false".to_owned()));
    }
    all.extend(share.map(|share| ours("SHARE", format!("{share:?}"))));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::super::environment::variables;
    use crate::telemetry::traces;

    fn read(file: &str, said: &[(&str, &str)]) -> Result<traces::Config, String> {
        let all = said.iter().map(|(name, value)| (name.into(), value.into()));
        let variables = variables(all).map_err(|error| error.to_string())?;
        let read = Source::new(None, variables).read_text(file).map_err(|error| error.to_string())?;
        Ok(read.config.telemetry.traces)
    }

    #[test]
    fn what_a_platform_says_for_all_its_programs_is_heard() {
        let base = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/"), ("OTEL_SERVICE_NAME", "42")];
        let config = read("", &base).unwrap();
        assert_eq!((config.endpoint.as_str(), config.service_name.as_str()), ("http://collector:4318/v1/traces", "42"));
        let of_traces = [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://tempo:4318/in"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "700"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "900"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ];
        let config = read("", &[&base[..], &of_traces].concat()).unwrap();
        assert_eq!((config.endpoint.as_str(), config.timeout_ms, config.share), ("http://tempo:4318/in", 700, 0.25));
        assert_eq!(config.headers.expose(), Some("authorization=Bearer%20x"));
        let file = "[telemetry.traces]\nendpoint = \"http://file:4318/v1/traces\"\nshare = 0.5\n";
        assert_eq!(read(file, &[("OTEL_TRACES_SAMPLER", "")]).unwrap().endpoint, "http://file:4318/v1/traces");
        assert_eq!(read(file, &base).unwrap().endpoint, "http://collector:4318/v1/traces", "it outranks the file");
        let own = [("DOORWARD__TELEMETRY__TRACES__ENDPOINT", "http://own:4318/v1/traces")];
        assert_eq!(read(file, &[&base[..], &own].concat()).unwrap().endpoint, "http://own:4318/v1/traces");
    }

    #[test]
    fn traces_are_off_where_a_platform_says_so_and_what_cannot_be_done_is_refused_by_name() {
        let file = "[telemetry.traces]\nendpoint = \"http://file:4318/v1/traces\"\n";
        for off in
            [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_TRACES_SAMPLER", "always_off")]
        {
            assert!(!read(file, &[off]).unwrap().is_on(), "{off:?}");
        }
        assert!(!read("", &[("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap().is_on());
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");
        for bad in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "5s"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "xray"),
        ] {
            let problem = read("", &[endpoint, bad]).unwrap_err();
            assert!(problem.starts_with(&format!("{} in the environment: must be", bad.0)), "{problem}");
        }
        let sampler = ("OTEL_TRACES_SAMPLER", "traceidratio");
        let problem = read("", &[endpoint, sampler, ("OTEL_TRACES_SAMPLER_ARG", "12")]).unwrap_err();
        assert!(problem.starts_with("OTEL_TRACES_SAMPLER_ARG in the environment: "), "{problem}");
        assert!(!read("", &[endpoint, sampler]).unwrap().follow, "nobody outside asks for a trace");
        assert!(read("", &[endpoint, ("OTEL_TRACES_SAMPLER", "parentbased_always_on")]).unwrap().follow);
    }

    #[test]
    fn what_is_meant_for_other_programs_keeps_the_service_from_nothing() {
        for (name, value) in [
            ("OTEL_TRACES_EXPORTER", "console"),
            ("OTEL_TRACES_SAMPLER", "xray"),
            ("OTEL_TRACES_SAMPLER_ARG", "endpoint=http://localhost:2000"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "120000"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "5s"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "no header"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ] {
            assert!(!read("", &[(name, value)]).unwrap().is_on(), "{name}={value}");
        }
    }
}
