//! The parts of BENCHMARKS.md that benchmarks write: between `<!-- NAME -->` and `<!-- /NAME -->`.

use std::path::PathBuf;
use std::process::Command;

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Puts text between the marks of this name.
///
/// # Errors
///
/// When the marks are not there, or the file cannot be written.
pub fn replace(name: &str, text: &str) -> Result<(), String> {
    let path = root().join("BENCHMARKS.md");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let old = std::fs::read_to_string(&path).map_err(failed)?;
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let parts = old.split_once(&open).and_then(|(head, rest)| Some((head, rest.split_once(&close)?.1)));
    let (head, tail) = parts.ok_or_else(|| format!("{} has no `{open}` and `{close}`", path.display()))?;
    let text = text.trim();
    std::fs::write(&path, format!("{head}{open}\n\n{text}\n\n{close}{tail}")).map_err(failed)
}

/// Writes a plot to `docs/bench`.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_plot(name: &str, svg: &str) -> Result<(), String> {
    let folder = root().join("docs/bench");
    let path = folder.join(name);
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, svg));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// The machine, the system and the tools, in one line each.
pub fn machine(tools: &[&str]) -> String {
    let first_line = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    };
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let model = match (field("model name"), field("cpu family"), field("model\t")) {
        (Some(name), Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => std::env::consts::ARCH.to_owned(),
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let virtual_machine = if cpuinfo.contains("hypervisor") { ", virtual" } else { "" };
    let system = first_line("uname", &["-sr"]).unwrap_or_default();
    let mut text = format!("Measured on {processors} processors of {model}{virtual_machine}, {system}, with");
    let versions = tools.iter().filter_map(|tool| {
        let line = if tool.starts_with("llc") {
            let output = Command::new(tool).arg("--version").output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().find(|line| line.contains("version")).map(|line| line.trim().to_owned())?
        } else {
            first_line(tool, &["--version"])?
        };
        Some(format!(" `{tool}` ({line})"))
    });
    text.push_str(&versions.collect::<Vec<_>>().join(","));
    text.push_str(", and Cranelift 0.135.8.");
    text
}
