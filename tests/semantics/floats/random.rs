//! Random programs of floats: in BPF, as compilers write floats, and in C.
//!
//! In: a seed. Out: a [`Program`]. The rule: both do the same, step by step; no result depends on the sign or the payload of a NaN
//! that arithmetic made, since C leaves these free.
//!
//! | variable | in BPF | in C |
//! |---|---|---|
//! | four doubles | r6, r7, two slots of 8 bytes | `d[0]` to `d[3]` |
//! | two floats | the halves of a slot | `f[0]`, `f[1]` |
//! | a word of the input, which is a double and an integer | r8 | `w` |
//! | an integer | a slot | `sum` |
//! | the result of a comparison | a slot of 8 bytes, or the first 4 of it | `t` |
//! | counters of loops | two slots | `i` |
//! | the rest of a series, how many numbers of it were added, and how many are to be | three slots | `n` |
//! | the memory | r9 | `m` |

use std::fmt::Write as _;

use crate::support::random::Seed;

const DOUBLES: [&str; 4] = ["r6", "r7", "*(u64 *)(r10 - 8)", "*(u64 *)(r10 - 16)"];
const FLOATS: [&str; 2] = ["*(u32 *)(r10 - 24)", "*(u32 *)(r10 - 20)"];
const SUM: &str = "*(u64 *)(r10 - 32)";
const COUNTERS: [&str; 2] = ["*(u64 *)(r10 - 48)", "*(u64 *)(r10 - 56)"];

/// A program.
pub struct Program {
    pub name: String,
    pub bpf: String,
    /// The slots that call, and what.
    pub calls: Vec<(u64, &'static str)>,
    pub c: String,
}

struct Writer {
    seed: Seed,
    program: Program,
    slots: u64,
    labels: usize,
    /// Whether `t` is stored and loaded whole.
    is_wide: bool,
}

impl Program {
    pub fn new(seed: u64) -> Program {
        let name = format!("floats_{seed:x}");
        let program = Program { c: String::new(), bpf: String::new(), calls: Vec::new(), name };
        let mut writer =
            Writer { seed: Seed::new(seed), program, slots: 0, labels: 0, is_wide: seed.is_multiple_of(2) };
        writer.function();
        writer.program
    }
}

impl Writer {
    fn bpf(&mut self, lines: &str) {
        for line in lines.lines() {
            self.slots += if line.ends_with(" ll") { 2 } else { 1 };
            self.program.bpf.push_str(line);
            self.program.bpf.push('\n');
        }
    }

    fn label(&mut self) -> String {
        self.labels += 1;
        format!("label{}", self.labels)
    }

    fn place(&mut self, label: &str) {
        writeln!(self.program.bpf, "{label}:").unwrap();
    }

    fn c(&mut self, text: &str) {
        self.program.c.push_str(text);
        self.program.c.push('\n');
    }

    fn call(&mut self, name: &'static str) {
        self.program.calls.push((self.slots, name));
        self.bpf("call -1");
    }

    fn function(&mut self) {
        let name = self.program.name.clone();
        self.c(&format!(
            "u64 {name}(unsigned char *m) {{ u64 d[4], w, sum = 1, i[2]; u32 f[2]; i64 t = 0; (void)i;"
        ));
        self.bpf("r9 = r1");
        for index in 0..4 {
            self.load_double(index);
        }
        for index in 0..2 {
            self.load_float(index);
        }
        self.load_word();
        self.bpf("r0 = 1");
        self.bpf(&format!("{SUM} = r0"));
        self.bpf("r0 = 0");
        self.bpf("*(u64 *)(r10 - 40) = r0");
        let count = 4 + self.seed.below(10);
        (0..count).for_each(|_| self.statement(0));
        for (index, place) in DOUBLES.iter().enumerate() {
            self.bpf(&format!("r0 = {place}"));
            self.bpf(&format!("*(u64 *)(r9 + {}) = r0", 256 + 8 * index));
            self.c(&format!("memcpy(m + {}, &d[{index}], 8);", 256 + 8 * index));
        }
        for (index, place) in FLOATS.iter().enumerate() {
            self.bpf(&format!("r0 = {place}"));
            self.bpf(&format!("*(u32 *)(r9 + {}) = r0", 320 + 4 * index));
            self.c(&format!("memcpy(m + {}, &f[{index}], 4);", 320 + 4 * index));
        }
        self.bpf(&format!("r0 = {SUM}"));
        self.bpf("exit");
        self.c("return sum; }");
    }

    fn load_double(&mut self, index: usize) {
        let at = 8 * self.seed.below(16);
        self.bpf(&format!("r0 = *(u64 *)(r9 + {at})"));
        self.bpf(&format!("{} = r0", DOUBLES[index]));
        self.c(&format!("memcpy(&d[{index}], m + {at}, 8);"));
    }

    fn load_float(&mut self, index: usize) {
        let at = 128 + 4 * self.seed.below(16);
        self.bpf(&format!("r0 = *(u32 *)(r9 + {at})"));
        self.bpf(&format!("{} = r0", FLOATS[index]));
        self.c(&format!("memcpy(&f[{index}], m + {at}, 4);"));
    }

    fn load_word(&mut self) {
        let at = 8 * self.seed.below(16);
        self.bpf(&format!("r8 = *(u64 *)(r9 + {at})"));
        self.c(&format!("memcpy(&w, m + {at}, 8);"));
    }

    /// Where a double comes from: a variable, the word, or a constant; in C.
    fn double_to(&mut self, register: &str) -> String {
        match self.seed.below(7) {
            index @ 0..4 => {
                self.bpf(&format!("{register} = {}", DOUBLES[index]));
                format!("d[{index}]")
            }
            4 | 5 => {
                self.bpf(&format!("{register} = r8"));
                "w".to_owned()
            }
            _ => {
                let number: f64 = *self.seed.pick(&[0.0, 1.0, -2.5, 0.1, 1e300]);
                self.bpf(&format!("{register} = {:#x} ll", number.to_bits()));
                format!("{:#x}ull", number.to_bits())
            }
        }
    }

    fn float_to(&mut self, register: &str) -> String {
        match self.seed.below(5) {
            index @ 0..2 => {
                self.bpf(&format!("{register} = {}", FLOATS[index]));
                format!("f[{index}]")
            }
            2 => {
                let number: f32 = *self.seed.pick(&[0.0, 1.0, 2.5]);
                self.bpf(&format!("w{} = {}", &register[1..], number.to_bits()));
                format!("{:#x}u", number.to_bits())
            }
            index => {
                // Through a register of 32 bits, as compilers copy them.
                self.bpf(&format!("r0 = {}", FLOATS[index - 3]));
                self.bpf(&format!("w{} = w0", &register[1..]));
                format!("f[{}]", index - 3)
            }
        }
    }

    fn set_double(&mut self, c: &str) {
        let index = self.seed.below(4);
        self.bpf(&format!("{} = r0", DOUBLES[index]));
        self.c(&format!("d[{index}] = {c};"));
    }

    fn set_float(&mut self, c: &str) {
        let index = self.seed.below(2);
        self.bpf(&format!("{} = r0", FLOATS[index]));
        self.c(&format!("f[{index}] = {c};"));
    }

    /// Adds r0 to the sum.
    fn add_to_sum(&mut self, c: &str) {
        self.bpf(&format!("r1 = {SUM}"));
        self.bpf("r1 *= 31");
        self.bpf("r1 += r0");
        self.bpf(&format!("{SUM} = r1"));
        self.c(&format!("sum = sum * 31 + {c};"));
    }

    fn statement(&mut self, depth: usize) {
        match self.seed.below(if depth < 2 { 21 } else { 14 }) {
            0..3 => {
                const NAMES: [&str; 4] = ["__adddf3", "__subdf3", "__muldf3", "__divdf3"];
                let name = *self.seed.pick(&NAMES);
                let (x, y) = (self.double_to("r1"), self.double_to("r2"));
                self.call(name);
                self.set_double(&format!("{}({x}, {y})", &name[2..]));
            }
            3 | 4 => {
                const NAMES: [&str; 4] = ["__addsf3", "__subsf3", "__mulsf3", "__divsf3"];
                let name = *self.seed.pick(&NAMES);
                let (x, y) = (self.float_to("r1"), self.float_to("r2"));
                self.call(name);
                self.set_float(&format!("{}({x}, {y})", &name[2..]));
            }
            5 => {
                let name = *self.seed.pick(&["sqrt", "fabs", "floor", "ceil", "trunc"]);
                let x = self.double_to("r1");
                self.call(name);
                self.set_double(&format!("call_{name}({x})"));
            }
            6 => {
                let name = *self.seed.pick(&["sqrtf", "fabsf", "floorf"]);
                let x = self.float_to("r1");
                self.call(name);
                self.set_float(&format!("call_{name}({x})"));
            }
            7 => match self.seed.below(3) {
                0 => {
                    // The sign that is copied is one of the input.
                    let x = self.double_to("r1");
                    self.bpf("r2 = r8");
                    self.call("copysign");
                    self.set_double(&format!("call_copysign({x}, w)"));
                }
                choice => {
                    let name = if choice == 1 { "fmin" } else { "fmax" };
                    let (x, y) = (self.double_to("r1"), self.double_to("r2"));
                    self.call(name);
                    self.set_double(&format!("call_{name}({x}, {y})"));
                }
            },
            8 => self.mask(),
            9 => match self.seed.below(2) {
                0 => {
                    let x = self.float_to("r1");
                    self.call("__extendsfdf2");
                    self.set_double(&format!("bits_of_f64(f32_of({x}))"));
                }
                _ => {
                    let x = self.double_to("r1");
                    self.call("__truncdfsf2");
                    self.set_float(&format!("bits_of_f32(f64_of({x}))"));
                }
            },
            10 => self.conversion(),
            11 => {
                let index = self.seed.below(4);
                self.load_double(index);
                self.load_word();
            }
            12 => {
                let (index, at) = (self.seed.below(4), 288 + 8 * self.seed.below(4));
                self.bpf(&format!("r1 = {}", DOUBLES[index]));
                self.bpf(&format!("*(u64 *)(r9 + {at}) = r1"));
                self.c(&format!("memcpy(m + {at}, &d[{index}], 8);"));
            }
            13 => {
                let (x, y) = self.comparison();
                self.bpf(if self.is_wide { "*(u64 *)(r10 - 40) = r0" } else { "w0 = w0\n*(u32 *)(r10 - 40) = r0" });
                self.c(&format!("t = {x}{y};"));
            }
            14..17 => self.branch(depth),
            17 | 18 => self.repeat(depth),
            _ => self.series(),
        }
    }

    /// Clears or flips the sign.
    fn mask(&mut self) {
        match self.seed.below(4) {
            0 => {
                let x = self.double_to("r0");
                self.bpf("r1 = 0x7fffffffffffffff ll");
                self.bpf("r0 &= r1");
                self.set_double(&format!("{x} & ~(1ull << 63)"));
            }
            1 => {
                let x = self.double_to("r0");
                self.bpf("r1 = 0x8000000000000000 ll");
                self.bpf("r0 ^= r1");
                self.set_double(&format!("{x} ^ 1ull << 63"));
            }
            choice => {
                let (line, c) = if choice == 2 {
                    ("w1 &= 0x7fffffff", "& 0x7fffffffu")
                } else {
                    ("w1 ^= -2147483648", "^ 0x80000000u")
                };
                let x = self.float_to("r1");
                self.bpf(line);
                self.bpf("w0 = w1");
                self.set_float(&format!("{x} {c}"));
            }
        }
    }

    /// Between integers and floats; those of a NaN depend on its sign, so they are of the input.
    fn conversion(&mut self) {
        match self.seed.below(4) {
            0 => {
                const NAMES: [&str; 4] = ["__fixdfdi", "__fixdfsi", "__fixunsdfdi", "__fixunsdfsi"];
                let name = *self.seed.pick(&NAMES);
                self.bpf("r1 = r8");
                self.call(name);
                self.add_to_sum(&format!("{}(w)", &name[2..]));
            }
            1 => {
                let name = *self.seed.pick(&["__fixsfsi", "__fixunssfsi", "__fixsfdi"]);
                let at = 128 + 4 * self.seed.below(16);
                self.bpf(&format!("r1 = *(u32 *)(r9 + {at})"));
                self.call(name);
                self.c(&format!("{{ u32 x; memcpy(&x, m + {at}, 4);"));
                self.add_to_sum(&format!("{}(x)", &name[2..]));
                self.c("}");
            }
            2 => {
                let (name, c) = *self.seed.pick(&[
                    ("__floatdidf", "(i64)sum"),
                    ("__floatsidf", "(i32)sum"),
                    ("__floatundidf", "sum"),
                    ("__floatunsidf", "(u32)sum"),
                ]);
                self.bpf(&format!("r1 = {SUM}"));
                self.call(name);
                self.set_double(&format!("bits_of_f64((double){c})"));
            }
            _ => {
                // The bits of a word as an integer.
                self.bpf("r0 = r8");
                self.bpf("r0 >>= 40");
                self.add_to_sum("(w >> 40)");
            }
        }
    }

    /// Compares two numbers: what is in r0 then, as a call in C.
    fn comparison(&mut self) -> (String, String) {
        if self.seed.below(3) == 0 {
            const NAMES: [&str; 7] =
                ["__ltsf2", "__lesf2", "__eqsf2", "__nesf2", "__gtsf2", "__gesf2", "__unordsf2"];
            let name = *self.seed.pick(&NAMES);
            let (x, y) = (self.float_to("r1"), self.float_to("r2"));
            self.call(name);
            (model(name), format!("({x}, {y})"))
        } else {
            const NAMES: [&str; 7] =
                ["__ltdf2", "__ledf2", "__eqdf2", "__nedf2", "__gtdf2", "__gedf2", "__unorddf2"];
            let name = *self.seed.pick(&NAMES);
            let (x, y) = (self.double_to("r1"), self.double_to("r2"));
            self.call(name);
            (model(name), format!("({x}, {y})"))
        }
    }

    /// A branch on a comparison, on the result of an earlier one, or on two of the same numbers.
    fn branch(&mut self, depth: usize) {
        let (skip, end) = (self.label(), self.label());
        let operator = *self.seed.pick(&["==", "!=", "s<", "s<=", "s>", "s>="]);
        let constant = self.seed.below(3) as i64 - 1;
        let letter = *self.seed.pick(&["r", "w"]);
        let choice = self.seed.below(5);
        let c_operator = operator.trim_start_matches('s');
        let letter = if choice == 0 && !self.is_wide { "w" } else { letter };
        let condition = match choice {
            0 => {
                self.bpf(if self.is_wide { "r0 = *(u64 *)(r10 - 40)" } else { "r0 = *(u32 *)(r10 - 40)" });
                "t".to_owned()
            }
            1 => {
                // Unordered, or less: what no one function says.
                self.bpf("r1 = r6\nr2 = r7");
                self.call("__unorddf2");
                self.bpf("*(u64 *)(r10 - 64) = r0");
                self.bpf("r1 = r6\nr2 = r7");
                let name = *self.seed.pick(&["__ltdf2", "__gedf2", "__eqdf2"]);
                self.call(name);
                self.bpf("r1 = 1");
                self.bpf("if w0 s< 0 goto +1");
                self.bpf("r1 = 0");
                self.bpf("r0 = *(u64 *)(r10 - 64)");
                self.bpf("r0 |= r1");
                format!("(unorddf(d[0], d[1]) | ({}(d[0], d[1]) < 0))", model(name))
            }
            _ => {
                let (name, arguments) = self.comparison();
                format!("{name}{arguments}")
            }
        };
        self.bpf(&format!("if {letter}0 {operator} {constant} goto {skip}"));
        self.c(&format!("if (!({condition} {c_operator} {constant})) {{"));
        (0..1 + self.seed.below(2)).for_each(|_| self.statement(depth + 1));
        let has_other = self.seed.below(2) == 0;
        if has_other {
            self.bpf(&format!("goto {end}"));
        }
        self.place(&skip);
        if has_other {
            self.c("} else {");
            self.statement(depth + 1);
            self.place(&end);
        }
        self.c("}");
    }

    /// Adds up so many numbers, or their products, as the word says.
    fn series(&mut self) {
        let (head, out) = (self.label(), self.label());
        let is_double = self.seed.below(2) == 0;
        let has_products = self.seed.below(2) == 0;
        let (letters, size, start) = if is_double { ("df", 8, 0) } else { ("sf", 4, 128) };
        let names = [["__adddf3", "__addsf3"], ["__muldf3", "__mulsf3"]].map(|pair| pair[usize::from(!is_double)]);
        let (to, c_to) = if is_double { (DOUBLES[0], "d[0]") } else { (FLOATS[0], "f[0]") };
        let (word, size_bits) = (if is_double { "u64" } else { "u32" }, 8 * size);
        self.bpf("r0 = r8\nr0 &= 15\n*(u64 *)(r10 - 72) = r0");
        self.bpf(&format!("r1 = r9\nr1 += {start}\n*(u64 *)(r10 - 80) = r1"));
        self.bpf("r1 = 0\n*(u64 *)(r10 - 88) = r1");
        self.bpf(&format!("if r0 == r1 goto {out}"));
        self.place(&head);
        self.c("for (u64 n = 0; n < (w & 15); n++) {");
        self.c(&format!("{word} x; memcpy(&x, m + {start} + n * {size}, {size});"));
        self.bpf(&format!("r0 = *(u64 *)(r10 - 80)\nr1 = *(u{size_bits} *)(r0 + 0)"));
        if has_products {
            self.bpf(&format!("r2 = *(u{size_bits} *)(r0 + {size})"));
            self.call(names[1]);
            self.bpf("r1 = r0");
            self.c(&format!(
                "{word} y; memcpy(&y, m + {start} + n * {size} + {size}, {size}); x = mul{letters}3(x, y);"
            ));
        }
        self.bpf(&format!("r2 = r1\nr1 = {to}"));
        self.call(names[0]);
        self.bpf(&format!("{to} = r0"));
        self.c(&format!("{c_to} = add{letters}3({c_to}, x); }}"));
        self.bpf(&format!("r0 = *(u64 *)(r10 - 80)\nr0 += {size}\n*(u64 *)(r10 - 80) = r0"));
        self.bpf("r0 = *(u64 *)(r10 - 88)\nr0 += 1\n*(u64 *)(r10 - 88) = r0\nr1 = *(u64 *)(r10 - 72)");
        self.bpf(&format!("if r0 < r1 goto {head}"));
        self.place(&out);
    }

    fn repeat(&mut self, depth: usize) {
        let (head, times) = (self.label(), 1 + self.seed.below(5));
        self.bpf("r0 = 0");
        self.bpf(&format!("{} = r0", COUNTERS[depth]));
        self.place(&head);
        self.c(&format!("for (i[{depth}] = 0; i[{depth}] < {times}; i[{depth}]++) {{"));
        (0..1 + self.seed.below(3)).for_each(|_| self.statement(depth + 1));
        self.c("}");
        self.bpf(&format!("r0 = {}", COUNTERS[depth]));
        self.bpf("r0 += 1");
        self.bpf(&format!("{} = r0", COUNTERS[depth]));
        self.bpf(&format!("if r0 != {times} goto {head}"));
    }
}

/// What a comparison is in C.
fn model(name: &str) -> String {
    let letters = if name.contains("df") { "df" } else { "sf" };
    let kind = match &name[2..4] {
        "gt" | "ge" => "greater",
        "un" => "unord",
        _ => "less",
    };
    format!("{kind}{letters}")
}
