//! Definitions of maps.
//!
//! In: an object. Out: for each symbol of its map sections, what the map is, or why that cannot be read. What depends on other
//! objects (initial elements) is added when the program is put together.
//!
//! | section | a map is |
//! |---|---|
//! | `.maps` | what the type of its variable says, in BTF: `__uint(name, n)` is a pointer to an array of n, `__type(name, t)` a pointer to a t, `__ulong(name, n)` an enum with the value n, `__array(values, t)` an array of pointers to t |
//! | `maps`, `maps/NAME` | `struct bpf_map_def`: five words |
//!
//! As in libbpf, the first member of a name counts, and an object that another one links with says the same.

use crate::btf::{Btf, Kind, MAX_NESTING, Member, TypeId};
use crate::elf::{Object, Section, SymbolHome};
use crate::program::maps::{FieldKind, MapDefinition, MapField, PERF_EVENT_ARRAY, RINGBUF, USER_RINGBUF};
use crate::program::{Endianness, Map, MapValue, Relocation};

/// The section whose maps BTF describes.
pub(super) const BTF_MAPS: &str = ".maps";

/// The most fields of a value that are more than data; the kernel takes 11.
const MOST_FIELDS: usize = 64;
/// The most members and elements of a value that are looked at for such fields.
const MOST_MEMBERS: usize = 1 << 16;

/// What the size of a ring buffer is rounded up to, as libbpf does it with the system's.
const PAGE: u32 = 4096;

/// Maps of maps are not in maps of maps.
const DEEPEST: usize = 2;

/// What a definition says, or why it cannot be read.
pub(super) type Definition = Result<MapDefinition, String>;

/// `.maps` of libbpf, `maps` and `maps/NAME` of older loaders.
pub(super) fn is_map_section(section: &Section<'_>) -> bool {
    section.name == BTF_MAPS || section.name == "maps" || section.name.starts_with("maps/")
}

/// The maps of an object, by the indices of their symbols.
pub(super) fn read(object: &Object<'_>) -> Vec<(usize, Definition)> {
    let mut maps = Vec::new();
    let mut types = None;
    for (index, symbol) in object.symbols.iter().enumerate() {
        let SymbolHome::Section(section) = symbol.home else { continue };
        let section = &object.sections[section];
        if symbol.is_section() || symbol.name.is_empty() || !is_map_section(section) {
            continue;
        }
        let definition = if section.name == BTF_MAPS {
            let types = types.get_or_insert_with(|| read_types(object));
            match types {
                Ok(btf) => of_variable(btf, symbol.name),
                Err(what) => Err(what.clone()),
            }
        } else {
            of_words(section.data, symbol.value, object.endianness())
        };
        maps.push((index, definition));
    }
    maps
}

/// The initial elements of a map, which are pointers in its definition.
pub(super) fn initial_values(map: &Map, relocations: &[Relocation]) -> Vec<MapValue> {
    let Some(values_at) = map.definition.as_ref().and_then(|definition| definition.values_at) else {
        return Vec::new();
    };
    let (start, end) = (map.offset.saturating_add(values_at), map.offset.saturating_add(map.size));
    let within = relocations.iter().filter(|relocation| (start..end).contains(&relocation.offset));
    within.map(|found| MapValue { index: (found.offset - start) / 8, target: found.target }).collect()
}

fn read_types(object: &Object<'_>) -> Result<Btf, String> {
    let types = object.sections.iter().find(|section| section.name == ".BTF" && !section.data.is_empty());
    let types = types.ok_or("the object has no BTF, which says what it is; compile with -g")?;
    Btf::parse(types.data).map_err(|error| format!("the BTF, which says what it is, is damaged: {error}"))
}

/// A `struct bpf_map_def`.
fn of_words(bytes: &[u8], offset: u64, endianness: Endianness) -> Definition {
    let word = |index: u64| {
        let at = usize::try_from(offset.checked_add(4 * index)?).ok()?;
        let word = *bytes.get(at..)?.first_chunk()?;
        Some(match endianness {
            Endianness::Little => u32::from_le_bytes(word),
            Endianness::Big => u32::from_be_bytes(word),
        })
    };
    let (Some(kind), Some(key_size), Some(value_size), Some(max_entries)) = (word(0), word(1), word(2), word(3))
    else {
        return Err("its definition is shorter than the four words of a `struct bpf_map_def`".to_owned());
    };
    let flags = word(4).unwrap_or(0);
    checked(MapDefinition { kind, key_size, value_size, max_entries, flags, ..MapDefinition::default() })
}

/// What the type of a variable in `.maps` says.
fn of_variable(btf: &Btf, name: &str) -> Definition {
    let variable = btf.variable(name).ok_or("the object's BTF has no variable of its name; compile with -g")?;
    checked(Reader { btf, depth: 1 }.definition(variable.ty)?)
}

/// What libbpf and the kernel complete.
fn checked(mut map: MapDefinition) -> Definition {
    if map.kind == 0 {
        return Err("its definition has no type: `__uint(type, BPF_MAP_TYPE_...)`".to_owned());
    }
    if map.kind == PERF_EVENT_ARRAY {
        // Keys are processors, and values what is opened for each. No entries are as many as there are processors, which
        // the runtime knows.
        (map.key_size, map.value_size) = (4, 4);
    }
    if matches!(map.kind, RINGBUF | USER_RINGBUF) && map.max_entries != 0 {
        // Bytes: a power of two of whole pages.
        let pages = map.max_entries.div_ceil(PAGE).next_power_of_two();
        map.max_entries = pages.checked_mul(PAGE).ok_or("its size is more than 2 GiB")?;
    }
    if map.values_at.is_some() {
        map.value_size = 4;
    }
    if let Some(inner) = map.inner.take() {
        map.inner = Some(Box::new(checked(*inner)?));
    }
    Ok(map)
}

struct Reader<'a> {
    btf: &'a Btf,
    /// How many definitions inside each other.
    depth: usize,
}

impl Reader<'_> {
    fn definition(&self, ty: TypeId) -> Definition {
        let damaged = || "its definition's type is damaged".to_owned();
        let (_, ty) = self.btf.resolve(ty).map_err(|_| damaged())?;
        let composite = ty.kind.composite().ok_or("its variable is no struct")?;
        let mut map = MapDefinition::default();
        for member in self.btf.members(composite) {
            let name = self.btf.name(member.name);
            let wrong = |wanted: &str| format!("its definition's `{name}` is not made by `{wanted}`");
            let number = || self.number(member).ok_or_else(|| wrong("__uint"));
            let size = || self.size(member).ok_or_else(|| wrong("__type"));
            match name {
                "type" => map.kind = number()?,
                "max_entries" => map.max_entries = number()?,
                "map_flags" => map.flags = number()?,
                "numa_node" => map.numa_node = number()?,
                "pinning" => map.pinning = number()?,
                "key_size" => map.key_size = number()?,
                "value_size" => map.value_size = number()?,
                "map_extra" => map.extra = self.long(member).ok_or_else(|| wrong("__ulong"))?,
                "key" => map.key_size = size()?,
                "value" => {
                    map.value_size = size()?;
                    let value = self.pointee(member.ty).ok_or_else(|| wrong("__type"))?;
                    map.fields = Fields::of(self.btf, value)?;
                }
                "values" => {
                    map.values_at = Some(u64::from(member.bit_offset / 8));
                    let element = self.element(member.ty).ok_or_else(|| wrong("__array"))?;
                    if self.btf.resolve(element).is_ok_and(|(_, ty)| ty.kind.composite().is_some()) {
                        if self.depth == DEEPEST {
                            return Err("its elements are maps of maps".to_owned());
                        }
                        let inner = Reader { btf: self.btf, depth: self.depth + 1 }.definition(element);
                        map.inner = Some(Box::new(inner.map_err(|what| format!("in its elements, {what}"))?));
                    }
                }
                _ => return Err(format!("its definition has a member `{name}`, which maps do not have")),
            }
        }
        Ok(map)
    }

    fn pointee(&self, ty: TypeId) -> Option<TypeId> {
        match self.btf.resolve(ty).ok()?.1.kind {
            Kind::Pointer(to) => Some(to),
            _ => None,
        }
    }

    /// `__uint(name, number)`.
    fn number(&self, member: &Member) -> Option<u32> {
        match self.btf.resolve(self.pointee(member.ty)?).ok()?.1.kind {
            Kind::Array(array) => Some(array.count),
            _ => None,
        }
    }

    /// `__ulong(name, number)`, and `__uint`.
    fn long(&self, member: &Member) -> Option<u64> {
        let (_, ty) = self.btf.resolve(member.ty).ok()?;
        match ty.kind.any_enum() {
            Some(all) => self.btf.enumerators(all).first().map(|enumerator| enumerator.value),
            None => self.number(member).map(u64::from),
        }
    }

    /// The size of the type of `__type(name, type)`.
    fn size(&self, member: &Member) -> Option<u32> {
        u32::try_from(self.btf.size_of(self.pointee(member.ty)?).ok()??).ok()
    }

    /// The type of `__array(name, type)`.
    fn element(&self, ty: TypeId) -> Option<TypeId> {
        match self.btf.resolve(ty).ok()?.1.kind {
            Kind::Array(array) => self.pointee(array.element),
            _ => None,
        }
    }
}

/// Finds fields that are more than data.
struct Fields<'a> {
    btf: &'a Btf,
    found: Vec<MapField>,
    /// Members and elements that may still be looked at.
    left: usize,
}

impl Fields<'_> {
    fn of(btf: &Btf, value: TypeId) -> Result<Vec<MapField>, String> {
        let mut fields = Fields { btf, found: Vec::new(), left: MOST_MEMBERS };
        fields.visit(value, 0, 0)?;
        fields.found.sort_by_key(|field| (field.offset, field.kind as u32));
        fields.found.dedup();
        Ok(fields.found)
    }

    /// Looks at a value of a type; whether there is such a field in it.
    fn visit(&mut self, ty: TypeId, offset: u32, depth: usize) -> Result<bool, String> {
        self.left = self.left.checked_sub(1).ok_or("its values have too many members")?;
        if depth == MAX_NESTING {
            return Err("its values are nested too deeply".to_owned());
        }
        let damaged = || "the type of its values is damaged".to_owned();
        let (_, resolved) = self.btf.resolve(ty).map_err(|_| damaged())?;
        let mut any = false;
        match resolved.kind {
            Kind::Struct(composite) | Kind::Union(composite) => {
                if let Some(kind) = FieldKind::of_struct(self.btf.name(resolved.name)) {
                    return self.add(kind, offset, composite.bytes);
                }
                for member in self.btf.members(composite) {
                    let offset = offset.checked_add(member.bit_offset / 8).ok_or_else(damaged)?;
                    any |= self.visit(member.ty, offset, depth + 1)?;
                }
            }
            Kind::Array(array) => {
                let size = self.btf.size_of(array.element).ok().flatten().and_then(|size| u32::try_from(size).ok());
                for index in 0..array.count {
                    let at =
                        size.and_then(|size| offset.checked_add(size.checked_mul(index)?)).ok_or_else(damaged)?;
                    any |= self.visit(array.element, at, depth + 1)?;
                    // The others are as the first.
                    if !any {
                        break;
                    }
                }
            }
            Kind::Pointer(to) if self.is_kernel_object(to) => return self.add(FieldKind::Kptr, offset, 8),
            _ => {}
        }
        Ok(any)
    }

    fn add(&mut self, kind: FieldKind, offset: u32, size: u32) -> Result<bool, String> {
        if self.found.len() == MOST_FIELDS {
            return Err(format!(
                "its values have more than {MOST_FIELDS} locks, timers, kernel pointers and the like"
            ));
        }
        self.found.push(MapField { kind, offset, size });
        Ok(true)
    }

    /// Whether a pointer to this type is one to a kernel object: its type has such a tag.
    fn is_kernel_object(&self, mut ty: TypeId) -> bool {
        for _ in 0..MAX_NESTING {
            let Ok(at) = self.btf.get(ty) else { return false };
            match at.kind {
                Kind::TypeTag(_) if matches!(self.btf.name(at.name), "kptr" | "kptr_untrusted" | "percpu_kptr") => {
                    return true;
                }
                Kind::TypeTag(next) | Kind::Const(next) | Kind::Volatile(next) => ty = next,
                _ => return false,
            }
        }
        false
    }
}
