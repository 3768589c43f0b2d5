//! Prints the lines of `src/abi/libc/libc.txt` for the functions that an object points to: `tools/prototypes.sh` makes the
//! object, with a variable `prototype_of_<name>` for each function, whose type is a pointer to it.

use std::error::Error;

use bpf2native::btf::{Btf, CType, Kind, Prototype, Prototypes, SymbolKind};
use object::{Object, ObjectSection};

/// What comes before the function's name in the variable's.
const PREFIX: &str = "prototype_of_";

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("give an object with BTF")?;
    let bytes = std::fs::read(path)?;
    let file = object::File::parse(&*bytes)?;
    let section = file.section_by_name(".BTF").ok_or("the object has no BTF")?;
    let btf = Btf::parse(section.data()?)?;
    let mut prototypes = Prototypes::new(&btf);
    for symbol in btf.symbols().filter(|symbol| symbol.kind == SymbolKind::Variable) {
        let Some(name) = symbol.name.strip_prefix(PREFIX) else { continue };
        let Kind::Variable { ty, .. } = btf.get(symbol.id)?.kind else { continue };
        let Kind::Pointer(function) = btf.resolve(ty)?.1.kind else { continue };
        match prototypes.get(function) {
            Ok(prototype) if has_long_double(&prototype) => eprintln!("{name} is left out: it has a `long double`"),
            Ok(prototype) => println!("{name}\t{}", line(&prototype)),
            Err(error) => eprintln!("{name} is left out: {error}"),
        }
    }
    Ok(())
}

fn has_long_double(prototype: &Prototype) -> bool {
    let mut parameters = prototype.parameters.iter().map(|parameter| &parameter.ty);
    prototype.result.has_long_double() || parameters.any(CType::has_long_double)
}

fn line(prototype: &Prototype) -> String {
    let parameters = prototype.parameters.iter().map(|parameter| spelled(&parameter.ty));
    let types = std::iter::once(spelled(&prototype.result)).chain(parameters);
    let dots = prototype.variadic.then(|| "...".to_owned());
    types.chain(dots).collect::<Vec<_>>().join("\t")
}

/// A type as the table has it.
fn spelled(ty: &CType) -> String {
    match ty {
        CType::Void => "v".to_owned(),
        CType::Bool => "b".to_owned(),
        CType::Int { bytes, signed } => format!("{}{bytes}", if *signed { 'i' } else { 'u' }),
        CType::Float { bytes } => format!("f{bytes}"),
        CType::LongDouble => "f8".to_owned(),
        CType::Pointer(text) => format!("*{text}"),
        CType::Aggregate(aggregate) => {
            let scalars = aggregate.scalars.iter().map(|(offset, ty)| format!(";{offset} {}", spelled(ty)));
            format!("{}={}{}", aggregate.name, aggregate.size, scalars.collect::<String>())
        }
    }
}
