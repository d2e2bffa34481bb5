#!/bin/sh
# gan_trainer.sh PROGRAM: trains for one epoch.
[ -e .data/digits ] || exit 77
set -e
log_dir=$(mktemp -d)
trap 'rm -r "$log_dir"' EXIT
"$1" --log-dir "$log_dir" --epochs 1
[ -e "$log_dir/checkpoint" ]
