//! The data of adapters: rows with addresses, and room for what `search` fills.

use cranelift_module::{DataDescription, FuncId, Module, ModuleError, ModuleRelocTarget};

use crate::declarations::adapters::{ROW, SLOT};
use crate::lift::{Declarations, FUNCTIONS};
use crate::program::Target;

/// Defines the tables, if there are any.
///
/// # Errors
///
/// The module's.
pub fn define(declarations: &Declarations, module: &mut dyn Module) -> Result<(), Box<ModuleError>> {
    let Some(adapters) = &declarations.adapters else { return Ok(()) };
    let rows = adapters.adapted.iter().flat_map(|adapted| {
        let callee = match adapted.target {
            Target::Function(id) => Some(declarations.address_of(id)),
            target => declarations.callee(target),
        };
        let address = callee.expect("what has an adapter is a function").id;
        [address, adapted.plain, adapted.in_registers]
    });
    let tables = &adapters.tables;
    module.define_data(tables.rows.id, &describe_rows(&rows.collect::<Vec<FuncId>>()))?;
    for (table, bytes) in [(tables.places, tables.place_bytes()), (tables.notes, tables.note_bytes())] {
        let mut description = DataDescription::new();
        description.set_align(SLOT as u64);
        description.define_zeroinit(bytes);
        module.define_data(table.id, &description)?;
    }
    Ok(())
}

/// A row of zeros, and those of these words.
fn describe_rows(words: &[FuncId]) -> DataDescription {
    let mut description = DataDescription::new();
    description.set_align(SLOT as u64);
    for (offset, id) in (ROW..).step_by(SLOT).zip(words) {
        let global = description.import_global_value(ModuleRelocTarget::user(FUNCTIONS, id.as_u32()));
        description.write_data_addr(offset as u32, global, 0);
    }
    description.define(vec![0; ROW + words.len() * SLOT].into_boxed_slice());
    description
}
