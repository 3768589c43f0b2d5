//! The steps over small functions, word by word.
