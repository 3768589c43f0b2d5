//! What the user half is told of the kernel half: the tables of `runtime/script/script.h`.
//!
//! In: a program with its halves, the kernel's copy. Out: data of the program, and where its `struct script` is.
//!
//! | struct | bytes | of |
//! |---|---|---|
//! | `script` | 80 | the program |
//! | `script_function` | 32 | functions of a script, in the order of the program |
//! | `script_section` | 32 | sections that both halves have |
//! | `script_variable` | 32 | global variables of those, and constants that can be set: constants first, then by name |
//!
//! The rule: the layout is the contract with the runtime's driver; all numbers are the target's.

use crate::btf::{Btf, CType, Kind, SymbolKind};
use crate::halves::names;
use crate::parse::block::Block;
use crate::program::{Binding, DataKind, DataSymbol, FunctionId, Halves, Program, ScriptKind, Target};

/// Bytes of a `struct script`.
const SCRIPT_SIZE: u64 = 80;
/// Bytes of a `struct script_function`, a `struct script_section` and a `struct script_variable`.
const ENTRY: u64 = 32;

/// `enum script_type`.
#[derive(Clone, Copy)]
enum ScriptType {
    Signed = 1,
    Unsigned,
    Bool,
    Text,
    Other,
}

/// Makes the tables.
pub(super) struct Tables<'a> {
    program: &'a mut Program,
    halves: &'a Halves,
}

impl<'a> Tables<'a> {
    pub(super) fn new(program: &'a mut Program, halves: &'a Halves) -> Self {
        Self { program, halves }
    }

    /// The `struct script`.
    pub(super) fn make(self, object: Vec<u8>, is_script: bool) -> Target {
        let file = self.halves.file;
        let size = object.len() as u64;
        let copy = Block { bytes: object, relocations: Vec::new() }.into_constants(file, ".rodata.kernel_half");
        let copy = self.program.data.push(copy);
        let endianness = self.program.endianness;
        let section = self.program.data.push(Block::default().into_constants(file, ".data.rel.ro.script"));
        let here = |offset: u64| Target::Data { section, offset: offset.cast_signed() };
        let mut block = Block::default();
        block.add(SCRIPT_SIZE);
        block.refer(0, Target::Data { section: copy, offset: 0 });
        block.put(8, &endianness.double_word(size));

        let functions = if is_script { self.functions() } else { Vec::new() };
        let at = block.add(ENTRY * functions.len() as u64);
        block.refer(16, here(at));
        block.put(24, &endianness.double_word(functions.len() as u64));
        for (function, at) in functions.into_iter().zip((at..).step_by(ENTRY as usize)) {
            block.put(at, &endianness.word(function.kind as u32));
            block.put(at + 4, &endianness.word(u32::from(function.returns)));
            if let Some(argument) = function.argument {
                let text = block.add_text(&argument);
                block.refer(at + 8, here(text));
            }
            block.refer(at + 16, Target::Function(function.id));
            self.program.functions[function.id].address_taken = true;
        }

        let at = block.add(ENTRY * self.halves.shared.len() as u64);
        block.refer(32, here(at));
        block.put(40, &endianness.double_word(self.halves.shared.len() as u64));
        for (&shared, at) in self.halves.shared.iter().zip((at..).step_by(ENTRY as usize)) {
            let data = &self.program.data[shared];
            let text = block.add_text(&data.name);
            block.refer(at, here(text));
            block.refer(at + 8, Target::Data { section: shared, offset: 0 });
            block.put(at + 16, &endianness.double_word(data.contents.len()));
            block.put(at + 24, &endianness.word(u32::from(data.kind == DataKind::Data)));
        }

        let variables = self.variables();
        let at = block.add(ENTRY * variables.len() as u64);
        block.refer(48, here(at));
        block.put(56, &endianness.double_word(variables.len() as u64));
        for (variable, at) in variables.into_iter().zip((at..).step_by(ENTRY as usize)) {
            let text = block.add_text(&variable.name);
            block.refer(at, here(text));
            block.refer(at + 8, variable.place);
            block.put(at + 16, &endianness.word(variable.size));
            block.put(at + 20, &endianness.word(variable.ty as u32));
            block.put(at + 24, &endianness.word(u32::from(variable.is_constant)));
        }

        let name = block.add_text(&script_name(&self.program.files[file]));
        block.refer(64, here(name));
        self.program.data[section] = block.into_constants(file, ".data.rel.ro.script");
        here(0)
    }

    /// The functions of the script, in order.
    fn functions(&self) -> Vec<ScriptFunction> {
        let mut functions = Vec::new();
        for (id, function) in self.program.functions.iter() {
            let section = &self.program.code[function.section];
            let is_seen = function.binding != Binding::Local || names::is_of_script(&section.name);
            if !is_seen || self.program.is_of_runtime(section.file) {
                continue;
            }
            let Some((kind, argument)) = names::of_script(&function.name, &section.name) else { continue };
            let result = function.prototype.as_ref().map(|prototype| &prototype.result);
            functions.push(ScriptFunction {
                id,
                kind,
                returns: result.is_some_and(|result| matches!(result, CType::Int { .. })),
                argument: argument.map(str::to_owned),
            });
        }
        functions
    }

    /// The global variables of shared sections, and of others that can be set: constants first, then by name.
    fn variables(&self) -> Vec<ScriptVariable> {
        let btf = self.program.types[self.halves.file].as_deref();
        let is_listed = |symbol: &DataSymbol| {
            let data = &self.program.data[symbol.section];
            let can_be_set = data.file == self.halves.file && data.kind == DataKind::Settable;
            can_be_set || self.halves.shared.binary_search(&symbol.section).is_ok()
        };
        let symbols = self.program.symbols.iter().filter(|(_, symbol)| is_listed(symbol));
        let variable = |symbol: &DataSymbol| ScriptVariable {
            name: symbol.name.clone(),
            place: Target::Data { section: symbol.section, offset: symbol.offset.cast_signed() },
            size: symbol.size as u32,
            ty: btf.map_or(ScriptType::Other, |btf| script_type(btf, &symbol.name)),
            is_constant: self.program.data[symbol.section].kind != DataKind::Data,
        };
        let mut variables: Vec<ScriptVariable> = symbols.map(|(_, symbol)| variable(symbol)).collect();
        variables.sort_by(|left, right| (!left.is_constant, &left.name).cmp(&(!right.is_constant, &right.name)));
        variables
    }
}

struct ScriptFunction {
    id: FunctionId,
    kind: ScriptKind,
    /// It returns an integer.
    returns: bool,
    /// What follows the slash of its section.
    argument: Option<String>,
}

struct ScriptVariable {
    name: String,
    place: Target,
    size: u32,
    ty: ScriptType,
    is_constant: bool,
}

/// The type of a variable, as far as a text can be made a value of it.
fn script_type(btf: &Btf, name: &str) -> ScriptType {
    let Some(variable) = btf.symbols_named(name).find(|symbol| symbol.kind == SymbolKind::Variable) else {
        return ScriptType::Other;
    };
    let Ok((_, ty)) = btf.resolve(variable.ty) else { return ScriptType::Other };
    match ty.kind {
        Kind::Int(int) if int.boolean => ScriptType::Bool,
        Kind::Int(int) if int.signed => ScriptType::Signed,
        Kind::Int(_) => ScriptType::Unsigned,
        Kind::Enum(all) | Kind::Enum64(all) if all.signed => ScriptType::Signed,
        Kind::Enum(_) | Kind::Enum64(_) => ScriptType::Unsigned,
        Kind::Array(array) => match btf.resolve(array.element).map(|(_, ty)| ty.kind) {
            Ok(Kind::Int(int)) if int.bytes == 1 && !int.boolean => ScriptType::Text,
            _ => ScriptType::Other,
        },
        _ => ScriptType::Other,
    }
}

/// A file's name without its folder and `.o`.
fn script_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".o").unwrap_or(name).to_owned()
}
