//! One function through Cranelift, and through the steps over machine code where the target has some.
//!
//! In: CLIF and a code generator. Out: a [`CompiledFunction`].
//!
//! The rule: what Cranelift knows of the code and does not say in its bytes (where blocks start, where instructions end,
//! where spill slots are) is read here, from its buffer, and nowhere else.

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::{
    AbiParam, ArgumentPurpose, ExtFuncData, ExternalName, Function, StackSlot, StackSlotData, StackSlotKind,
};
use cranelift_codegen::isa::unwind::UnwindInst;
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_codegen::{CodegenError, CompiledCode};
use cranelift_module::{FuncId, ModuleReloc, ModuleRelocTarget};
use target_lexicon::Architecture;

use super::compiled::{CodeRange, CompiledFunction, Keep, NativeFrame, StepOutcome};
use super::cranelift::Contexts;
use super::error::CompileError;
use super::extent::Extent;
use super::prefetch;
use super::unwind::Unwind;
use super::unwind_rows;
use crate::aarch64::{self, CallRegisters};
use crate::lift::{DATA, FUNCTIONS};
use crate::program::Place;
use crate::x86::{self, Coldness, Steps};

/// Compiles a function that the translator adds to the program.
///
/// # Errors
///
/// [`CompileError::Codegen`] when Cranelift refuses it.
pub fn synthetic(isa: &dyn TargetIsa, id: FuncId, function: Function) -> Result<CompiledFunction, CompileError> {
    assemble(isa, id, function, Keep::Code, Steps::default(), &mut Contexts::new(None)).map_err(|reason| {
        let place = Box::new(Place {
            file: "the translator".to_owned(),
            section: ".text".to_owned(),
            function: None,
            offset: None,
        });
        CompileError::Codegen { place, reason }
    })
}

/// Runs Cranelift on one function, then those of `steps` that are steps over machine code.
pub(super) fn assemble(
    isa: &dyn TargetIsa,
    id: FuncId,
    function: Function,
    keep: Keep,
    steps: Steps<'_>,
    contexts: &mut Contexts,
) -> Result<CompiledFunction, String> {
    contexts.context.func = function;
    // An empty slot, the last one, takes no bytes, and its offset is where the spill slots begin.
    let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, 0, 0);
    let marker = contexts.context.func.create_sized_stack_slot(slot);
    let compiled = contexts.compile(isa).map_err(|error| describe(&error))?;
    let context = &contexts.context;
    let unwind = compiled.create_unwind_info(isa).map_err(|error| describe(&error))?;
    let buffer = &compiled.buffer;
    let ranges = buffer.get_srclocs_sorted();
    let mut locations = Vec::with_capacity(ranges.len());
    let known = ranges.iter().filter(|range| !range.loc.is_default());
    locations.extend(known.map(|range| CodeRange {
        start: range.start,
        end: range.end,
        offset: u64::from(range.loc.bits()),
    }));
    let relocation = |relocation| not_a_call_of_data(ModuleReloc::from_mach_reloc(relocation, &context.func, id));
    let Extent { entries, end } = Extent::new(&compiled, isa.triple().architecture);
    let mut made = CompiledFunction {
        id,
        function: None,
        code: buffer.data().to_vec(),
        align: u64::from(buffer.alignment),
        relocations: buffer.relocs().iter().map(relocation).collect(),
        unwind: unwind.map(Unwind::Cranelift),
        frame: native_frame(&compiled, marker),
        locations,
        entries,
        optimised: (keep == Keep::Optimised).then(|| Box::new(context.func.clone())),
        keeping: keeping(&context.func),
        steps: StepOutcome::default(),
    };
    prefetch::replace_calls(&mut made.code, &mut made.relocations);
    match isa.triple().architecture {
        Architecture::X86_64 if x86::STEPS.iter().any(|step| steps.passes.contains(step.pass)) => {
            let coldness = if contexts.counters.is_some() { Coldness::Counted } else { Coldness::Unknown };
            x86::run(&mut made, end, isa, Steps { coldness, ..steps });
        }
        Architecture::Aarch64(_) if aarch64::STEPS.iter().any(|step| steps.passes.contains(step.pass)) => {
            let calls = call_registers(&context.func, &made.relocations);
            aarch64::run(&mut made, end, isa, calls, (steps.passes, steps.times));
        }
        _ => {}
    }
    made.unwind = made.unwind.map(|unwind| unwind_rows::complete(unwind, &made.code, isa));
    Ok(made)
}

/// The registers of arguments and results that a function's calls and its callers look at, on aarch64: as many as it has of them in CLIF,
/// where all are in registers of their own, and nothing calls what CLIF does not.
fn call_registers(function: &Function, relocations: &[ModuleReloc]) -> CallRegisters {
    let is_plain =
        |parameter: &AbiParam| parameter.purpose == ArgumentPurpose::Normal && (parameter.value_type.bits() <= 64);
    let of = |parameters: &[AbiParam]| match parameters.len() {
        count if count < 8 && parameters.iter().all(is_plain) => Some((1 << count) - 1),
        _ => None,
    };
    let all = CallRegisters::default();
    let is_hidden = |relocation: &ModuleReloc| matches!(relocation.name, ModuleRelocTarget::LibCall(_));
    let signatures = function.dfg.signatures.values();
    let arguments = signatures.map(|signature| of(&signature.params).unwrap_or(all.arguments));
    let arguments =
        if relocations.iter().any(is_hidden) { all.arguments } else { arguments.fold(0, |all, of| all | of) };
    CallRegisters { arguments, results: of(&function.signature.returns).unwrap_or(all.results) }
}

/// The functions that a function calls by a convention that keeps all registers.
fn keeping(function: &Function) -> Vec<u32> {
    let keeps =
        |called: &&ExtFuncData| function.dfg.signatures[called.signature].call_conv == CallConv::PreserveAll;
    let index = |called: &ExtFuncData| match called.name {
        ExternalName::User(name) => {
            let name = &function.params.user_named_funcs()[name];
            (name.namespace == FUNCTIONS).then_some(name.index)
        }
        _ => None,
    };
    function.dfg.ext_funcs.values().filter(keeps).filter_map(index).collect()
}

/// The frame that Cranelift laid out; `marker` is the last stack slot.
fn native_frame(compiled: &CompiledCode, marker: StackSlot) -> NativeFrame {
    let Some(layout) = compiled.buffer.frame_layout() else { return NativeFrame::default() };
    let (mut pushed, mut saved) = (0, 0);
    for (_, instruction) in &compiled.buffer.unwind_info {
        match instruction {
            UnwindInst::PushFrameRegs { offset_upward_to_caller_sp } => pushed = *offset_upward_to_caller_sp,
            UnwindInst::DefineNewFrame { offset_downward_to_clobbers, .. } => saved = *offset_downward_to_clobbers,
            _ => {}
        }
    }
    // From the stack pointer up: outgoing arguments, stack slots, spill slots, saved registers, the caller's frame.
    let start = layout.stackslots[marker].offset;
    let end = layout.frame_to_fp_offset.saturating_sub(saved).max(start);
    NativeFrame { size: layout.frame_to_fp_offset.saturating_add(pushed), spills: start..end }
}

/// Cranelift makes the relocation of a call for every near reference; a linker may send a call through a stub, which data
/// has none of.
fn not_a_call_of_data(relocation: ModuleReloc) -> ModuleReloc {
    match (relocation.kind, &relocation.name) {
        (Reloc::X86CallPCRel4, ModuleRelocTarget::User { namespace: DATA, .. }) => {
            ModuleReloc { kind: Reloc::X86PCRel4, ..relocation }
        }
        _ => relocation,
    }
}

/// Cranelift's error, in words.
pub(super) fn describe(error: &CodegenError) -> String {
    match error {
        CodegenError::Verifier(errors) => format!("invalid CLIF (a bug of the lifter):\n{errors}"),
        CodegenError::CodeTooLarge => "its code is too large; split it".to_owned(),
        CodegenError::ImplLimitExceeded => "it exceeds a limit of the code generator; split it".to_owned(),
        other => other.to_string(),
    }
}
