//! Names of processors and of their features.
//!
//! In: a [`Config`]'s processor and features. Out: the settings of a Cranelift ISA. The rule: a processor is a name that
//! Cranelift knows, which are LLVM's; a feature is LLVM's and rustc's name of it, or Cranelift's.
//!
//! | given | Cranelift's |
//! |---|---|
//! | `avx2`, `bmi2`, `lzcnt`, `popcnt`, `fma`, `lse`, `zba`, ... | `has_avx2`, ... |
//! | `sse4.1`, `sse4.2` | `has_sse41`, `has_sse42` |
//! | `bmi`, `cx16`, `paca` | `has_bmi1`, `has_cmpxchg16b`, `has_pauth` |
//! | `bti` | `use_bti` |

use cranelift_codegen::isa;
use cranelift_codegen::settings::{Configurable, SettingKind};
use target_lexicon::Triple;

use super::{Config, TargetError};

/// Which features of the processor the code may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cpu {
    /// Those that every processor of the architecture has.
    #[default]
    Baseline,
    /// Those of this machine.
    Native,
    /// Those of a processor that Cranelift knows by name, such as `haswell`, `znver3` or `x86-64-v3`, or of one feature.
    Named(String),
}

/// A feature that is enabled or disabled, whatever the processor is: `+avx2`, `-bmi2`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Whether it is enabled.
    pub on: bool,
}

/// A feature without `+` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no change of a feature: write `+NAME` or `-NAME`")]
pub struct FeatureError(String);

impl std::str::FromStr for Feature {
    type Err = FeatureError;

    fn from_str(word: &str) -> Result<Feature, FeatureError> {
        let (on, name) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
            (Some(name), _) => (true, name),
            (_, Some(name)) => (false, name),
            _ => return Err(FeatureError(word.to_owned())),
        };
        Ok(Feature { name: name.to_owned(), on })
    }
}

impl std::fmt::Display for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.on { '+' } else { '-' }, self.name)
    }
}

/// Prefixes of feature settings.
const PREFIXES: [&str; 2] = ["has_", "use_"];

/// LLVM's names that are not Cranelift's without a prefix.
const RENAMED: [(&str, &str); 6] = [
    ("bmi", "has_bmi1"),
    ("cx16", "has_cmpxchg16b"),
    ("paca", "has_pauth"),
    ("pacg", "has_pauth"),
    ("avxvnni", "has_avx_vnni"),
    ("zvl128b", "has_zvl128b"),
];

/// Applies the processor and the features of `config`.
pub(super) fn apply(config: &Config, builder: &mut isa::Builder) -> Result<(), TargetError> {
    let target = &config.target;
    match &config.cpu {
        Cpu::Baseline => {}
        Cpu::Native => {
            let host = Triple::host();
            if host.architecture != target.architecture {
                return Err(TargetError::NotNative { host, target: target.clone() });
            }
            let refused =
                |reason: &str| TargetError::Settings { target: target.clone(), reason: reason.to_owned() };
            cranelift_native::infer_native_flags(builder).map_err(refused)?;
        }
        Cpu::Named(cpu) => {
            let settings: Vec<_> = builder.iter().collect();
            let preset = settings.iter().any(|setting| setting.name == cpu && setting.kind == SettingKind::Preset);
            let known = match setting(builder, cpu) {
                _ if preset => builder.enable(cpu).is_ok(),
                Some(name) => builder.enable(name).is_ok(),
                None => false,
            };
            if !known {
                let known = settings.iter().filter(|setting| setting.kind == SettingKind::Preset);
                let known = known.map(|setting| setting.name).filter(|&name| name != "baseline");
                let known = ["baseline", "native"].into_iter().chain(known).map(str::to_owned).collect();
                return Err(TargetError::Cpu { cpu: cpu.clone(), target: target.clone(), known });
            }
        }
    }
    for feature in &config.features {
        let set = setting(builder, &feature.name)
            .is_some_and(|name| builder.set(name, if feature.on { "true" } else { "false" }).is_ok());
        if !set {
            let (feature, target) = (feature.name.clone(), target.clone());
            return Err(TargetError::Feature { feature, target, known: features(builder) });
        }
    }
    Ok(())
}

/// The setting for a feature's name.
fn setting(builder: &isa::Builder, name: &str) -> Option<&'static str> {
    let plain = name.replace('.', "");
    let renamed = RENAMED.iter().find(|(given, _)| *given == name).map(|(_, setting)| *setting);
    builder.iter().filter(|setting| setting.kind == SettingKind::Bool).map(|setting| setting.name).find(|setting| {
        let Some(prefix) = PREFIXES.iter().find(|prefix| setting.starts_with(**prefix)) else { return false };
        *setting == name || Some(*setting) == renamed || setting[prefix.len()..] == plain
    })
}

/// The features of a target.
fn features(builder: &isa::Builder) -> Vec<String> {
    let settings = builder.iter().filter(|setting| setting.kind == SettingKind::Bool);
    let names = settings.filter_map(|setting| {
        PREFIXES.iter().find_map(|prefix| setting.name.strip_prefix(prefix)).map(str::to_owned)
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::super::{CodeGenerators, Config, Placement, TargetError, parse_triple};
    use super::{Cpu, Feature};

    fn config(target: &str, cpu: Cpu, features: &str) -> Config {
        let features = features.split_whitespace().map(|word| word.parse::<Feature>().unwrap()).collect();
        Config { cpu, features, ..Config::for_target(parse_triple(target).unwrap()) }
    }

    /// The features that the code generator has.
    fn enabled(config: &Config) -> Result<Vec<String>, TargetError> {
        let generators = CodeGenerators::new(config, Placement::Object)?;
        let flags = generators.main.isa_flags();
        Ok(flags.iter().filter(|flag| flag.as_bool() == Some(true)).map(|flag| flag.name.to_owned()).collect())
    }

    #[test]
    fn processors_and_features() {
        for (target, cpu, features, with, without) in [
            ("x86_64", "x86-64-v3", "", "has_avx2 has_bmi2 has_lzcnt", "has_avx512f"),
            ("x86_64", "x86-64-v2", "", "has_sse42 has_popcnt", "has_avx2"),
            ("x86_64", "haswell", "-avx2 -bmi", "has_bmi2", "has_avx2 has_bmi1"),
            (
                "x86_64",
                "x86-64",
                "+popcnt +sse4.1 +bmi +cx16",
                "has_popcnt has_sse41 has_bmi1 has_cmpxchg16b",
                "has_avx",
            ),
            ("x86_64", "x86-64", "+has_lzcnt", "has_lzcnt", "has_popcnt"),
            ("aarch64", "lse", "", "has_lse", "use_bti"),
            ("aarch64", "has_lse", "+bti", "has_lse use_bti", ""),
            ("riscv64", "zba", "+zbb", "has_zba has_zbb", "has_zbs"),
            ("s390x", "arch14", "", "has_mie3", "has_mie4"),
        ] {
            let on = enabled(&config(target, Cpu::Named(cpu.to_owned()), features)).unwrap();
            for name in with.split_whitespace() {
                assert!(on.iter().any(|flag| flag == name), "{cpu} {features}: {name} is not in {on:?}");
            }
            for name in without.split_whitespace() {
                assert!(!on.iter().any(|flag| flag == name), "{cpu} {features}: {name} is in {on:?}");
            }
        }
    }

    #[test]
    fn unknown_names_are_refused_with_those_that_are_known() {
        let error = enabled(&config("x86_64", Cpu::Named("pentium5".to_owned()), "")).unwrap_err().to_string();
        assert!(error.contains("`pentium5`") && error.contains("x86-64-v3"), "{error}");
        let error = enabled(&config("x86_64", Cpu::Baseline, "+lse")).unwrap_err().to_string();
        assert!(error.contains("`lse`") && error.contains("avx2"), "{error}");
        assert!("avx2".parse::<Feature>().is_err());
    }
}
