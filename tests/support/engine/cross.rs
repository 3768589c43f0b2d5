//! Other machines as engines: many functions in one executable, each translated as its setting says, under QEMU.
//!
//! In: a [`Machine`], functions, and runs of them on bytes. Out: what each run left behind, or how it ended. The rule: all
//! runs of a call share one link and one start of the emulator; only after a run that crashed is it started again, behind
//! that one. Wants Debian's `gcc-<machine>-linux-gnu` and `qemu-user`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bpf2native::Config;
use bpf2native::config::{Feature, OptLevel, Passes, Target};
use bpf2native::emit::{Purpose, object};
use bpf2native::parse::{Input, Options, parse};

use super::{Engine, Outcome, Problem};
use crate::support::cases::Case;
use crate::support::elf;
use crate::support::interp::Order;
use crate::support::parallel::parallel;
use crate::support::profiles;
use crate::support::random::Seed;

/// Where the C sources are that run the functions.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/engine");

/// A machine that QEMU emulates.
pub struct Machine {
    /// As in the names of its tools.
    pub name: &'static str,
    /// Of the bytes of a number.
    pub order: Order,
    /// What QEMU is to emulate: a processor with all `features`.
    processor: &'static str,
    /// Sets of features, each a list of `+NAME`.
    features: &'static [&'static str],
}

/// The emulator of Debian 12 has no processor of riscv64 with `zicond` or `zcb`, and none of s390x with `mie4`.
pub static MACHINES: [Machine; 3] = [
    Machine { name: "aarch64", order: Order::Little, processor: "max", features: &["", "+lse", "+lse +fp16 +bti"] },
    Machine {
        name: "riscv64",
        order: Order::Little,
        processor: "rv64,zba=true,zbb=true,zbc=true,zbs=true,zbkb=true",
        features: &["", "+zba +zbb +zbs", "+zba", "+zbb +zbkb", "+zca", "+zca +zba +zbb +zbc +zbs +zbkb"],
    },
    Machine {
        name: "s390x",
        order: Order::Big,
        processor: "max",
        features: &["", "+mie3", "+vxrs_ext2", "+mie3 +vxrs_ext2"],
    },
];

/// How a function is translated.
#[derive(Clone, Debug)]
pub struct Setting {
    /// As options of the command line.
    pub name: String,
    pub config: Config,
    /// The seed of random profiles.
    profile: Option<u64>,
}

impl Setting {
    /// The same, by random profiles.
    pub fn by_random_profile(self, seed: u64) -> Setting {
        Setting { name: format!("{}, by random profile {seed}", self.name), profile: Some(seed), ..self }
    }
}

/// Code, and which of the settings it is translated with.
pub struct Function<'a> {
    pub code: &'a [u8],
    pub setting: usize,
}

/// A function, by its index, and what r1 points at.
pub struct Run<'a> {
    pub function: usize,
    pub memory: &'a [u8],
}

/// The machine of that name.
pub fn machine(name: &str) -> &'static Machine {
    MACHINES.iter().find(|machine| machine.name == name).unwrap_or_else(|| panic!("no machine `{name}`"))
}

impl Machine {
    fn compiler(&self) -> String {
        format!("{}-linux-gnu-gcc", self.name)
    }

    /// What starts an executable, whose path is the next argument.
    pub fn command(&self) -> Command {
        let mut command = Command::new(format!("qemu-{}", self.name));
        command.args(["-cpu", self.processor, "-L"]).arg(format!("/usr/{}-linux-gnu", self.name));
        command
    }

    /// The first tool that is not installed.
    pub fn missing(&self) -> Option<String> {
        [self.compiler(), format!("qemu-{}", self.name)].into_iter().find(|tool| {
            let ran = Command::new(tool).arg("--version").output();
            !ran.is_ok_and(|output| output.status.success())
        })
    }

    /// Whether its tools are there; if not, that is said, and a failure where `CI` is set.
    pub fn is_ready(&self, test: &str) -> bool {
        let Some(missing) = self.missing() else { return true };
        crate::support::say(&format!("{test}: {} is left out: `{missing}` is not installed\n", self.name));
        assert!(std::env::var_os("CI").is_none(), "`{missing}` is not installed");
        false
    }

    /// Each level with each set of features.
    pub fn settings(&self) -> Vec<Setting> {
        let levels = [OptLevel::O2, OptLevel::O1, OptLevel::O0];
        levels.iter().flat_map(|&level| self.features.iter().map(move |set| self.setting(level, set))).collect()
    }

    /// A level with a set of features.
    pub fn setting(&self, opt_level: OptLevel, features: &str) -> Setting {
        let target = self.name.parse::<Target>().expect("it is a target");
        let features: Vec<Feature> =
            features.split_whitespace().map(|word| word.parse().expect("a sign and a name")).collect();
        let mut name = format!("--target {} -{opt_level:?}", self.name);
        for feature in &features {
            write!(name, " --target-feature={feature}").expect("a string takes all");
        }
        Setting {
            name,
            config: Config::for_target(target).opt_level(opt_level).features(features).threads(1).clone(),
            profile: None,
        }
    }

    /// Each set of features with each of these sets of passes, which are next to each other.
    pub fn with_passes(&self, sets: &[(&str, Passes)]) -> Vec<Setting> {
        let mut settings = Vec::new();
        for features in self.features {
            for (name, passes) in sets {
                let Setting { name: start, mut config, profile } = self.setting(OptLevel::O2, features);
                config.passes(*passes);
                settings.push(Setting { name: format!("{start} -Z '{name}'"), config, profile });
            }
        }
        settings
    }

    /// All features at once.
    pub fn most_features(&self) -> &'static str {
        self.features.last().expect("there is the empty set at least")
    }

    /// What each run leaves behind, or how it ended.
    pub fn run(
        &self,
        settings: &[Setting],
        functions: &[Function<'_>],
        runs: &[Run<'_>],
    ) -> Vec<Result<Outcome, String>> {
        let folder = tempfile::tempdir().expect("a folder for the executable");
        // Which of the functions are translated with which setting.
        let mut groups: Vec<(&Setting, Vec<usize>)> =
            settings.iter().map(|setting| (setting, Vec::new())).collect();
        for (index, function) in functions.iter().enumerate() {
            groups[function.setting].1.push(index);
        }
        let translated = parallel(&groups, |(setting, group)| {
            self.translate(setting, functions, group).map_err(|error| {
                // So that each error is said of its function.
                let alone =
                    |&index: &usize| self.translate(setting, functions, &[index]).err().map(|error| (index, error));
                let errors: Vec<(usize, String)> = group.iter().filter_map(alone).collect();
                if errors.is_empty() { vec![(group[0], error)] } else { errors }
            })
        });
        let mut errors: HashMap<usize, String> = HashMap::new();
        let mut objects = Vec::new();
        for (result, (_, group)) in translated.into_iter().zip(&groups) {
            match result {
                Ok(None) => {}
                Ok(Some(object)) => objects.push(object),
                Err(found) => {
                    let left_out = "another function of its object cannot be translated".to_owned();
                    errors.extend(group.iter().map(|&index| (index, left_out.clone())));
                    errors.extend(found);
                }
            }
        }
        let linked: Vec<&Run<'_>> = runs.iter().filter(|run| !errors.contains_key(&run.function)).collect();
        let executable = self.link(&linked, &objects, folder.path());
        let mut outcomes = self.start(&linked, &executable).into_iter();
        let outcome = |run: &Run<'_>| match errors.get(&run.function) {
            Some(error) => Err(error.clone()),
            None => outcomes.next().expect("an outcome of each run that was linked"),
        };
        runs.iter().map(outcome).collect()
    }

    /// An object of some of the functions.
    fn translate(
        &self,
        setting: &Setting,
        functions: &[Function<'_>],
        group: &[usize],
    ) -> Result<Option<Vec<u8>>, String> {
        if group.is_empty() {
            return Ok(None);
        }
        let names: Vec<String> = group.iter().map(|index| format!("function_{index}")).collect();
        let codes = group.iter().map(|&index| functions[index].code);
        let functions: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(codes).collect();
        let bytes = elf::object_in(self.order, &functions);
        let input = Input { name: "functions.o".to_owned(), bytes };
        // Helpers are the cases' own.
        let program = parse(&[input], &Options::without_runtime()).map_err(|error| error.to_string())?;
        let mut config = setting.config.clone();
        if let Some(seed) = setting.profile {
            config.profile(profiles::random(&program, &mut Seed::new(seed)));
        }
        let native = object(&program, &config, Purpose::Relocatable, "functions.o");
        native.map(|native| Some(native.bytes)).map_err(|error| error.to_string())
    }

    /// An executable of the objects, which has no use where nothing can be linked.
    fn link(&self, runs: &[&Run<'_>], objects: &[Vec<u8>], folder: &Path) -> PathBuf {
        let executable = folder.join("runs");
        let table = folder.join("table.c");
        std::fs::write(&table, table_of(runs)).expect("the folder is new");
        let mut link = Command::new(self.compiler());
        link.args(["-O1", "-static", "-o"]).arg(&executable).arg(table);
        link.args(["runs.c", "helpers.c"].map(|file| Path::new(FOLDER).join(file)));
        for (number, object) in objects.iter().enumerate() {
            let path = folder.join(format!("{number}.o"));
            std::fs::write(&path, object).expect("the folder is new");
            link.arg(path);
        }
        let output = link.output().unwrap_or_else(|error| panic!("{}: {error}", self.compiler()));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} cannot link the functions: {error}", self.compiler());
        executable
    }

    /// Runs all, again behind each run that ends the executable.
    fn start(&self, runs: &[&Run<'_>], executable: &Path) -> Vec<Result<Outcome, String>> {
        let input = runs.iter().map(|run| run.memory).collect::<Vec<_>>().concat();
        let mut outcomes = Vec::with_capacity(runs.len());
        while outcomes.len() < runs.len() {
            let mut command = self.command();
            command.arg(executable).arg(outcomes.len().to_string());
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("{}'s emulator: {error}", self.name));
            let mut stdin = child.stdin.take().expect("it is a pipe");
            let output = std::thread::scope(|scope| {
                // One that crashes does not read the rest.
                scope.spawn(|| drop((stdin.write_all(&input), stdin)));
                child.wait_with_output()
            });
            let output = output.unwrap_or_else(|error| panic!("{}'s emulator: {error}", self.name));
            let mut rest = output.stdout.as_slice();
            while let Some(run) = runs.get(outcomes.len()) {
                let Some((r0, after)) = rest.split_at_checked(8) else { break };
                let Some((memory, after)) = after.split_at_checked(run.memory.len()) else { break };
                rest = after;
                let r0: [u8; 8] = r0.try_into().expect("8 bytes were split off");
                let r0 = match self.order {
                    Order::Little => u64::from_le_bytes(r0),
                    Order::Big => u64::from_be_bytes(r0),
                };
                outcomes.push(Ok(Outcome { r0, memory: memory.to_vec() }));
            }
            if outcomes.len() < runs.len() {
                let text = String::from_utf8_lossy(&output.stderr);
                outcomes.push(Err(format!("ends in {}: {}", output.status, text.trim_end())));
                assert!(
                    outcomes.iter().filter(|outcome| outcome.is_err()).count() < 50,
                    "too many crashes: {text}"
                );
            }
        }
        outcomes
    }
}

/// The table of the runs, in C.
fn table_of(runs: &[&Run<'_>]) -> String {
    let (mut prototypes, mut table) = (String::new(), String::new());
    for Run { function, memory } in runs {
        writeln!(prototypes, "unsigned long function_{function}(unsigned char *, unsigned long);")
            .and_then(|()| writeln!(table, "\t{{ function_{function}, {} }},", memory.len()))
            .expect("a string takes all");
    }
    format!(
        "struct run {{ unsigned long (*function)(unsigned char *, unsigned long); unsigned long length; }};\n{prototypes}\
         const struct run runs[] = {{\n{table}}};\nconst unsigned long run_count = sizeof(runs) / sizeof(runs[0]);\n"
    )
}

/// A machine with one setting, for the table of instruction cases.
pub struct Emulated {
    pub machine: &'static Machine,
    pub setting: Setting,
}

impl Engine for Emulated {
    fn name(&self) -> &str {
        &self.setting.name
    }

    fn run(&self, cases: &[Case]) -> Result<Vec<Result<Outcome, Problem>>, String> {
        if let Some(missing) = self.machine.missing() {
            assert!(std::env::var_os("CI").is_none(), "`{missing}` is not installed");
            return Err(format!("`{missing}` is not installed"));
        }
        let functions: Vec<Function<'_>> =
            cases.iter().map(|case| Function { code: &case.code, setting: 0 }).collect();
        let memories = cases.iter().map(|case| &case.memory).enumerate();
        let runs: Vec<Run<'_>> = memories.map(|(function, memory)| Run { function, memory }).collect();
        let outcomes = self.machine.run(std::slice::from_ref(&self.setting), &functions, &runs);
        Ok(outcomes.into_iter().map(|outcome| outcome.map_err(Problem::Failed)).collect())
    }
}
