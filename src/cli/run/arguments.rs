//! Arguments of functions, by their types: `-- 1 2`, `-- half=0.5`.
//!
//! In: words of the command line; what the function takes. Out: words as [`DynamicFunction::call`] takes them, and results as
//! text. The rule: a value that its type cannot have is an error that names the parameter; nothing is called then.
//!
//! | result | shown |
//! |---|---|
//! | `void` | not at all |
//! | integers, enums | decimal, of the type's width and sign |
//! | `_Bool` | `true`, `false` |
//! | `float`, `double` | the shortest decimal that reads back as the same number |
//! | pointers | hexadecimal |
//! | unknown | as an unsigned 64-bit integer |
//!
//! [`DynamicFunction::call`]: bpf2native::jit::DynamicFunction::call

use anyhow::Context;
use bpf2native::Words;
use bpf2native::btf::{Btf, CType, Kind, Prototype, TypeId};

use super::layout::kind;
use super::literal::{self, Buffers};

/// A parameter: its name, its C type, and its type in BTF, if it is there.
pub struct Parameter<'a> {
    pub name: Option<String>,
    pub ty: CType,
    pub btf: Option<(&'a Btf, TypeId)>,
}

/// A word without a type.
const WORD: CType = CType::Int { bytes: 8, signed: false };

impl<'a> Parameter<'a> {
    /// Those of a function, whose `FUNC` may be in `btf`.
    pub fn of(prototype: &Prototype, btf: Option<&'a Btf>, name: &str) -> Vec<Parameter<'a>> {
        let types = btf.and_then(|btf| {
            let function = btf.function(name)?;
            let Kind::FunctionPrototype(prototype) = btf.get(function.ty).ok()?.kind else { return None };
            Some((btf, btf.parameters(prototype)))
        });
        // The two may disagree where a name is mangled.
        let types = types.filter(|(_, types)| types.len() == prototype.parameters.len());
        let each = prototype.parameters.iter().enumerate().map(|(index, parameter)| Parameter {
            name: parameter.name.clone(),
            ty: parameter.ty.clone(),
            btf: types.map(|(btf, types)| (btf, types[index].ty)),
        });
        each.collect()
    }

    /// A word of no known type.
    pub fn word() -> Parameter<'a> {
        Parameter { name: None, ty: WORD, btf: None }
    }

    /// What it is called in errors.
    fn title(&self, index: usize) -> String {
        match &self.name {
            Some(name) => format!("`{name}`"),
            None => format!("argument {}", index + 1),
        }
    }
}

/// The texts of all parameters, in their order: given in that order, or each with its name.
pub fn in_order(given: &[String], parameters: &[Parameter<'_>], declared: &str) -> anyhow::Result<Vec<String>> {
    let index_of = |word: &String| {
        let name = word.split_once('=')?.0;
        parameters.iter().position(|parameter| parameter.name.as_deref() == Some(name))
    };
    let indices: Vec<Option<usize>> = given.iter().map(index_of).collect();
    let named = indices.iter().flatten().count();
    anyhow::ensure!(named == 0 || named == given.len(), "name all arguments or none of `{declared}`");
    anyhow::ensure!(
        given.len() == parameters.len(),
        "`{declared}` takes {}, and {} given: they come after `--`",
        counted(parameters.len()),
        match given.len() {
            1 => "1 is".to_owned(),
            count => format!("{count} are"),
        }
    );
    if named == 0 {
        return Ok(given.to_vec());
    }
    let mut texts = vec![None; parameters.len()];
    for (word, index) in given.iter().zip(indices.into_iter().flatten()) {
        let value = word.split_once('=').map(|(_, value)| value.to_owned());
        anyhow::ensure!(texts[index].is_none(), "`{}` is given twice", parameters[index].title(index));
        texts[index] = value;
    }
    // There are as many as parameters, and none is there twice.
    Ok(texts.into_iter().flatten().collect())
}

fn counted(count: usize) -> String {
    match count {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        count => format!("{count} arguments"),
    }
}

/// The words of arguments.
pub fn words(texts: &[String], parameters: &[Parameter<'_>], buffers: &mut Buffers) -> anyhow::Result<Vec<u64>> {
    let mut words = Vec::new();
    for (index, (text, parameter)) in texts.iter().zip(parameters).enumerate() {
        let word = value(text, parameter, buffers).with_context(|| parameter.title(index))?;
        words.extend(word);
    }
    Ok(words)
}

/// The words of one argument.
fn value(text: &str, parameter: &Parameter<'_>, buffers: &mut Buffers) -> anyhow::Result<Vec<u64>> {
    let bytes = match (&parameter.ty, parameter.btf) {
        (CType::Aggregate(_), _) => anyhow::bail!("a struct is not given by value: call it from C, or from Rust"),
        (CType::LongDouble, _) => anyhow::bail!("a `long double` is no type of native code that can be given here"),
        // An enum has names, and a pointer may be to characters.
        (CType::Int { .. } | CType::Pointer(_), Some((btf, ty)))
            if matches!(kind(btf, ty), Some(Kind::Enum(_) | Kind::Enum64(_) | Kind::Pointer(_))) =>
        {
            literal::parse(btf, ty, text, buffers)?
        }
        (&CType::Int { bytes, signed }, Some(_)) => literal::integer(text, bytes.into(), signed)?,
        // Of no known type: as the user means it.
        (&CType::Int { bytes, .. }, None) if parameter.name.is_none() => untyped(text, bytes, buffers)?,
        (&CType::Int { bytes, signed }, None) => literal::integer(text, bytes.into(), signed)?,
        (CType::Bool, _) => {
            let value = literal::boolean(text).with_context(|| format!("`{text}` is neither true nor false"))?;
            vec![u8::from(value)]
        }
        (&CType::Float { bytes }, _) => literal::float(text, bytes.into())?,
        (CType::Pointer(pointee), _) => {
            let is_text = ["void", "char"].iter().any(|of| pointee.trim_end().ends_with(of));
            literal::pointer(text, is_text, buffers)?.to_ne_bytes().to_vec()
        }
        (CType::Void, _) => anyhow::bail!("it has no type"),
    };
    let signed = matches!(parameter.ty, CType::Int { signed: true, .. });
    Ok(extended(&bytes, signed))
}

/// A word that may be a number of either sign, or a pointer.
fn untyped(text: &str, bytes: u8, buffers: &mut Buffers) -> anyhow::Result<Vec<u8>> {
    let number = literal::integer(text, bytes.into(), text.starts_with('-'));
    number.or_else(|error| match literal::pointer(text, false, buffers) {
        Ok(address) => Ok(address.to_ne_bytes().to_vec()),
        Err(_) => Err(error),
    })
}

/// Bytes as words: in the low bits, with the sign.
pub fn extended(bytes: &[u8], signed: bool) -> Vec<u64> {
    let mut little = bytes.to_vec();
    if cfg!(target_endian = "big") {
        little.reverse();
    }
    let is_negative = signed && little.last().is_some_and(|&last| last & 0x80 != 0);
    little.resize(little.len().next_multiple_of(8), if is_negative { 0xff } else { 0 });
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
    let mut words: Vec<u64> = little.chunks_exact(8).map(word).collect();
    if cfg!(target_endian = "big") {
        // In the order of memory.
        words.reverse();
    }
    words
}

/// A result as text; empty for none.
pub fn show(result: Option<&CType>, words: Words) -> String {
    match result {
        Some(CType::Void) => String::new(),
        Some(CType::Float { bytes: 4 }) => format!("{:?}", f32::from_bits(words.first as u32)),
        Some(CType::Float { .. }) => format!("{:?}", f64::from_bits(words.first)),
        // A caller looks at the low byte only.
        Some(CType::Bool) => (words.first as u8 != 0).to_string(),
        Some(CType::Pointer(_)) => format!("{:#x}", words.first),
        Some(&CType::Int { bytes: 16, signed }) => {
            let (low, high) =
                if cfg!(target_endian = "big") { (words.second, words.first) } else { (words.first, words.second) };
            let value = u128::from(high) << 64 | u128::from(low);
            if signed { value.cast_signed().to_string() } else { value.to_string() }
        }
        Some(&CType::Int { bytes, signed }) => {
            let unused = 64 - 8 * u32::from(bytes);
            let word = words.first << unused;
            if signed { (word.cast_signed() >> unused).to_string() } else { (word >> unused).to_string() }
        }
        _ => words.first.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Parameter, extended, in_order};

    #[test]
    fn narrow_values_are_extended() {
        assert_eq!(extended(&(-2i16).to_ne_bytes(), true), [(-2i64).cast_unsigned()]);
        assert_eq!(extended(&0xfffeu16.to_ne_bytes(), false), [0xfffe]);
        assert_eq!(extended(&[200], true), [(-56i64).cast_unsigned()]);
    }

    #[test]
    fn arguments_are_given_by_position_or_by_name() {
        let parameters = ["a", "b"].map(|name| Parameter { name: Some(name.to_owned()), ..Parameter::word() });
        let order = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(|&word| word.to_owned()).collect();
            in_order(&given, &parameters, "long f(long, long)").map_err(|error| error.to_string())
        };
        assert_eq!(order(&["1", "2"]).unwrap(), ["1", "2"]);
        assert_eq!(order(&["b=1", "a=2"]).unwrap(), ["2", "1"]);
        assert_eq!(order(&["x=1", "y=2"]).unwrap(), ["x=1", "y=2"], "text with `=` in it");
        for (given, reason) in [
            (&["1"][..], "takes 2 arguments, and 1 is given"),
            (&[], "and 0 are given"),
            (&["1", "b=2"], "name all"),
            (&["a=1", "a=2"], "twice"),
        ] {
            let error = order(given).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
