//! Unwind tables, by which debuggers, profilers and exceptions pass through translated functions.
//!
//! In: the unwind information of compiled functions. Out:
//!
//! | format | section | a function's address is |
//! |---|---|---|
//! | ELF | `.eh_frame` | 4 bytes, relative |
//! | Mach-O | `__TEXT,__eh_frame` | 8 bytes, the difference of two symbols |
//! | COFF | `.pdata` and `.xdata` (Microsoft x64 exception handling) | 4 bytes, relative to the image |
//! | memory | a terminated `.eh_frame`, to be registered | 8 bytes, absolute |

use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::isa::unwind::UnwindInfo;
use cranelift_object::ObjectProduct;
use gimli::DwEhPe;
use gimli::constants::{DW_EH_PE_absptr, DW_EH_PE_pcrel, DW_EH_PE_sdata4};
use gimli::write::{Address, EhFrame, FrameTable, Relocation, RelocationTarget};
use object::write::{Relocation as ObjectRelocation, StandardSection, SymbolId};
use object::{BinaryFormat, RelocationEncoding, RelocationFlags, RelocationKind, SectionKind};

use super::EmitError;
use super::relocate::{Writer, endianness, fixed_place};
use crate::codegen::{CompiledFunction, Unwind};

/// The bytes of a frame table and its relocations.
type Table = (Vec<u8>, Vec<Relocation>);

/// A frame table; `address` gives each function's.
fn frame_table<'a>(
    isa: &dyn TargetIsa,
    encoding: DwEhPe,
    functions: impl Iterator<Item = (Address, &'a Unwind)>,
) -> Result<Option<Table>, EmitError> {
    let Some(mut cie) = isa.create_systemv_cie() else { return Ok(None) };
    cie.fde_address_encoding = encoding;
    let mut table = FrameTable::default();
    let cie = table.add_cie(cie);
    let mut is_empty = true;
    for (address, unwind) in functions {
        if let Some(entry) = unwind.entry(address) {
            table.add_fde(cie, entry);
            is_empty = false;
        }
    }
    if is_empty {
        return Ok(None);
    }
    let mut section = EhFrame(Writer::new(endianness(isa)));
    table.write_eh_frame(&mut section).map_err(|error| EmitError::Write(error.to_string()))?;
    Ok(Some((section.0.bytes.into_vec(), section.0.relocations)))
}

/// The frame table of functions at these addresses, with the zero length that ends it.
pub(crate) fn in_memory<'a>(
    isa: &dyn TargetIsa,
    functions: impl Iterator<Item = (u64, &'a CompiledFunction)>,
) -> Result<Option<Vec<u8>>, EmitError> {
    let functions =
        functions.filter_map(|(address, function)| Some((Address::Constant(address), function.unwind.as_ref()?)));
    let table = frame_table(isa, DW_EH_PE_absptr, functions)?;
    Ok(table.map(|(mut bytes, _)| {
        bytes.extend([0; 4]);
        bytes
    }))
}

/// Adds the unwind sections to an object.
pub(super) fn write(
    functions: &[CompiledFunction],
    isa: &dyn TargetIsa,
    product: &mut ObjectProduct,
) -> Result<(), EmitError> {
    let symbol = |function: &CompiledFunction| {
        product.functions[function.id].expect("every compiled function is declared").0
    };
    let infos: Vec<(SymbolId, &CompiledFunction, &Unwind)> = functions
        .iter()
        .filter_map(|function| Some((symbol(function), function, function.unwind.as_ref()?)))
        .collect();
    if product.object.format() == BinaryFormat::Coff {
        return write_pdata(&infos, product);
    }
    let is_macho = product.object.format() == BinaryFormat::MachO;
    let encoding = DwEhPe(DW_EH_PE_pcrel.0 | if is_macho { DW_EH_PE_absptr.0 } else { DW_EH_PE_sdata4.0 });
    let addressed = infos.iter().enumerate().map(|(index, (_, _, info))| {
        let address = Address::Symbol { symbol: index, addend: 0 };
        (address, *info)
    });
    let Some((bytes, relocations)) = frame_table(isa, encoding, addressed)? else { return Ok(()) };
    let section = product.object.section_id(StandardSection::EhFrame);
    product.object.append_section_data(section, &bytes, 8);
    let section_symbol = product.object.section_symbol(section);
    for relocation in relocations {
        let RelocationTarget::Symbol(index) = relocation.target else { continue };
        let offset = relocation.offset as u64;
        let (kind, addend, subtractor) = if is_macho {
            // The difference is from the section's start, and the field is relative to itself.
            (RelocationKind::Absolute, relocation.addend - relocation.offset as i64, Some(section_symbol))
        } else {
            (RelocationKind::Relative, relocation.addend, None)
        };
        let (symbol, addend) = fixed_place(&mut product.object, infos[index].0, addend);
        let flags =
            RelocationFlags::Generic { kind, encoding: RelocationEncoding::Generic, size: relocation.size * 8 };
        let added = ObjectRelocation { offset, symbol, addend, flags };
        product
            .object
            .add_relocation_with_subtractor(section, added, subtractor)
            .map_err(|error| EmitError::Write(error.to_string()))?;
    }
    Ok(())
}

/// Microsoft's tables: one UNWIND_INFO for each function in `.xdata`, one RUNTIME_FUNCTION in `.pdata`.
fn write_pdata(
    infos: &[(SymbolId, &CompiledFunction, &Unwind)],
    product: &mut ObjectProduct,
) -> Result<(), EmitError> {
    if infos.is_empty() {
        return Ok(());
    }
    let object = &mut product.object;
    let xdata = object.add_section(Vec::new(), b".xdata".to_vec(), SectionKind::ReadOnlyData);
    let pdata = object.add_section(Vec::new(), b".pdata".to_vec(), SectionKind::ReadOnlyData);
    let xdata_symbol = object.section_symbol(xdata);
    let image_relative = RelocationFlags::Generic {
        kind: RelocationKind::ImageOffset,
        encoding: RelocationEncoding::Generic,
        size: 32,
    };
    for (function, compiled, info) in infos {
        let (info, has_end) = match info {
            Unwind::Cranelift(UnwindInfo::WindowsX64(info)) => {
                let mut bytes = vec![0; info.emit_size()];
                info.emit(&mut bytes);
                (bytes, true)
            }
            Unwind::Cranelift(UnwindInfo::WindowsArm64(info)) => (arm64_record(compiled.code.len(), info), false),
            _ => continue,
        };
        let at = object.append_section_data(xdata, &info, 4);
        // x64: start, end, information. arm64: start, information.
        let fields: &[(SymbolId, i64)] = if has_end {
            &[(*function, 0), (*function, compiled.code.len() as i64), (xdata_symbol, at as i64)]
        } else {
            &[(*function, 0), (xdata_symbol, at as i64)]
        };
        let entry = object.append_section_data(pdata, &vec![0; fields.len() * 4], 4);
        for (index, &(symbol, addend)) in fields.iter().enumerate() {
            let relocation =
                ObjectRelocation { offset: entry + 4 * index as u64, symbol, addend, flags: image_relative };
            object.add_relocation(pdata, relocation).map_err(|error| EmitError::Write(error.to_string()))?;
        }
    }
    Ok(())
}

/// An arm64 `.xdata` record without epilogs and handlers: the header word or words, then the unwind codes.
fn arm64_record(code_bytes: usize, info: &cranelift_codegen::isa::unwind::winarm64::UnwindInfo) -> Vec<u8> {
    /// The function's length has 18 bits of 4 bytes; a longer function has no valid single record.
    const LENGTH: u32 = (1 << 18) - 1;
    /// The header's field for the code words has 5 bits; beyond, an extension word holds them.
    const SHORT: u32 = 31;
    let words = u32::from(info.code_words());
    let length = u32::try_from(code_bytes / 4).unwrap_or(LENGTH).min(LENGTH);
    let mut record = Vec::new();
    if words <= SHORT {
        record.extend((length | words << 27).to_le_bytes());
        if words == 0 {
            record.extend(0u32.to_le_bytes());
        }
    } else {
        record.extend(length.to_le_bytes());
        record.extend((words << 16).to_le_bytes());
    }
    let codes = record.len();
    record.resize(codes + words as usize * 4, 0);
    info.emit(&mut record[codes..]);
    record
}
