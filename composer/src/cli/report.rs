//! Showing an error: for a person with spans and help, for a machine as one JSON line.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::ExitCode;

use crate::Error;
use crate::archive::PinError;
use crate::cli::args::LogFormat;
use crate::progress;
use crate::spec::load::ProfileView;
use crate::spec::types::Origin;

pub fn show(error: &Error, format: LogFormat) -> ExitCode {
    let text = match format {
        LogFormat::Json => json(error),
        LogFormat::Text => text(error),
    };
    progress::write(&text);
    ExitCode::from(error.kind().exit_code())
}

fn json(error: &Error) -> String {
    let reports: Vec<String> = error.span_reports().iter().map(|r| format!("{r:?}")).collect();
    let value = serde_json::json!({
        "event": "error",
        "exit": error.kind().exit_code(),
        "text": error.to_string(),
        "causes": error.causes(),
        "help": error.help_text(),
        "reports": reports,
    });
    format!("{value}\n")
}

fn text(error: &Error) -> String {
    let handler = handler();
    let mut out = String::new();
    for report in error.span_reports() {
        if handler.render_report(&mut out, report.as_ref()).is_err() {
            let _ = writeln!(out, "{report}");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "error: {error}");
    for cause in error.causes() {
        let _ = writeln!(out, "  because: {}", cause.trim_end().replace('\n', "\n    "));
    }
    if let Some(help) = error.help_text() {
        let _ = writeln!(out, "  help: {help}");
    }
    out
}

fn handler() -> miette::GraphicalReportHandler {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let theme = if colour { miette::GraphicalTheme::unicode() } else { miette::GraphicalTheme::unicode_nocolor() };
    miette::GraphicalReportHandler::new_themed(theme).with_width(100)
}

/// Points a solver's error at the profile's line that asked for the package.
pub fn point(error: PinError, view: &ProfileView) -> Error {
    let pointer = match &error {
        PinError::Unsolvable(unsolvable) => match &unsolvable.origin {
            Origin::Profile(pointer) | Origin::Service(_, Some(pointer)) => pointer.clone(),
            Origin::Service(_, None) | Origin::Composer => return error.into(),
        },
        PinError::Other(_) => return error.into(),
    };
    let error = Error::from(error);
    let report = view.report_at(&pointer, &error.to_string(), error.help_text());
    error.reports(vec![report])
}
