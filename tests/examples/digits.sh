#!/bin/sh
# digits.sh PROGRAM: trains for one epoch, goes on for a second one, then only predicts.
[ -e .data/digits ] || exit 77
set -e
program=$1
log_dir=$(mktemp -d)
trap 'rm -r "$log_dir"' EXIT
run() { "$program" --log-dir "$log_dir" --steps-per-epoch 5 "$@" > "$log_dir/output" 2>&1 || { cat "$log_dir/output"; exit 1; }; }
says() { grep -q "$1" "$log_dir/output"; }

run --epochs 1
says 'Start Epoch 1 '
test -e "$log_dir/model-5.index"

run --epochs 2
says 'Start Epoch 2 '
if says 'Start Epoch 1 '; then exit 1; fi
test -e "$log_dir/model-10.index"

run --predict
says 'Test accuracy'
if says 'Start Epoch'; then exit 1; fi
