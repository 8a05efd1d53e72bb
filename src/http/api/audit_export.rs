//! The record of who did what as a file, written as it is read: no size of it has to fit into memory.

use actix_web::error::ErrorInternalServerError;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth};
use super::oversight::{AuditLineOut, AuditQuery};
use crate::domain::store::PageRequest;

/// Lines read at once.
const PAGE: usize = 500;

/// As what.
#[derive(Debug, Deserialize, IntoParams)]
pub struct FormatQuery {
    /// `csv` (RFC 4180) or `ndjson`, when not said.
    pub format: Option<String>,
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    NdJson,
}

/// Who did what as a file, newest first, under the same conditions. That it was read so is on record.
#[utoipa::path(get, path = "/v1/audit/export", tag = "moderators", security(("personal_token" = [])), params(AuditQuery, FormatQuery),
    responses((status = 200, content((String = "application/x-ndjson"), (String = "text/csv")), description = "A line for each entry; in cells of CSV that a spreadsheet would compute, a `'` stands first"),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn export(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<AuditQuery>,
    format: web::Query<FormatQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::overseer(&state, &request).await?;
    auth::same_origin(&state, &request)?; // or another site's link would put an export on record under this person's name
    let (format, name, kind) = match format.format.as_deref() {
        None | Some("" | "ndjson") => (Format::NdJson, "ndjson", "application/x-ndjson"),
        Some("csv") => (Format::Csv, "csv", "text/csv; charset=utf-8"),
        Some(_) => return Err(Problem::invalid("format", "must be csv or ndjson")),
    };
    let filter = query.filter()?;
    state.oversight.note_export(&person, name, state.clock.now()).await?;
    // Where to go on: `None` when everything is written.
    let begin = Some((None, true));
    let lines = stream::unfold(begin, move |at| {
        let (state, filter) = (state.clone(), filter.clone());
        async move {
            let (cursor, is_first) = at?;
            // What is cut short must not look whole: an error ends the connection, not the file.
            match state.oversight.audit(&filter, &PageRequest { limit: PAGE, cursor }).await {
                Ok(page) => {
                    let lines: Vec<AuditLineOut> = page.items.into_iter().map(Into::into).collect();
                    let written = match format {
                        Format::Csv => csv(&lines, is_first).map_err(ErrorInternalServerError),
                        Format::NdJson => ndjson(&lines).map_err(ErrorInternalServerError),
                    };
                    Some((written, page.next_cursor.map(|cursor| (Some(cursor), false))))
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "an export of the record was cut short");
                    Some((Err(ErrorInternalServerError("cut short")), None))
                }
            }
        }
    });
    let file = format!("attachment; filename=\"audit.{name}\"");
    Ok(HttpResponse::Ok().content_type(kind).insert_header(("content-disposition", file)).streaming(lines))
}

fn ndjson(lines: &[AuditLineOut]) -> serde_json::Result<Bytes> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
    }
    Ok(bytes.into())
}

fn csv(lines: &[AuditLineOut], with_head: bool) -> Result<Bytes, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if with_head {
        writer.write_record(["number", "at", "actor", "by", "action", "subject", "detail", "hash"])?;
    }
    for line in lines {
        let (number, at) = (line.number.to_string(), line.at.to_string());
        let by = line.by.as_deref().unwrap_or_default();
        let hash = line.hash.as_deref().unwrap_or_default();
        let cells = [&number, &at, line.actor, by, &line.action, &line.subject, &line.detail, hash];
        writer.write_record(cells.map(harmless))?;
    }
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?.into())
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_begin_like_formulas_are_text() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@sum", "'@sum"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell), written);
        }
    }
}
