//! Each function that compares floats, its result compared with each constant in each way, alone and beside whether the numbers are
//! unordered: for all pairs of special numbers.

use bpf2native::config::{Pass, Passes};
use bpf2native::parse::{Input, Options, parse};
use bpf2native::{Config, Jit, Linker};

use crate::support::asm::assemble;
use crate::support::elf::object_with_calls;
use crate::support::interp::Order;

const NUMBERS: [f64; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    1e-310,
    f64::MAX,
    f64::MIN_POSITIVE,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    -f64::NAN,
];

const FUNCTIONS: [[&str; 2]; 7] = [
    ["__ltdf2", "__ltsf2"],
    ["__ledf2", "__lesf2"],
    ["__eqdf2", "__eqsf2"],
    ["__nedf2", "__nesf2"],
    ["__gtdf2", "__gtsf2"],
    ["__gedf2", "__gesf2"],
    ["__unorddf2", "__unordsf2"],
];

const OPERATORS: [&str; 6] = ["==", "!=", "s<", "s<=", "s>", "s>="];

/// What is asked of the result: it alone, with `or` and `and` of whether the numbers are unordered, as a word.
const FORMS: [&str; 4] = ["alone", "or", "and", "word"];

struct Question {
    function: [&'static str; 2],
    operator: &'static str,
    constant: i64,
    letter: &'static str,
    form: &'static str,
    is_f32: bool,
}

impl Question {
    fn text(&self) -> (String, Vec<(u64, &'static str)>) {
        let Question { function, operator, constant, letter, form, is_f32 } = self;
        let name = function[usize::from(*is_f32)];
        let unordered = FUNCTIONS[6][usize::from(*is_f32)];
        let condition = format!("if {letter}0 {operator} {constant} goto");
        match *form {
            "alone" => (format!("call -1\nr6 = 1\n{condition} +1\nr6 = 0\nr0 = r6\nexit"), vec![(0, name)]),
            "word" => (
                format!(
                    "call -1\n*(u64 *)(r10 - 8) = r0\nr0 = *(u64 *)(r10 - 8)\n{condition} +2\nr0 = 0\nexit\nr0 = 1\nexit"
                ),
                vec![(0, name)],
            ),
            form => {
                let operation = if form == "or" { "|=" } else { "&=" };
                let text = format!(
                    "r6 = r1\nr7 = r2\ncall -1\nr8 = r0\nr1 = r6\nr2 = r7\ncall -1\nr9 = 1\n{condition} +1\nr9 = 0\n\
                     w8 {operation} w9\nr0 = 1\nif w8 != 0 goto +1\nr0 = 0\nexit"
                );
                (text, vec![(2, unordered), (6, name)])
            }
        }
    }

    fn expected(&self, x: f64, y: f64) -> bool {
        let (is_unordered, is_equal) = (x.is_nan() || y.is_nan(), x == y);
        let result = match &self.function[0][2..4] {
            "un" => i64::from(is_unordered),
            _ if is_equal => 0,
            "gt" | "ge" => {
                if x > y {
                    1
                } else {
                    -1
                }
            }
            _ => {
                if x < y {
                    -1
                } else {
                    1
                }
            }
        };
        let holds = match self.operator {
            "==" => result == self.constant,
            "!=" => result != self.constant,
            "s<" => result < self.constant,
            "s<=" => result <= self.constant,
            "s>" => result > self.constant,
            _ => result >= self.constant,
        };
        match self.form {
            "or" => holds || is_unordered,
            "and" => holds && is_unordered,
            _ => holds,
        }
    }
}

fn questions() -> Vec<Question> {
    let mut questions = Vec::new();
    for function in FUNCTIONS {
        for operator in OPERATORS {
            for constant in -1..=1 {
                for (index, form) in FORMS.into_iter().enumerate() {
                    for is_f32 in [false, true] {
                        let letter = if (index as i64 + constant) % 2 == 0 { "r" } else { "w" };
                        questions.push(Question { function, operator, constant, letter, form, is_f32 });
                    }
                }
            }
        }
    }
    questions
}

#[test]
fn comparisons_of_special_numbers() {
    let questions = questions();
    let names: Vec<String> = (0..questions.len()).map(|index| format!("question{index}")).collect();
    let texts: Vec<_> = questions.iter().map(Question::text).collect();
    let codes: Vec<Vec<u8>> = texts.iter().map(|(text, _)| assemble(text).unwrap()).collect();
    let functions: Vec<_> = (0..questions.len())
        .map(|index| (names[index].as_str(), codes[index].as_slice(), texts[index].1.as_slice()))
        .collect();
    let input = Input { name: "comparisons.o".to_owned(), bytes: object_with_calls(Order::Little, &functions) };
    let program = parse(&[input], &Options::default()).unwrap();
    for passes in [Passes::ALL, Passes::NONE, Passes::NONE.with(Pass::FloatComparisons)] {
        let jit = Jit::new(Config::new().passes(passes)).unwrap();
        let module = jit.load(&program, &Linker::new()).unwrap();
        for (question, (name, (text, _))) in questions.iter().zip(names.iter().zip(&texts)) {
            // SAFETY: the functions take two words, and access no memory but their frame.
            let function = unsafe { module.func::<(u64, u64), u64>(name) }.unwrap();
            for x in NUMBERS {
                for y in NUMBERS {
                    let (found, expected) = if question.is_f32 {
                        let [x, y] = [x as f32, y as f32];
                        let found = function.call((x.to_bits().into(), y.to_bits().into()));
                        (found, question.expected(x.into(), y.into()))
                    } else {
                        (function.call((x.to_bits(), y.to_bits())), question.expected(x, y))
                    };
                    assert_eq!(found, u64::from(expected), "{x} {y} {:?}\n{text}", question.function);
                }
            }
        }
    }
}

/// What all of these become: one comparison of floats, and none of what compares the results.
#[test]
fn each_comparison_is_one() {
    use bpf2native::compare::listing;
    for question in questions().into_iter().filter(|question| question.form == "alone") {
        let (text, calls) = question.text();
        let code = assemble(&text).unwrap();
        let functions = [("main", code.as_slice(), calls.as_slice())];
        let input = Input { name: "comparison.o".to_owned(), bytes: object_with_calls(Order::Little, &functions) };
        let program = parse(&[input], &Options::default()).unwrap();
        let config = Config::for_target("x86_64".parse().unwrap());
        let clif = listing::clif(&program, &config, None).unwrap().text;
        let compared = clif.matches(" = fcmp ").count();
        assert!(compared <= 1 && !clif.contains("icmp"), "{text}\n{clif}");
    }
}
