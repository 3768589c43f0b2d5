//! The reports of a corpus' parts, made by several machines, to the report of the whole.

use super::{Report, ReportError, Shard};

/// Merges reports; each comes with its path, for errors. The result is what one machine would have made of all files.
///
/// # Errors
///
/// [`ReportError::Merge`] when they were made differently or overlap, [`ReportError::Parts`] when parts are missing.
pub fn merge(reports: Vec<(String, Report)>) -> Result<Report, ReportError> {
    let mut reports = reports.into_iter();
    let Some((first, mut whole)) = reports.next() else {
        return Err(ReportError::Parts("none is given".to_owned()));
    };
    let mut parts: Vec<Option<Shard>> = vec![whole.shard];
    for (path, report) in reports {
        let refuse =
            |reason: String| Err(ReportError::Merge { first: first.clone(), second: path.clone(), reason });
        if report.tool != whole.tool {
            return refuse(format!("it is of {}, and the other one of {}", report.tool, whole.tool));
        }
        if report.options != whole.options {
            return refuse("its options are others".to_owned());
        }
        if parts.contains(&report.shard) && report.shard.is_some() {
            return refuse("both are the same part".to_owned());
        }
        if report.shard.map(|shard| shard.of) != whole.shard.map(|shard| shard.of) {
            return refuse("they are parts of different wholes".to_owned());
        }
        parts.push(report.shard);
        whole.files.extend(report.files);
        whole.functions.extend(report.functions);
        // Stable: the functions of a file stay in order.
        whole.files.sort_by(|left, right| left.name.cmp(&right.name));
        if let Some(twice) = whole.files.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return refuse(format!("both have the file `{}`", twice[0].name));
        }
    }
    if let Some(Shard { of, .. }) = whole.shard {
        let missing: Vec<String> = (1..=of)
            .filter(|&part| !parts.contains(&Some(Shard { part, of })))
            .map(|part| format!("{part}/{of}"))
            .collect();
        if !missing.is_empty() {
            return Err(ReportError::Parts(missing.join(", ")));
        }
    }
    whole.functions.sort_by(|left, right| left.file.cmp(&right.file));
    whole.shard = None;
    Ok(whole)
}
