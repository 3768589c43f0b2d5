//! Addresses and 64-bit immediates (RFC 9669 section 5.4).
//!
//! | target | CLIF |
//! |---|---|
//! | a function | `func_addr` |
//! | data, an import that is never called | `symbol_value`, `iadd` of the offset |
//! | either of these, if it has an entry in the [`super::AddressTable`] | `load` of that entry, by `symbol_value` of the table |
//! | a variable in an arena | a call of `bpf2native_rt_arena_globals`, `iadd` of the offset |
//! | a label | `iconst` of its number ([`crate::graph::LabelNumbers`]) |
//! | a number | `iconst` |
//! | `map_by_fd(n)`, `map_val(m)`, `var_addr(n)`, `map_by_idx(n)` | a call of `bpf_map_by_fd`, `bpf_map_val`, ... |

use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, FuncRef, GlobalValueData, InstBuilder, MemFlagsData, Signature, UserExternalName,
    Value,
};
use cranelift_module::FuncId;

use super::lifter::Lifter;
use crate::abi::WORD;
use crate::declarations::{Callee, DataReference, FUNCTIONS, Imported, Outside};
use crate::decode::insn::{Reg, WideImm};
use crate::program::{ArenaSection, DataKind, Target};

impl Lifter<'_, '_> {
    /// Imports a function, to be called with this signature.
    pub(super) fn function_reference(&mut self, callee: &Callee, signature: Signature) -> FuncRef {
        self.function_by_id(callee.id, signature, callee.colocated)
    }

    /// The same, of what is no callee of BPF.
    pub(super) fn function_by_id(&mut self, id: FuncId, signature: Signature, colocated: bool) -> FuncRef {
        let builder = &mut *self.builder;
        *self.references.functions.entry((id, signature)).or_insert_with_key(|(id, signature)| {
            let name = UserExternalName { namespace: FUNCTIONS, index: id.as_u32() };
            let name = ExternalName::user(builder.func.declare_imported_user_function(name));
            let signature = builder.import_signature(signature.clone());
            builder.import_function(ExtFuncData { name, signature, colocated, patchable: false })
        })
    }

    pub(super) fn function_address(&mut self, callee: &Callee) -> Value {
        if let Some(address) = self.address_in_table(Outside::Function(callee.id)) {
            return address;
        }
        let signature = callee.abi.signature(callee.abi.words(0));
        let reference = self.function_reference(callee, signature);
        self.builder.ins().func_addr(WORD, reference)
    }

    fn data_address(&mut self, data: DataReference, offset: i64) -> Value {
        let address = self.address_in_table(Outside::Data(data.id));
        let address = address.unwrap_or_else(|| self.symbol_value(data));
        self.plus(address, offset)
    }

    /// Loads the address of a symbol that has an entry in the table of addresses.
    fn address_in_table(&mut self, symbol: Outside) -> Option<Value> {
        let table = self.declarations.addresses.as_ref()?;
        let offset = table.offset(symbol)?;
        let start = self.symbol_value(table.data);
        // The offset is far below 2 GiB: each entry stands for a symbol of the input.
        Some(self.builder.ins().load(WORD, MemFlagsData::trusted(), start, offset as i32))
    }

    pub(super) fn symbol_value(&mut self, data: DataReference) -> Value {
        let builder = &mut *self.builder;
        let global = *self.references.data.entry(data.id).or_insert_with(|| {
            let name = ExternalName::user(builder.func.declare_imported_user_function(data.name()));
            builder.create_global_value(GlobalValueData::Symbol {
                name,
                offset: 0.into(),
                colocated: data.colocated,
                tls: false,
            })
        });
        builder.ins().symbol_value(WORD, global)
    }

    fn plus(&mut self, value: Value, offset: i64) -> Value {
        if offset == 0 { value } else { self.builder.ins().iadd_imm_s(value, offset) }
    }

    /// The address of `target`.
    pub(super) fn target_address(&mut self, target: Target) -> Value {
        let declarations = self.declarations;
        if let Some((placed, offset)) = self.program.arena_place(target) {
            return self.arena_address(placed, offset);
        }
        match target {
            Target::Function(function) => self.function_address(declarations.address_of(function)),
            Target::Label { section, offset } => {
                self.builder.ins().iconst(WORD, declarations.labels.value(section, offset) as i64)
            }
            Target::Data { section, offset } => {
                let data = declarations.section(section);
                let address = self.data_address(data, offset);
                if let (DataKind::JumpTable(_), Some(&global)) =
                    (self.program.data[section].kind, self.references.data.get(&data.id))
                {
                    self.references.tables.insert(global, section);
                }
                address
            }
            Target::Symbol { symbol, addend } => match declarations.symbols.get(&symbol) {
                Some(&data) => self.data_address(data, addend),
                None => {
                    let symbol = &self.program.symbols[symbol];
                    let offset = (symbol.offset as i64).wrapping_add(addend);
                    self.data_address(declarations.section(symbol.section), offset)
                }
            },
            Target::Import { import, addend } => {
                let address = match &declarations.imports[import] {
                    Imported::Function(callee) => self.function_address(callee),
                    Imported::Data(data) => self.data_address(*data, 0),
                    Imported::Inline(_) | Imported::Unused => unreachable!("an import whose address is taken"),
                };
                self.plus(address, addend)
            }
            Target::Absolute(value) => self.builder.ins().iconst(WORD, value as i64),
        }
    }

    /// A place in an arena, which the runtime maps when it is first asked.
    fn arena_address(&mut self, placed: ArenaSection, offset: i64) -> Value {
        let declarations = self.declarations;
        let base = self.program.arena.as_ref().map(|arena| arena.base).expect("what is placed has an arena");
        let map = self.data_address(declarations.section(placed.map.0), placed.map.1.cast_signed());
        let start = self.call_function(declarations.function(base), &[map]).first;
        let start = start.expect("the runtime's function returns a pointer");
        self.plus(start, offset.wrapping_add_unsigned(placed.offset))
    }

    pub(super) fn load_imm(&mut self, dst: Reg, value: WideImm) {
        let value = match (self.at.target, value) {
            (Some(target), _) => self.target_address(target),
            (None, WideImm::Const(value)) => self.builder.ins().iconst(WORD, value as i64),
            (None, WideImm::MapByFd(fd)) => self.call_platform("bpf_map_by_fd", fd),
            (None, WideImm::MapByIndex(index)) => self.call_platform("bpf_map_by_idx", index),
            (None, WideImm::MapValueByFd(fd, offset)) => {
                let map = self.call_platform("bpf_map_by_fd", fd);
                self.map_value(map, offset)
            }
            (None, WideImm::MapValueByIndex(index, offset)) => {
                let map = self.call_platform("bpf_map_by_idx", index);
                self.map_value(map, offset)
            }
            (None, WideImm::Variable(id)) => self.call_platform("bpf_var_addr", id),
            // The graph phase gives every `code_addr` a target.
            (None, WideImm::Code(distance)) => self.builder.ins().iconst(WORD, i64::from(distance)),
        };
        self.set(dst, value);
    }

    fn call_platform(&mut self, name: &str, number: i32) -> Value {
        let number = self.builder.ins().iconst(WORD, i64::from(number));
        self.call_runtime(name, &[number])
    }

    fn map_value(&mut self, map: Value, offset: i32) -> Value {
        let value = self.call_runtime("bpf_map_val", &[map]);
        self.plus(value, i64::from(offset))
    }
}
