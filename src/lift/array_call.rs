//! Array calls: calls of `bpf2native.h`, whose arguments are an array of words in memory ([`crate::program::ArrayCall`]).
//!
//! The words are loaded and put into r1 to r5 and stack arguments; then it is an ordinary call. The word of a `float` parameter
//! is a double, which is converted. For a function that takes a `va_list`, one is made of the words beyond its other
//! parameters.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};

use super::error::LiftError;
use super::lifter::Lifter;
use crate::abi::{ResultWords, WORD, parameter_words, result_words};
use crate::btf::{CType, Prototype};
use crate::decode::insn::{Callee, Reg};
use crate::lift::variadic;
use crate::program::{ArrayCall, ArrayForm, Target};

impl Lifter<'_, '_> {
    pub(super) fn call_array(&mut self, array: ArrayCall) -> Result<(), LiftError> {
        let program = self.program;
        let prototype = match self.at.target {
            Some(Target::Function(id)) => program.functions[id].prototype.as_deref(),
            Some(Target::Import { import, .. }) => program.imports[import].prototype.as_deref(),
            _ => None,
        };
        self.check_array(array, prototype).map_err(|what| self.array_error(what))?;
        let mut words = self.load_words(array.words);
        if array.form == ArrayForm::Struct {
            let result = self.get(Reg::R3);
            words.insert(0, result);
        }
        if let Some(prototype) = prototype {
            self.narrow_floats(prototype, &mut words);
            if array.form == ArrayForm::VaList {
                let result = self.call_with_va_list(prototype, &words);
                self.clobber(result);
                return Ok(());
            }
        }
        // Stack arguments that the object itself has stored are restored after the call.
        let zero = self.builder.ins().iconst(WORD, 0);
        let mut words = words.into_iter();
        for reg in Reg::arguments() {
            let word = words.next().unwrap_or(zero);
            self.set(reg, word);
        }
        let on_stack = words.map(|word| {
            let variable = self.builder.declare_var(WORD);
            self.builder.def_var(variable, word);
            variable
        });
        let on_stack = on_stack.collect();
        let kept = std::mem::replace(&mut self.stack_arguments, on_stack);
        let called = self.call(Callee::Local(0));
        self.stack_arguments = kept;
        called
    }

    /// What is wrong with such a call, if anything.
    fn check_array(&self, array: ArrayCall, prototype: Option<&Prototype>) -> Result<(), &'static str> {
        match (array.form, prototype) {
            (ArrayForm::Plain, _) => Ok(()),
            (_, None) => Err("nothing says its type: compile with -g"),
            (ArrayForm::Doubles, Some(prototype)) => {
                let has_form = variadic::needed(self.program, self.resolution, self.before, &self.at).is_some();
                let answers = !prototype.variadic || has_form;
                answers.then_some(()).ok_or("takes doubles after the `...`, and has no known form with a `va_list`")
            }
            (ArrayForm::Struct, Some(prototype)) => {
                let is_struct = matches!(prototype.result, CType::Aggregate(_));
                is_struct.then_some(()).ok_or("does not return a struct")
            }
            (ArrayForm::VaList, Some(prototype)) => {
                // For BPF, a `va_list` is a pointer.
                let last = prototype.parameters.last().map(|parameter| &parameter.ty);
                let has_list = !prototype.variadic && matches!(last, Some(CType::Pointer(_)));
                has_list.then_some(()).ok_or("takes no `va_list` as its last argument")
            }
        }
    }

    fn array_error(&self, what: &'static str) -> LiftError {
        let place = self.program.place(self.graph.section, Some(self.graph.function), self.at.offset);
        let callee = match self.at.target {
            Some(Target::Function(id)) => self.program.functions[id].name.clone(),
            Some(Target::Import { import, .. }) => self.program.imports[import].name.clone(),
            _ => String::new(),
        };
        LiftError::ArrayCall { place, callee, what }
    }

    /// Loads the words of the array that r2 points to.
    fn load_words(&mut self, count: u8) -> Vec<Value> {
        let array = self.get(Reg::R2);
        let offsets = (0..i32::from(count)).map(|index| index * WORD.bytes() as i32);
        offsets.map(|offset| self.builder.ins().load(WORD, MemFlagsData::new(), array, offset)).collect()
    }

    /// Converts the words of `float` parameters, which are doubles.
    fn narrow_floats(&mut self, prototype: &Prototype, words: &mut [Value]) {
        let mut index = result_words(&prototype.result);
        for parameter in &prototype.parameters {
            if let (CType::Float { bytes: 4 }, Some(word)) = (&parameter.ty, words.get_mut(index)) {
                let flags = MemFlagsData::new();
                let double = self.builder.ins().bitcast(types::F64, flags, *word);
                let single = self.builder.ins().fdemote(types::F32, double);
                let bits = self.builder.ins().bitcast(types::I32, flags, single);
                *word = self.builder.ins().uextend(WORD, bits);
            }
            index += parameter_words(&parameter.ty);
        }
    }

    /// Calls a function whose last parameter is a `va_list` of the words beyond the others.
    fn call_with_va_list(&mut self, prototype: &Prototype, words: &[Value]) -> ResultWords {
        let declarations = self.declarations;
        let others = prototype.parameters.split_last().map_or(&[][..], |(_, others)| others);
        let fixed: usize = others.iter().map(|parameter| parameter_words(&parameter.ty)).sum();
        let (fixed, variable) = words.split_at(fixed.min(words.len()));
        let mut passed = fixed.to_vec();
        passed.push(self.va_list(variable));
        let format = self.resolution.facts_of(self.at.target).format;
        let copy = format.and_then(|format| self.change_format_of_words(format, &mut passed));
        let callee = self.at.target.and_then(|target| declarations.callee(target));
        let result = callee.map(|callee| self.call_function(callee, &passed)).unwrap_or_default();
        self.free_format(copy);
        result
    }
}
