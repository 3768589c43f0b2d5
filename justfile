# Daily recipes; `just` lists them.

default:
    @just --list

# Builds the kernel's BPF programs outside the repository, and translates them all: none may fail
corpus:
    tools/corpus.sh
