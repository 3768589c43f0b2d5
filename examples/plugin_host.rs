//! A host of plugins: loads three objects, gives each the same services, and runs them one after the other.
//!
//!     cargo run --example plugin_host
//!
//! The objects are in `fixtures/plugins`, compiled from the C files beside them; `plugin.h` is the contract. Each
//! plugin exports `plugin_name` and `plugin_run`, and may call `host_write` and `host_setting`, and nothing else.
//! Every plugin has its own memory, and the same names in all of them do not meet.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{CStr, c_char, c_int};
use std::io::Write;
use std::path::Path;

use bpf2native::{Config, Jit, Linker, Module, Program};

/// `struct host` of `plugin.h`: plugins only hand it back.
struct Host {
    output: Vec<u8>,
    settings: BTreeMap<&'static str, i64>,
}

unsafe extern "C" fn host_write(host: *mut Host, bytes: *const c_char, size: u64) {
    // SAFETY: plugins hand back the host that they are given, with bytes of their own.
    let (host, bytes) = unsafe { (&mut *host, std::slice::from_raw_parts(bytes.cast::<u8>(), size as usize)) };
    host.output.extend_from_slice(bytes);
}

unsafe extern "C" fn host_setting(host: *mut Host, key: *const c_char, missing: i64) -> i64 {
    // SAFETY: plugins hand back the host that they are given, with a C string.
    let (host, key) = unsafe { (&*host, CStr::from_ptr(key)) };
    let setting = key.to_str().ok().and_then(|key| host.settings.get(key));
    setting.copied().unwrap_or(missing)
}

/// A loaded plugin.
struct Plugin {
    name: String,
    module: Module,
}

impl Plugin {
    /// Loads an object, and checks that it is a plugin.
    fn load(jit: &Jit, services: &Linker, path: &Path) -> Result<Plugin, Box<dyn Error>> {
        let module = jit.load(&Program::from_files([path])?, services)?;
        // SAFETY: the plugins are our own. Their names are constants, which live as long as the module.
        let name = unsafe {
            let name = module.func::<(), *const c_char>("plugin_name")?;
            module.func::<(*mut Host, *const c_char, u64), c_int>("plugin_run")?;
            CStr::from_ptr(name.call(())).to_str()?.to_owned()
        };
        Ok(Plugin { name, module })
    }

    /// Runs it on a text: what it writes.
    fn run(&self, host: &mut Host, text: &str) -> Result<String, Box<dyn Error>> {
        // SAFETY: as above; it keeps none of the pointers.
        let run = unsafe { self.module.func::<(*mut Host, *const c_char, u64), c_int>("plugin_run")? };
        host.output.clear();
        match run.call((host, text.as_ptr().cast(), text.len() as u64)) {
            0 => Ok(String::from_utf8(host.output.clone())?),
            status => Err(format!("plugin `{}` failed with {status}", self.name).into()),
        }
    }
}

/// What every plugin may call.
fn services() -> Result<Linker, Box<dyn Error>> {
    let mut linker = Linker::new().no_libc();
    linker
        .func("host_write", host_write as unsafe extern "C" fn(*mut Host, *const c_char, u64))?
        .func("host_setting", host_setting as unsafe extern "C" fn(*mut Host, *const c_char, i64) -> i64)?;
    Ok(linker)
}

/// Loads the plugins, runs them on two texts, and writes what they write.
pub fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plugins");
    let (jit, services) = (Jit::new(&Config::new())?, services()?);
    let files = ["upper.o", "count.o", "rotate.o"];
    let load = |file| Plugin::load(&jit, &services, &folder.join(file));
    let plugins = files.into_iter().map(load).collect::<Result<Vec<Plugin>, _>>()?;

    let mut host = Host { output: Vec::new(), settings: BTreeMap::new() };
    for text in ["the quick brown fox", "jumps over the lazy dog"] {
        for plugin in &plugins {
            writeln!(out, "{}: {}", plugin.name, plugin.run(&mut host, text)?)?;
        }
    }
    host.settings.insert("rotate.places", -1);
    for plugin in plugins.iter().filter(|plugin| plugin.name == "rotate") {
        match plugin.run(&mut host, "text") {
            Ok(_) => return Err("the plugin accepts a negative setting".into()),
            Err(error) => writeln!(out, "{error}")?,
        }
    }
    Ok(())
}

#[allow(dead_code, reason = "the tests call `run`")]
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout())
}
