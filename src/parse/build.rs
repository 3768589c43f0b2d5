//! Puts the program together: sections, functions, symbols and imports get their ids, addresses become targets.
//!
//! In: the objects. Out: the [`Program`].

use object::elf;

use super::addresses::{Address, Symbols};
use super::archive::Chosen;
use super::error::ParseError;
use super::functions::{self, Code, CodeSymbol, Found};
use super::helpers;
use super::jump_tables::JumpTables;
use super::libraries;
use super::maps;
use super::merge::{Definition, Global, Globals, SymbolRef};
use super::relocations::{self, Reference, References, Use};
use super::sections::{self, Home, Layout};
use super::stack_sizes;
use crate::elf::{Object, SymbolHome};
use crate::program::names;
use crate::program::{
    CodeSectionId, DataSectionId, DataSymbol, DataSymbolId, Endianness, FileId, Function, FunctionId, Id, IdVec,
    Import, ImportId, ImportKind, Map, Program, PrototypeSource, Relocation, Target, function_at,
};

/// The program that `objects` make together.
///
/// Undefined functions of the names of `named_helpers` are helpers of these numbers.
pub(super) fn program(chosen: &Chosen<'_>, named_helpers: &[(&str, u32)]) -> Result<Program, ParseError> {
    let objects = &chosen.objects[..];
    let globals = Globals::resolve(objects, chosen.users, &chosen.library_names)?;
    let mut layout = Layout::new(objects, &globals)?;
    if layout.code.is_empty() && layout.data.is_empty() {
        return Err(ParseError::NoCode { files: objects.iter().map(|object| object.name.clone()).collect() });
    }
    let commons = place_commons(objects, &globals, &mut layout)?;
    let tables = JumpTables::new(objects, &mut layout)?;
    let symbols = Symbols { objects, globals: &globals, layout: &layout, commons: &commons, tables: &tables };
    let (references, edits) = relocations::read(&symbols)?;
    relocations::apply(&edits, &mut layout);
    let stack_sizes = stack_sizes::read(objects, &layout);
    let mut builder = Builder { objects, globals: &globals, layout, ids: Ids::new(globals.list.len()) };
    let mut functions = builder.functions(&references)?;
    for id in functions.ids() {
        let function = &mut functions[id];
        function.stack_size = stack_sizes.get(&(function.section, function.start)).copied();
    }
    let data_symbols = builder.data_symbols(&commons);
    let mut program = builder.finish(functions, data_symbols, &references)?;
    program.given_files = chosen.given;
    libraries::make_local(&chosen.library_names, &mut program);
    helpers::call_by_number(&mut program, named_helpers);
    helpers::resolve(&mut program);
    Ok(program)
}

/// What a place in code is: the start of a function, which is marked when its address is taken, or a label.
pub(super) fn code_target(
    functions: &mut IdVec<FunctionId, Function>,
    section: CodeSectionId,
    offset: u64,
    usage: Use,
) -> Target {
    match function_at(functions.as_slice(), section, offset) {
        Some(id) => {
            functions[id].address_taken |= usage == Use::Address;
            Target::Function(id)
        }
        None => Target::Label { section, offset },
    }
}

/// Makes the blocks of COMMON symbols, for each name of [`Globals::list`] that has one.
fn place_commons(
    objects: &[Object<'_>],
    globals: &Globals<'_>,
    layout: &mut Layout,
) -> Result<Vec<Option<DataSectionId>>, ParseError> {
    let place = |definition| match definition {
        Definition::Common { at: SymbolRef { object, .. }, size, align } => {
            layout.add_common(object, &objects[object].name, size, align).map(Some)
        }
        _ => Ok(None),
    };
    globals.list.iter().map(|global| global.definition).map(place).collect()
}

pub(super) fn function(found: Found, section: CodeSectionId) -> Function {
    Function {
        name: found.name,
        section,
        start: found.start,
        end: found.end,
        binding: found.binding,
        visibility: found.visibility,
        address_taken: false,
        stack_size: None,
        stack_alignment: None,
        prototype: None,
        words: None,
        aliases: found.aliases,
    }
}

/// What has been numbered so far.
struct Ids {
    /// For each of [`Globals::list`].
    symbols: Vec<Option<DataSymbolId>>,
    /// For each of [`Globals::list`].
    imports: Vec<Option<ImportId>>,
}

impl Ids {
    fn new(globals: usize) -> Self {
        Self { symbols: vec![None; globals], imports: vec![None; globals] }
    }
}

struct Builder<'a, 'data> {
    objects: &'a [Object<'data>],
    globals: &'a Globals<'data>,
    layout: Layout,
    ids: Ids,
}

impl<'data> Builder<'_, 'data> {
    /// The functions of all code sections.
    fn functions(&self, references: &References) -> Result<IdVec<FunctionId, Function>, ParseError> {
        let mut symbols: IdVec<CodeSectionId, Vec<CodeSymbol<'data>>> =
            self.layout.code.iter().map(|_| Vec::new()).collect();
        let mut called: IdVec<CodeSectionId, Vec<u64>> = self.layout.code.iter().map(|_| Vec::new()).collect();
        let mut taken: IdVec<CodeSectionId, Vec<u64>> = self.layout.code.iter().map(|_| Vec::new()).collect();
        self.each_symbol(|at, section| {
            if let Home::Code(id) = self.layout.home(at.object, section) {
                symbols[id].extend(self.code_symbol(at));
            }
        });
        let of_code = references.code.iter().map(|(_, list)| list);
        let of_data = references.data.iter().map(|(_, list)| list);
        for reference in of_code.chain(of_data).flatten() {
            if let Address::Code { section, offset, .. } = reference.address {
                match reference.usage {
                    Use::Call => called[section].push(offset),
                    Use::Address => taken[section].push(offset),
                }
            }
        }
        let mut functions = IdVec::new();
        for (id, code) in self.layout.code.iter() {
            let relocated: Vec<u64> = references.code[id].iter().map(|reference| reference.offset).collect();
            symbols[id].sort_by_key(|symbol| symbol.start);
            let object = &self.objects[code.file.index()];
            let found = functions::find(&Code {
                name: &code.name,
                bytes: &code.bytes,
                endianness: object.endianness(),
                symbols: &symbols[id],
                relocated: &relocated,
                called: &called[id],
                taken: &taken[id],
            });
            let what = |what| ParseError::Section { file: object.name.clone(), section: code.name.clone(), what };
            for found in found.map_err(what)? {
                functions.push(function(found, id));
            }
        }
        Ok(functions)
    }

    /// Calls `visit` with each symbol that is in a section, in order.
    fn each_symbol(&self, mut visit: impl FnMut(SymbolRef, usize)) {
        for (object_index, object) in self.objects.iter().enumerate() {
            for (symbol_index, symbol) in object.symbols.iter().enumerate() {
                if let (SymbolHome::Section(section), false) = (symbol.home, symbol.is_section()) {
                    visit(SymbolRef { object: object_index, symbol: symbol_index }, section);
                }
            }
        }
    }

    /// The symbol as one of a code section; not if it says that it is data.
    fn code_symbol(&self, at: SymbolRef) -> Option<CodeSymbol<'data>> {
        let symbol = &self.objects[at.object].symbols[at.symbol];
        let is_function = symbol.kind == elf::STT_FUNC;
        let global = self.globals.of(at);
        (is_function || symbol.kind == elf::STT_NOTYPE).then(|| CodeSymbol {
            name: symbol.name,
            start: symbol.value,
            size: symbol.size,
            is_function,
            binding: symbol.binding,
            visibility: global.map_or(symbol.visibility, |global| self.globals.list[global].visibility),
            is_definition: global.is_none() || self.globals.is_definition(at),
        })
    }

    /// The names of data that other objects see, and the maps.
    fn data_symbols(&mut self, commons: &[Option<DataSectionId>]) -> (IdVec<DataSymbolId, DataSymbol>, Vec<Map>) {
        let (mut symbols, mut maps) = (IdVec::new(), Vec::new());
        let mut of_globals = std::mem::take(&mut self.ids.symbols);
        self.each_symbol(|at, section_index| {
            let Home::Data(section) = self.layout.home(at.object, section_index) else { return };
            let object = &self.objects[at.object];
            let symbol = &object.symbols[at.symbol];
            let is_shared = self.globals.of(at).is_some();
            let is_definition = !is_shared || self.globals.is_definition(at);
            if let Ok(map) = object.maps.binary_search_by_key(&at.symbol, |(symbol, _)| *symbol)
                && is_definition
            {
                let definition = object.maps[map].1.as_ref().ok().cloned();
                let (name, offset, size) = (names::owned(symbol.name), symbol.value, symbol.size);
                maps.push(Map { name, section, offset, size, definition, values: Vec::new() });
            }
            let Some(global) = self.globals.of(at).filter(|_| is_definition) else { return };
            of_globals[global] = Some(symbols.push(DataSymbol {
                name: names::owned(symbol.name),
                section,
                offset: symbol.value,
                size: symbol.size,
                binding: symbol.binding,
                visibility: self.globals.list[global].visibility,
            }));
        });
        for ((global, section), id) in self.globals.list.iter().zip(commons).zip(&mut of_globals) {
            if let (Some(section), Definition::Common { at, size, .. }) = (*section, global.definition) {
                *id = Some(symbols.push(DataSymbol {
                    name: names::owned(global.name),
                    section,
                    offset: 0,
                    size,
                    // Values of the kernel's configuration that are not there are weak.
                    binding: self.objects[at.object].symbols[at.symbol].binding,
                    visibility: global.visibility,
                }));
            }
        }
        self.ids.symbols = of_globals;
        (symbols, maps)
    }

    fn finish(
        mut self,
        mut functions: IdVec<FunctionId, Function>,
        (symbols, mut maps): (IdVec<DataSymbolId, DataSymbol>, Vec<Map>),
        references: &References,
    ) -> Result<Program, ParseError> {
        let mut imports = IdVec::new();
        for id in self.layout.code.ids() {
            let file = self.layout.code[id].file;
            let list = self.targets(&references.code[id], file, &mut functions, &mut imports);
            self.layout.code[id].relocations = list;
            let array_calls = references.code[id].iter();
            let array_calls = array_calls.filter_map(|reference| Some((reference.offset, reference.array_call?)));
            self.layout.code[id].array_calls = array_calls.collect();
        }
        for id in self.layout.data.ids() {
            let file = self.layout.data[id].file;
            let list = self.targets(&references.data[id], file, &mut functions, &mut imports);
            let data = &mut self.layout.data[id];
            data.relocations = list;
            if sections::is_reversed(data) {
                let (file, section) = (self.objects[file.index()].name.clone(), data.name.clone());
                sections::reverse(data).map_err(|what| ParseError::Section { file, section, what })?;
            }
        }
        for map in &mut maps {
            map.values = maps::initial_values(map, &self.layout.data[map.section].relocations);
        }
        let endianness = self.objects.first().map_or(Endianness::Little, Object::endianness);
        Ok(Program {
            files: self.objects.iter().map(|object| object.name.clone()).collect(),
            types: self.objects.iter().map(|_| None).collect(),
            struct_results: self.objects.iter().map(|_| None).collect(),
            code: self.layout.code,
            functions,
            data: self.layout.data,
            symbols,
            imports,
            attached: sections::attached(self.objects, self.globals),
            groups: self.layout.groups,
            maps,
            given_files: self.objects.len(),
            ..Program::new(endianness)
        })
    }

    /// The relocations of one section of `file`.
    fn targets(
        &mut self,
        references: &[Reference],
        file: FileId,
        functions: &mut IdVec<FunctionId, Function>,
        imports: &mut IdVec<ImportId, Import>,
    ) -> Vec<Relocation> {
        let mut list = Vec::with_capacity(references.len());
        for &Reference { offset, address, usage, .. } in references {
            let target = match address {
                Address::Code { section, offset, weak } => {
                    match (code_target(functions, section, offset, usage), weak) {
                        // Each name of a function may come to mean another one.
                        (Target::Function(id), Some(global))
                            if functions[id].name != self.globals.list[global].name =>
                        {
                            let import = self.import(global, file, Use::Call, imports);
                            (imports[import].weak, imports[import].alias_of) = (false, Some(id));
                            Target::Import { import, addend: 0 }
                        }
                        (target, _) => target,
                    }
                }
                Address::Data { section, offset } => Target::Data { section, offset },
                Address::Absolute(number) => Target::Absolute(number),
                Address::Global { global, addend } => match self.ids.symbols[global] {
                    Some(symbol) => Target::Symbol { symbol, addend },
                    None => Target::Import { import: self.import(global, file, usage, imports), addend },
                },
            };
            list.push(Relocation { offset, target });
        }
        list
    }

    /// The import of this name, which `file` uses.
    fn import(
        &mut self,
        global: usize,
        file: FileId,
        usage: Use,
        imports: &mut IdVec<ImportId, Import>,
    ) -> ImportId {
        let Global { name, weak_only, .. } = self.globals.list[global];
        let id = *self.ids.imports[global].get_or_insert_with(|| {
            imports.push(Import {
                name: names::owned(name),
                weak: weak_only,
                kind: ImportKind::Data,
                prototype: None,
                kconfig: false,
                ksym: false,
                prototype_from: PrototypeSource::None,
                files: Vec::new(),
                alias_of: None,
            })
        });
        let import = &mut imports[id];
        if usage == Use::Call {
            import.kind = ImportKind::Function;
        }
        if let Err(place) = import.files.binary_search(&file) {
            import.files.insert(place, file);
        }
        id
    }
}
