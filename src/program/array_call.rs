//! Calls of `bpf2native.h`: their arguments are words in memory, so there may be more than BPF passes.
//!
//! In: the name of an undefined symbol. Out: the name of the function that is called, and how. This is the one place
//! that knows these names; nothing later sees them.
//!
//! | symbol | `words` in r2, called with |
//! |---|---|
//! | `__bpf2native_call_N_f` | N integers and pointers: `f(words...)` |
//! | `__bpf2native_calld_N_f` | N words, doubles among them: if `f` is variadic, its `v` form is called |
//! | `__bpf2native_calls_N_f` | N words; `f` returns a struct, which goes to r3 |
//! | `__bpf2native_vcall_N_f` | N words, those of the declared parameters of `f` but the last, which is a `va_list` of the rest |
//!
//! r1 is not read. Its type in BTF is a pointer to a function of the type of `f`, so that the object says the type of a
//! function that it nowhere calls by its name. A `float` is passed as a double.

/// The start of the names.
const PREFIX: &str = "__bpf2native_";

/// How a call passes its arguments in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArrayCall {
    /// What the words are for.
    pub form: ArrayForm,
    /// How many words there are.
    pub words: u8,
}

/// The forms of such calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArrayForm {
    /// No word is a floating-point number.
    Plain,
    /// Some may be.
    Doubles,
    /// The result is a struct.
    Struct,
    /// The last parameter is a `va_list`.
    VaList,
}

impl ArrayCall {
    /// Takes the name of a symbol apart: how it is called, and which function.
    pub fn parse(symbol: &str) -> Option<(ArrayCall, &str)> {
        let mut parts = symbol.strip_prefix(PREFIX)?.splitn(3, '_');
        let form = match parts.next()? {
            "call" => ArrayForm::Plain,
            "calld" => ArrayForm::Doubles,
            "calls" => ArrayForm::Struct,
            "vcall" => ArrayForm::VaList,
            _ => return None,
        };
        let words = parts.next()?.parse().ok()?;
        let function = parts.next().filter(|name| !name.is_empty())?;
        Some((ArrayCall { form, words }, function))
    }
}

#[cfg(test)]
mod tests {
    use super::{ArrayCall, ArrayForm};

    #[test]
    fn names() {
        for (symbol, form, words, function) in [
            ("__bpf2native_call_6_mmap", ArrayForm::Plain, 6, "mmap"),
            ("__bpf2native_calld_12_printf", ArrayForm::Doubles, 12, "printf"),
            ("__bpf2native_calls_2_div", ArrayForm::Struct, 2, "div"),
            ("__bpf2native_vcall_7_my_v_log", ArrayForm::VaList, 7, "my_v_log"),
            ("__bpf2native_call_6___isoc99_sscanf", ArrayForm::Plain, 6, "__isoc99_sscanf"),
        ] {
            assert_eq!(ArrayCall::parse(symbol), Some((ArrayCall { form, words }, function)));
        }
        for symbol in
            ["mmap", "__bpf2native_", "__bpf2native_call_6_", "__bpf2native_call_256_f", "__bpf2native_x_1_f"]
        {
            assert_eq!(ArrayCall::parse(symbol), None, "{symbol}");
        }
    }
}
